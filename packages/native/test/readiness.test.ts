import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadLibc, type Readiness, watchReadable } from '../src/index.ts'
import { build } from './build.ts'

const libc = loadLibc()
const armed = (readiness: Readiness): Promise<void> => new Promise((resolve) => readiness.arm(resolve))
const after = (milliseconds: number): Promise<'late'> => new Promise((resolve) => setTimeout(resolve, milliseconds, 'late'))

describe('watchReadable', () => {
  it('calls back once for each arm()', async () => {
    const [readEnd, writeEnd] = libc.pipe()
    const readiness = watchReadable(libc, readEnd)
    for (let round = 0; round < 3; round++) {
      setTimeout(() => libc.write(writeEnd, new Uint8Array(1), 0, 1), 5)
      await armed(readiness)
      expect(libc.read(readEnd, new Uint8Array(10), 0, 10)).toBe(1)
    }
    readiness.close()
    libc.close(readEnd)
    libc.close(writeEnd)
  })

  it('does not call back after disarm() or close()', async () => {
    const [readEnd, writeEnd] = libc.pipe()
    const readiness = watchReadable(libc, readEnd)
    let calls = 0
    readiness.arm(() => calls++)
    readiness.disarm()
    libc.write(writeEnd, new Uint8Array(1), 0, 1)
    await after(50)
    expect(calls).toBe(0)
    expect(await Promise.race([armed(readiness), after(1000)])).toBeUndefined()
    libc.read(readEnd, new Uint8Array(10), 0, 10)
    readiness.arm(() => calls++)
    readiness.close()
    readiness.close()
    await after(50)
    expect(calls).toBe(0)
    libc.close(readEnd)
    libc.close(writeEnd)
  })

  it('tells of a hang-up as readable', async () => {
    const [readEnd, writeEnd] = libc.pipe()
    const readiness = watchReadable(libc, readEnd)
    setTimeout(() => libc.close(writeEnd), 5)
    await armed(readiness)
    expect(libc.read(readEnd, new Uint8Array(1), 0, 1)).toBe(0)
    readiness.close()
    libc.close(readEnd)
  })
})

it('does not keep a file open that was closed while a wait is under way', async () => {
  const [readEnd, writeEnd] = libc.pipe()
  const readiness = watchReadable(libc, readEnd)
  readiness.arm(() => {})
  await after(20)
  libc.close(readEnd)
  // EPIPE: nobody has the read end any more.
  expect(libc.errnoName(-libc.write(writeEnd, new Uint8Array(1), 0, 1))).toBe('EPIPE')
  readiness.close()
  libc.close(writeEnd)
})

/** A process of this very runtime over the built package. */
function run(mode: string): { status: number | null; milliseconds: number; output: string } {
  const script = fileURLToPath(new URL('./fixtures/waiting-process.mjs', import.meta.url))
  const started = performance.now()
  const args = process.versions['deno'] === undefined ? [script, mode] : ['run', '-A', script, mode]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 10_000 })
  return { status, milliseconds: performance.now() - started, output: stdout + stderr }
}

describe('the process around a wait', () => {
  beforeAll(() => {
    build()
  })

  it('ends by itself after close()', () => {
    const { status, milliseconds, output } = run('close')
    expect(output).toBe('closed\n')
    expect(status).toBe(0)
    expect(milliseconds).toBeLessThan(1500)
  })

  it('ends at process.exit() without close()', () => {
    const { status, milliseconds } = run('exit')
    expect(status).toBe(7)
    expect(milliseconds).toBeLessThan(1500)
  })

  it('lives while a wait is armed', () => {
    const { status, output } = run('wait')
    expect(output).toBe('ready\n')
    expect(status).toBe(0)
  })
})
