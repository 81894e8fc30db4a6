import { describe, expect, it } from 'vitest'
import { Reporter } from '../../src/index.ts'
import { inForeground } from '../../src/program/foreground.ts'
import { FakeIo } from '../fake-io.ts'

describe('a program in the foreground', () => {
  it('the first signal ends it in order, a second one half a second later at once', async () => {
    const { io, exit, signalAt } = running()
    signalAt('SIGINT', 1_000)
    signalAt('SIGINT', 1_500)
    expect(io.exits).toEqual([1])
    expect(io.told.err).toBe('stopped at once; the next start undoes what is left of the host changes\n')
    expect(await exit).toBe(0)
  })

  it('two signals for one wish, as timeout(1) sends them to the program and to its group, end it in order', async () => {
    const { io, exit, signalAt } = running()
    signalAt('SIGTERM', 1_000)
    signalAt('SIGTERM', 1_001)
    signalAt('SIGINT', 1_499)
    expect(await exit).toBe(0)
    expect(io.exits).toEqual([])
    expect(io.told.out.match(/going down/g)).toHaveLength(1)
    expect(io.told.out).toMatch(/down\n$/)
  })
})

/** A program of nothing, and a clock of the test's own. */
function running(): { readonly io: FakeIo; readonly exit: Promise<number>; signalAt(name: string, milliseconds: number): void } {
  const io = new FakeIo()
  let now = 0
  const exit = inForeground(
    {
      config: { warnings: [] },
      io,
      reporter: new Reporter({ out: io.out, err: io.err, json: false, level: 'info', colour: false }),
      now: () => now,
    },
    async () => ({ close: async () => [] }),
  )
  return {
    io,
    exit,
    signalAt(name, milliseconds) {
      now = milliseconds
      io.signal(name)
    },
  }
}
