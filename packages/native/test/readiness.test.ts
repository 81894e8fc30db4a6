import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadLibc, PollEvent, type Readiness, watchReadable, watchWritable } from '../src/index.ts'
import { Poller } from '../src/readiness.ts'
import { eventLoopWaiter, threadWaiter } from '../src/waiter.ts'
import { build } from './build.ts'

const libc = loadLibc()
const armed = (readiness: Readiness): Promise<void> => new Promise((resolve) => readiness.arm(resolve))
const after = (milliseconds: number): Promise<'late'> => new Promise((resolve) => setTimeout(resolve, milliseconds, 'late'))

const isNode = process.versions['bun'] === undefined && process.versions['deno'] === undefined
const onThread = new Poller(libc, threadWaiter)

const WAYS: readonly [string, (fd: number, events: number) => Readiness][] = [
  ['what this runtime has', (fd, events) => (events === PollEvent.POLLOUT ? watchWritable : watchReadable)(libc, fd)],
  ['a thread', (fd, events) => onThread.watch(fd, events)],
]

describe.each(WAYS)('watched by %s', (_, watch) => {
  it('calls back once for each arm()', async () => {
    const [readEnd, writeEnd] = libc.pipe()
    const readiness = watch(readEnd, PollEvent.POLLIN)
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
    const readiness = watch(readEnd, PollEvent.POLLIN)
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
    const readiness = watch(readEnd, PollEvent.POLLIN)
    setTimeout(() => libc.close(writeEnd), 5)
    await armed(readiness)
    expect(libc.read(readEnd, new Uint8Array(1), 0, 1)).toBe(0)
    readiness.close()
    libc.close(readEnd)
  })

  it('serves many descriptors, each when it is ready', async () => {
    const pipes = Array.from({ length: 100 }, () => libc.pipe())
    const ready: number[] = []
    const watches = pipes.map(([readEnd], i) => {
      const readiness = watch(readEnd, PollEvent.POLLIN)
      readiness.arm(() => void ready.push(i))
      return readiness
    })
    for (const i of [99, 0, 50]) {
      libc.write(pipes[i][1], new Uint8Array(1), 0, 1)
      while (ready.at(-1) !== i) await after(1)
    }
    for (const [, writeEnd] of pipes) libc.write(writeEnd, new Uint8Array(1), 0, 1)
    while (ready.length < 100) await after(1)
    expect(new Set(ready).size).toBe(100)
    for (const readiness of watches) readiness.close()
    for (const fd of pipes.flat()) libc.close(fd)
  })

  it('waits for room to write, beside a wait to read on the same descriptor', async () => {
    const [readEnd, writeEnd] = libc.pipe()
    const full = new Uint8Array(65_536)
    while (libc.write(writeEnd, full, 0, full.length) > 0);
    const hangUp = watch(writeEnd, PollEvent.POLLIN)
    const room = watch(writeEnd, PollEvent.POLLOUT)
    const calls: string[] = []
    hangUp.arm(() => void calls.push('hang-up'))
    room.arm(() => void calls.push('room'))
    await after(20)
    expect(calls).toEqual([])
    libc.read(readEnd, full, 0, full.length)
    while (calls.length === 0) await after(1)
    expect(calls).toEqual(['room'])
    libc.close(readEnd)
    while (calls.length === 1) await after(1)
    expect(calls).toEqual(['room', 'hang-up'])
    hangUp.close()
    room.close()
    libc.close(writeEnd)
  })

  it('is opened, armed, disarmed and closed thousands of times, and leaves no descriptor behind', async () => {
    const [readEnd, writeEnd] = libc.pipe()
    const next = libc.eventfd()
    libc.close(next)
    let calls = 0
    for (let round = 0; round < 2000; round++) {
      const readiness = watch(readEnd, PollEvent.POLLIN)
      readiness.arm(() => calls++)
      if (round % 3 === 0) readiness.disarm()
      if (round % 100 === 0) await after(1)
      readiness.close()
    }
    const again = libc.eventfd()
    expect(again).toBe(next)
    libc.close(again)
    libc.write(writeEnd, new Uint8Array(1), 0, 1)
    await after(10)
    expect(calls).toBe(0)
    libc.close(readEnd)
    libc.close(writeEnd)
  })

  it('one that was disarmed by another in the same turn is not called', async () => {
    const pipes = [libc.pipe(), libc.pipe()]
    const watches = pipes.map(([readEnd]) => watch(readEnd, PollEvent.POLLIN))
    const calls: number[] = []
    for (const [i, readiness] of watches.entries()) {
      readiness.arm(() => {
        calls.push(i)
        watches[1 - i].disarm()
      })
    }
    for (const [, writeEnd] of pipes) libc.write(writeEnd, new Uint8Array(1), 0, 1)
    while (calls.length === 0) await after(1)
    await after(10)
    // Disarmed by the first, the second is not called in the same turn either.
    expect(calls.length).toBe(1)
    for (const readiness of watches) readiness.close()
    for (const fd of pipes.flat()) libc.close(fd)
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

it.runIf(isNode)('on Node the event loop itself waits, and what is called may use promises and ticks', async () => {
  const [readEnd, writeEnd] = libc.pipe()
  const poller = new Poller(libc, (_, epoll, onReady) => eventLoopWaiter(epoll, onReady))
  const readiness = poller.watch(readEnd, PollEvent.POLLIN)
  const order: string[] = []
  const done = new Promise<void>((resolve) =>
    readiness.arm(() => {
      process.nextTick(() => order.push('tick'))
      Promise.resolve().then(() => {
        order.push('promise')
        resolve()
      })
    }),
  )
  libc.write(writeEnd, new Uint8Array(1), 0, 1)
  await done
  expect(order).toEqual(['tick', 'promise'])
  readiness.close()
  libc.close(readEnd)
  libc.close(writeEnd)
})

const ENTER = process.getuid?.() === 0 ? ['-n', '--'] : ['-Urn', '--']
const hasTun = spawnSync('unshare', [...ENTER, 'sh', '-c', 'exec 3<>/dev/net/tun']).status === 0

it.runIf(hasTun)("a TUN's name is free as soon as the TUN is closed, a hundred times", () => {
  build()
  const script = fileURLToPath(new URL('./fixtures/tun-name.mjs', import.meta.url))
  const words = process.versions['deno'] === undefined ? [script] : ['run', '-A', script]
  const { stdout, stderr } = spawnSync('unshare', [...ENTER, process.execPath, ...words], { encoding: 'utf8', timeout: 15_000 })
  expect(stdout, stderr).toBe('{"taken":[]}\n')
})
