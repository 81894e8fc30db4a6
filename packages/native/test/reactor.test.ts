import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Libc, loadLibc, NativeError, PollEvent, Reactor, type Watch } from '../src/index.ts'
import { createWaiter, threadWaiter } from '../src/waiter.ts'
import { build } from './build.ts'

const libc = loadLibc()
const octet = new Uint8Array(1)
const ENTER = process.getuid?.() === 0 ? ['-n', '--'] : ['-Urn', '--']
const hasTun = spawnSync('unshare', [...ENTER, 'sh', '-c', 'exec 3<>/dev/net/tun']).status === 0
const say = (fd: number): number => libc.write(fd, octet, 0, 1)
const turns = (milliseconds = 20): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))
/** However busy the machine is: where it never is so, the test runs out of its time. */
const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await turns(1)
}

const WAYS = [
  ['what this runtime has', createWaiter],
  ['a thread', threadWaiter],
] as const

describe.each(WAYS)('woken by %s', (_, waiterOf) => {
  /** Pipes under one reactor; what was said of each, and whether its octets are taken out when it is. */
  function watched(count: number, { drains = true } = {}) {
    const reactor = new Reactor(libc, waiterOf)
    const pipes = Array.from({ length: count }, () => libc.pipe())
    const told = pipes.map(() => 0)
    const watches = pipes.map(([readEnd], i) =>
      reactor.watch(readEnd, PollEvent.POLLIN, (events) => {
        expect(events & PollEvent.POLLIN).not.toBe(0)
        told[i]++
        if (drains) libc.read(readEnd, octet, 0, 1)
      }),
    )
    const close = (): void => {
      for (const watch of watches) watch.close()
      for (const ends of pipes) for (const fd of ends) libc.close(fd)
    }
    return { reactor, pipes, told, watches, close }
  }

  describe('epoll(7) for many descriptors', () => {
    it('tells the owner of each that is ready, again for each octet, and nobody else', async () => {
      const { pipes, told, close } = watched(200)
      for (const i of [0, 77, 199]) say(pipes[i][1])
      say(pipes[77][1])
      await until(() => told[0] > 0 && told[77] > 1 && told[199] > 0)
      await turns()
      expect(told.map((times, i) => [i, times]).filter(([, times]) => times > 0)).toEqual([
        [0, 1],
        [77, 2],
        [199, 1],
      ])
      say(pipes[3][1])
      await until(() => told[3] > 0)
      expect(told[3]).toBe(1)
      close()
    })

    it('goes on telling while what it told of lasts, and stops when it is not wanted', async () => {
      const { pipes, told, watches, close } = watched(1, { drains: false })
      say(pipes[0][1])
      await until(() => told[0] > 2)
      watches[0].want(0)
      await turns(5)
      const before = told[0]
      await turns()
      expect(told[0]).toBe(before)
      watches[0].want(PollEvent.POLLIN)
      await until(() => told[0] > before)
      close()
    })

    it('an owner may close others in its turn, and a closed one hears nothing', async () => {
      const { reactor, pipes, told, watches, close } = watched(2)
      const third = libc.pipe()
      let hasClosed = false
      const last = reactor.watch(third[0], PollEvent.POLLIN, () => {
        for (const watch of watches) watch.close()
        hasClosed = true
        libc.read(third[0], octet, 0, 1)
      })
      say(third[1])
      await until(() => hasClosed)
      for (const [, writeEnd] of pipes) say(writeEnd)
      await turns()
      expect(told).toEqual([0, 0])
      // A thread that waits on for nobody would be one less for the others.
      last.close()
      close()
      for (const fd of third) libc.close(fd)
    })

    it('a descriptor that takes the number of a closed one has its own owner', async () => {
      const { reactor, pipes, told, watches } = watched(1)
      const [readEnd, writeEnd] = pipes[0]
      watches[0].close()
      for (const fd of [readEnd, writeEnd]) libc.close(fd)
      const again = libc.pipe()
      expect(again).toContain(readEnd)
      let calls = 0
      const watch = reactor.watch(again[0], PollEvent.POLLIN, () => {
        calls++
        libc.read(again[0], octet, 0, 1)
      })
      say(again[1])
      watches[0].want(0)
      watches[0].close()
      await until(() => calls > 0)
      await turns()
      expect([calls, told[0]]).toEqual([1, 0])
      watch.close()
      for (const fd of again) libc.close(fd)
    })
  })

  it('tells of a hang-up, wanted or not', async () => {
    const reactor = new Reactor(libc, waiterOf)
    const [readEnd, writeEnd] = libc.pipe()
    let told = 0
    const watch = reactor.watch(readEnd, 0, (events) => {
      told |= events
      watch.close()
    })
    libc.close(writeEnd)
    await until(() => told !== 0)
    expect(told & PollEvent.POLLHUP).not.toBe(0)
    libc.close(readEnd)
  })

  it('is opened and closed thousands of times, and leaves no descriptor behind', async () => {
    const { reactor, close } = watched(1)
    const [readEnd, writeEnd] = libc.pipe()
    await turns()
    const next = libc.eventfd()
    libc.close(next)
    let calls = 0
    for (let round = 0; round < 2000; round++) {
      const watch = reactor.watch(readEnd, PollEvent.POLLIN, () => calls++)
      if (round % 100 === 0) await turns(1)
      watch.close()
    }
    const again = libc.eventfd()
    // The runtime may open some of its own meanwhile.
    expect(again).toBeLessThan(next + 20)
    say(writeEnd)
    await turns()
    expect(calls).toBe(0)
    close()
    for (const fd of [again, readEnd, writeEnd]) libc.close(fd)
  })

  it('does not keep a file open that was closed while it was waited for', async () => {
    const { reactor, close } = watched(1)
    const [readEnd, writeEnd] = libc.pipe()
    const watch = reactor.watch(readEnd, PollEvent.POLLIN, () => {})
    await turns()
    watch.close()
    libc.close(readEnd)
    // EPIPE: nobody has the read end any more.
    expect(libc.errnoName(-say(writeEnd))).toBe('EPIPE')
    libc.close(writeEnd)
    close()
  })

  it('what is called may use promises and ticks', async () => {
    const reactor = new Reactor(libc, waiterOf)
    const [readEnd, writeEnd] = libc.pipe()
    const order: string[] = []
    const done = new Promise<void>((resolve) => {
      const watch = reactor.watch(readEnd, PollEvent.POLLIN, () => {
        watch.close()
        process.nextTick(() => order.push('tick'))
        Promise.resolve().then(() => {
          order.push('promise')
          resolve()
        })
      })
    })
    say(writeEnd)
    await done
    await until(() => order.length === 2)
    expect(order.sort()).toEqual(['promise', 'tick'])
    for (const fd of [readEnd, writeEnd]) libc.close(fd)
  })

  describe('what goes wrong with one', () => {
    it('a first watch that finds no descriptor left fails, and the next one works', async () => {
      const scarce: Libc = Object.create(libc)
      const reactor = new Reactor(scarce, waiterOf)
      const [readEnd, writeEnd] = libc.pipe()
      let calls = 0
      const watchIt = (): Watch =>
        reactor.watch(readEnd, PollEvent.POLLIN, () => {
          calls++
          libc.read(readEnd, octet, 0, 1)
        })
      scarce.epollCreate = () => {
        throw new NativeError('SYSTEM', 'no descriptors', { errno: 'EMFILE' })
      }
      expect(watchIt).toThrow('no descriptors')
      scarce.epollCreate = libc.epollCreate
      const watch = watchIt()
      await turns()
      say(writeEnd)
      await until(() => calls > 0)
      await turns()
      expect(calls).toBe(1)
      watch.close()
      for (const fd of [readEnd, writeEnd]) libc.close(fd)
    })
  })
})

describe('a process', () => {
  beforeAll(build)

  /** Runs a module of which the text is given; what it printed. */
  function printedBy(body: string): string {
    const [index, waiter] = ['index', 'waiter'].map((name) => JSON.stringify(new URL(`../dist/${name}.js`, import.meta.url).href))
    const script = `
      import { loadLibc, Reactor } from ${index}
      import { createWaiter, threadWaiter } from ${waiter}
      const libc = loadLibc()
      const octet = new Uint8Array(1)
      const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
      ${body}`
    const how = process.versions['deno'] === undefined ? ['--input-type=module', '-e', script] : ['eval', script]
    const { stdout, stderr, status } = spawnSync(process.execPath, how, { encoding: 'utf8', timeout: 15_000 })
    expect([status, stderr]).toEqual([0, ''])
    return stdout.trim()
  }

  it('ends when the last watch is closed, and not before', () => {
    const printed = printedBy(`
      const [readEnd, writeEnd] = libc.pipe()
      const watch = new Reactor(libc).watch(readEnd, 1, () => { console.log('told'); watch.close() })
      setTimeout(() => libc.write(writeEnd, octet, 0, 1), 100).unref?.()`)
    expect(printed).toBe('told')
  })

  it('hears of an owner that throws, and the other owners go on', () => {
    const printed = printedBy(`
      process.on('uncaughtException', ({ message }) => console.log(message))
      for (const waiterOf of [createWaiter, threadWaiter]) {
        const reactor = new Reactor(libc, waiterOf)
        const pipes = [libc.pipe(), libc.pipe(), libc.pipe()]
        const watches = pipes.map(([readEnd], i) => reactor.watch(readEnd, 1, () => {
          libc.read(readEnd, octet, 0, 1)
          if (i === 0) throw new Error('a mistake')
          console.log('told ' + i)
        }))
        for (const [, writeEnd] of pipes) libc.write(writeEnd, octet, 0, 1)
        await wait(50)
        libc.write(pipes[2][1], octet, 0, 1)
        await wait(50)
        for (const watch of watches) watch.close()
      }`)
    const once = ['a mistake', 'told 1', 'told 2', 'told 2']
    expect(printed.split('\n').sort()).toEqual([...once, ...once].sort())
  })

  it.each(['best', 'thread'])(
    'woken by %s, lives while there is a watch, ends after its close(), and at process.exit() without it',
    (way) => {
      const run = (mode: string): [number | null, string] => {
        const script = fileURLToPath(new URL('./fixtures/waiting-process.mjs', import.meta.url))
        const args = process.versions['deno'] === undefined ? [script, way, mode] : ['run', '-A', script, way, mode]
        const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 15_000 })
        return [status, stdout.trim()]
      }
      expect([run('wait'), run('close'), run('exit')]).toEqual([
        [0, 'ready'],
        [0, 'closed'],
        [7, ''],
      ])
    },
  )

  it.each(['close', 'terminate', 'throw'])('of worker threads, which may end as they like: %s', (mode) => {
    const script = fileURLToPath(new URL('./fixtures/waiting-workers.mjs', import.meta.url))
    const args = process.versions['deno'] === undefined ? [script, mode] : ['run', '-A', script, mode]
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 15_000 })
    expect([status, stdout.trim()]).toEqual([0, 'all gone'])
  })

  it.runIf(hasTun)("finds a TUN's name free as soon as the TUN is closed, a hundred times", () => {
    const script = fileURLToPath(new URL('./fixtures/tun-name.mjs', import.meta.url))
    const args = process.versions['deno'] === undefined ? [script] : ['run', '-A', script]
    const { stdout } = spawnSync('unshare', [...ENTER, process.execPath, ...args], { encoding: 'utf8', timeout: 30_000 })
    expect(JSON.parse(stdout)).toEqual({ taken: [] })
  })
})
