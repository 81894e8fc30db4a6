import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { untilClosed } from '../../src/program/process-io.ts'

describe('an output whose reader has gone', () => {
  it.each(['EPIPE', 'EIO'])('%s: is not written to any more, and nothing is thrown', async (code) => {
    const { stream, written } = failing(code)
    const out = untilClosed(stream)
    out.write('one\n')
    await new Promise((resolve) => setImmediate(resolve))
    out.write('two\n')
    await new Promise((resolve) => setImmediate(resolve))
    expect(written).toEqual(['one\n'])
  })

  it('another failure is one', () => {
    const { stream } = failing('ENOSPC')
    untilClosed(stream).write('')
    expect(() => stream.emit('error', Object.assign(new Error('full'), { code: 'ENOSPC' }))).toThrow('full')
  })
})

/** As standard output does: every write fails later, and the stream stays. */
function failing(code: string): { readonly stream: NodeJS.WriteStream; readonly written: readonly string[] } {
  const written: string[] = []
  const stream = new Writable({ autoDestroy: false })
  stream.write = (chunk: unknown) => {
    written.push(String(chunk))
    if (chunk !== '') setImmediate(() => stream.emit('error', Object.assign(new Error(`write ${code}`), { code })))
    return true
  }
  return { stream: stream as unknown as NodeJS.WriteStream, written }
}
