import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parseIp } from '../../src/ip-prefix.ts'
import { underlayOf } from '../../src/network/routes.ts'
import { Underlay } from '../../src/network/underlay.ts'

interface World {
  routes: object[]
  addresses: string[]
}

const HOME: World = { routes: [{ dst: 'default', gateway: '192.168.1.1', dev: 'wlan0', metric: 600 }], addresses: ['192.168.1.7'] }

/** What `ip -j` answers in it. */
const ask =
  (world: World) =>
  (_command: string, words: readonly string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> => {
    const isRoutes = words.includes('route')
    const answer = isRoutes ? world.routes : [{ addr_info: world.addresses.map((local) => ({ local, scope: 'global' })) }]
    return Promise.resolve({ exitCode: 0, stdout: JSON.stringify(answer), stderr: '' })
  }

const underlay = (world: Partial<World>): Promise<string> => underlayOf(parseIp('203.0.113.1')!, 'underpass0', ask({ ...HOME, ...world }))

describe('the way beneath the tunnel', () => {
  it('is device, gateway and addresses of the best route', async () => {
    expect(await underlay({})).toBe('wlan0 192.168.1.1 192.168.1.7')
    const wired = { dst: 'default', gateway: '10.0.0.1', dev: 'eth0', metric: 100 }
    expect(await underlay({ routes: [...HOME.routes, wired] })).toBe('eth0 10.0.0.1 192.168.1.7')
    expect(await underlay({ routes: [wired, { dst: '203.0.113.0/24', dev: 'eth1' }] })).toBe('eth1  192.168.1.7')
    expect(await underlay({ addresses: [] })).toBe('wlan0 192.168.1.1')
  })

  it('is neither what we have put there nor what leads nowhere', async () => {
    const ours = [
      { dst: '0.0.0.0/1', dev: 'underpass0', protocol: '157' },
      { dst: '203.0.113.1', gateway: '10.0.0.1', dev: 'eth0', protocol: '157' },
    ]
    expect(await underlay({ routes: [...ours, ...HOME.routes] })).toBe('wlan0 192.168.1.1 192.168.1.7')
    expect(await underlay({ routes: [{ dst: '203.0.113.0/24', dev: 'eth1', flags: ['linkdown'] }, ...HOME.routes] })).toContain('wlan0')
    expect(await underlay({ routes: ours })).toBe('')
  })

  it('is nothing where there is no `ip`', async () => {
    const run = (): Promise<{ exitCode: number; stdout: string; stderr: string }> =>
      Promise.resolve({ exitCode: 127, stdout: '', stderr: '' })
    expect(await underlayOf(parseIp('203.0.113.1')!, 'underpass0', run)).toBe('')
  })
})

describe('what has become of it', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  function watched(alternatives: readonly string[] = []): {
    world: World & { gateway: string }
    tell: () => Promise<void>
    changes: () => number
    close: () => void
  } {
    const world = { ...HOME, gateway: '203.0.113.1' }
    let news = (): void => {}
    let changes = 0
    const watch = new Underlay({
      gateway: () => world.gateway,
      alternatives: () => alternatives,
      tunnel: () => 'underpass0',
      run: (command, words) => ask(world)(command, words ?? []),
      watchNews: (onNews) => {
        news = onNews
        return { close: () => (news = () => {}) }
      },
      onChange: () => {
        changes++
        return Promise.resolve()
      },
    })
    const tell = async (): Promise<void> => {
      for (let i = 0; i < 12; i++) news()
      await vi.advanceTimersByTimeAsync(200)
    }
    return { world, tell, changes: () => changes, close: () => watch.close() }
  }

  it('is not told where only the gateway is another, as a proxy is', async () => {
    const { world, tell, changes } = watched()
    await vi.advanceTimersByTimeAsync(200)
    world.gateway = '10.0.0.9'
    world.routes = [{ dst: '10.0.0.0/8', dev: 'eth0' }]
    await tell()
    expect(changes()).toBe(0)
    world.addresses = ['10.0.0.7']
    await tell()
    expect(changes()).toBe(1)
  })

  it('is told of a gateway that was one of several until now, though it changed before anybody looked at it again', async () => {
    const { world, tell, changes } = watched(['2001:db8::dead', '198.51.100.9'])
    await vi.advanceTimersByTimeAsync(200)
    world.gateway = '198.51.100.9'
    world.routes = [{ dst: 'default', gateway: '10.0.0.1', dev: 'eth0', metric: 600 }]
    await tell()
    expect(changes()).toBe(1)
    await tell()
    expect(changes()).toBe(1)
  })

  it('is told once for a burst of news, and not where the way is the same', async () => {
    const { world, tell, changes, close } = watched()
    await vi.advanceTimersByTimeAsync(200)
    await tell()
    expect(changes()).toBe(0)
    world.addresses = ['192.168.1.8']
    await tell()
    expect(changes()).toBe(1)
    world.routes = []
    await tell()
    expect(changes()).toBe(2)
    await tell()
    expect(changes()).toBe(2)
    close()
    world.routes = HOME.routes
    await tell()
    expect(changes()).toBe(2)
  })
})
