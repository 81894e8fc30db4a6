import { readFile } from 'node:fs/promises'
import { isMainThread } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { EpollOperation, type Libc, loadLibc, PollEvent, Reactor } from '../src/index.ts'
import { loopWaiter, threadWaiter } from '../src/waiter.ts'

const isNode = process.versions['bun'] === undefined && process.versions['deno'] === undefined
const libc = loadLibc()
const octet = new Uint8Array(1)
const PATIENT = { timeout: 5_000, interval: 10 }
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

// Only Node has libuv's symbols, and only its main thread has that loop; CI runs it so. Bun and Deno wait otherwise (reactor.test.ts).
describe.runIf(isNode && isMainThread)('an event loop that waits for libuv, and in which libuv waits', () => {
  const opened: (() => void)[] = []
  afterEach(() => {
    for (const close of opened.splice(0)) close()
  })

  /** A pipe under a reactor, and what the waiter did with libuv's own descriptor. */
  function watched(onTold: (count: number) => void = () => {}) {
    const stays: string[] = []
    const listening: Libc = Object.create(libc)
    const [readEnd, writeEnd] = libc.pipe()
    listening.epollControl = (epoll, operation, fd, events, data) => {
      if (fd !== readEnd) stays.push(operation === EpollOperation.ADD ? 'stays' : 'leaves')
      libc.epollControl(epoll, operation, fd, events, data)
    }
    let looks = 0
    listening.epollWait = (...how) => {
      looks++
      return libc.epollWait(...how)
    }
    const reactor = new Reactor(listening, (_, epoll, turn) => loopWaiter(listening, epoll, turn))
    let told = 0
    const watch = reactor.watch(readEnd, PollEvent.POLLIN, () => {
      told++
      libc.read(readEnd, octet, 0, 1)
      onTold(told)
    })
    opened.push(() => {
      watch.close()
      for (const fd of [readEnd, writeEnd]) libc.close(fd)
    })
    return { looks: () => looks, stays, told: () => told, say: () => libc.write(writeEnd, octet, 0, 1), watch }
  }

  it('stays from the first event on, and leaves when there was none for a while, again and again', async () => {
    const { stays, told, say } = watched()
    await pause(10)
    expect(stays).toEqual([])
    for (const round of [1, 2]) {
      say()
      await vi.waitFor(() => expect(stays).toHaveLength(2 * round), PATIENT)
      expect(stays.slice(-2)).toEqual(['stays', 'leaves'])
      expect(told()).toBe(round)
    }
  })

  it('tells of what an event has made ready before the event loop has its turn', async () => {
    const order: string[] = []
    const { say } = watched((count) => {
      // Ahead of the first turn that waits itself, however busy the machine is.
      if (count === 1) setImmediate(say)
      if (count === 3) order.push('told')
      if (count !== 2) return
      setImmediate(() => order.push('immediate'))
      say()
    })
    say()
    await vi.waitFor(() => expect(order).toEqual(['told', 'immediate']), PATIENT)
  })

  it('waits: it does not look again and again', async () => {
    const { looks, stays, say } = watched()
    say()
    await vi.waitFor(() => expect(stays).toEqual(['stays', 'leaves']), PATIENT)
    // Every millisecond for 100 ms, where spinning would be thousands; it may find a timer of this test due now and then.
    expect(looks()).toBeLessThan(300)
  })

  it('does not stay where the runtime has many things to look after, as looking at them takes longer', async () => {
    const timers = Array.from({ length: 200 }, () => setTimeout(() => {}, 60_000))
    opened.push(() => timers.forEach(clearTimeout))
    const { stays, told, say } = watched()
    for (let i = 1; i <= 3; i++) {
      say()
      await vi.waitFor(() => expect(told()).toBe(i), PATIENT)
    }
    expect(stays).toEqual([])
  })

  it('all else of the runtime goes on meanwhile: files, timers, immediates, promises', async () => {
    const { stays, told, say } = watched()
    for (let i = 0; i < 20; i++) {
      say()
      expect((await readFile(new URL(import.meta.url))).length).toBeGreaterThan(0)
      await new Promise((resolve) => setImmediate(resolve))
      await pause(1)
    }
    await vi.waitFor(() => expect(told()).toBe(20), PATIENT)
    expect(stays[0]).toBe('stays')
  })

  it("does not wait where others' immediates are due: they come as quickly as without it", async () => {
    const { stays, say } = watched()
    say()
    await vi.waitFor(() => expect(stays).toEqual(['stays']), PATIENT)
    // Waited for one by one, they would take twenty times as long as it stays.
    for (let i = 0; i < 500; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(stays).toEqual(['stays'])
  })

  it('leaves at once where nothing is watched any more', async () => {
    const { stays, say, watch } = watched()
    say()
    await vi.waitFor(() => expect(stays).toEqual(['stays']), PATIENT)
    watch.close()
    await vi.waitFor(() => expect(stays).toEqual(['stays', 'leaves']), PATIENT)
  })

  it('is not kept from its events where the descriptors would be in a circle', async () => {
    const { told, say } = watched()
    const refusing: Libc = Object.create(libc)
    refusing.epollControl = (epoll, operation, fd, events, data) => {
      if (data === fd && operation === EpollOperation.ADD && fd !== pipe[0]) throw new Error('ELOOP')
      libc.epollControl(epoll, operation, fd, events, data)
    }
    const pipe = libc.pipe()
    const reactor = new Reactor(refusing, (_, epoll, turn) => loopWaiter(refusing, epoll, turn))
    let heard = 0
    const watch = reactor.watch(pipe[0], PollEvent.POLLIN, () => {
      heard++
      libc.read(pipe[0], octet, 0, 1)
    })
    for (let i = 1; i <= 5; i++) {
      libc.write(pipe[1], octet, 0, 1)
      say()
      await vi.waitFor(() => expect([heard, told()]).toEqual([i, i]), PATIENT)
    }
    watch.close()
    for (const fd of pipe) libc.close(fd)
  })
})

describe('an event loop that waits in place of a thread', () => {
  it('sends the thread to wait once for events that follow each other closely, and once more when there was none for a while', async () => {
    const watching: Libc = Object.create(libc)
    let threads = 0
    watching.pollAsync = (...how) => {
      threads++
      libc.pollAsync(...how)
    }
    const reactor = new Reactor(watching, threadWaiter)
    const [readEnd, writeEnd] = libc.pipe()
    let told = 0
    const watch = reactor.watch(readEnd, PollEvent.POLLIN, () => {
      told++
      libc.read(readEnd, octet, 0, 1)
    })
    await pause(10)
    expect([threads, told]).toEqual([1, 0])
    for (let i = 1; i <= 20; i++) {
      libc.write(writeEnd, octet, 0, 1)
      await vi.waitFor(() => expect(told).toBe(i), { timeout: 5_000, interval: 1 })
    }
    expect(threads).toBe(1)
    await vi.waitFor(() => expect(threads).toBe(2), PATIENT)
    watch.close()
    for (const fd of [readEnd, writeEnd]) libc.close(fd)
  })
})
