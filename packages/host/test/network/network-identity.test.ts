import { describe, expect, it } from 'vitest'
import { networkIdentity } from '../../src/network/network-identity.ts'
import { FakeIp } from './fake-ip.ts'

const GATEWAY = '203.0.113.1'
const ETHER = { link_type: 'ether', flags: ['BROADCAST', 'UP', 'LOWER_UP'] }

interface World {
  readonly routes?: readonly object[]
  readonly ipv6Routes?: readonly object[]
  readonly link?: object
  readonly neighbours?: readonly object[]
  readonly got?: object
}

const HOME: Required<World> = {
  routes: [{ dst: 'default', gateway: '192.168.1.1', dev: 'wlan0' }],
  ipv6Routes: [],
  link: ETHER,
  neighbours: [{ dst: '192.168.1.1', lladdr: '02:00:00:00:00:01', state: ['STALE'] }],
  got: { dst: GATEWAY, dev: 'wlan0' },
}

describe('by what a network is known again', () => {
  it('is the next hop and its link-layer address, and nothing of the machine', async () => {
    const home = await identity()
    expect(home).toMatch(/^[0-9a-f]{16}$/)
    expect(await identity({ routes: [{ dst: 'default', gateway: '192.168.1.1', dev: 'eth7', metric: 5 }] })).toBe(home)
    expect(await identity({ neighbours: [{ lladdr: '02:00:00:00:00:02' }] })).not.toBe(home)
    expect(await identity({ routes: [{ dst: 'default', gateway: '192.168.1.2', dev: 'wlan0' }] })).not.toBe(home)
  })

  it('RFC 826: a next hop that nothing was sent to yet is asked for', async () => {
    const roused: string[] = []
    let asked = 0
    const fake = world({})
    const run: FakeIp['run'] = async (program, args) => {
      if (args.includes('neigh') && asked++ < 2) return { exitCode: 0, stdout: '[]', stderr: '' }
      return await fake.run(program, args)
    }
    expect(await networkIdentity([GATEWAY], 'underpass0', run, async (hop) => void roused.push(hop))).toBe(await identity())
    expect(roused).toEqual(['192.168.1.1'])
  })

  it('is unknown where the next hop does not answer, where there is none, and to itself', async () => {
    expect(await identity({ neighbours: [] })).toBeUndefined()
    expect(await identity({ routes: [] })).toBeUndefined()
    expect(await identity({ link: { link_type: 'loopback', flags: [] } })).toBeUndefined()
    expect(await identity({ got: { type: 'local', dst: GATEWAY, dev: 'lo' } })).toBeUndefined()
    expect(
      await networkIdentity(
        [GATEWAY],
        'underpass0',
        async () => ({ exitCode: 127, stdout: '', stderr: '' }),
        async () => {},
      ),
    ).toBeUndefined()
  })

  it('a point-to-point link has nobody else on it', async () => {
    const link = { link_type: 'ppp', flags: ['POINTOPOINT', 'NOARP', 'UP'] }
    const modem = await identity({ routes: [{ dst: 'default', dev: 'ppp0' }], link, neighbours: [] })
    expect(modem).toMatch(/^[0-9a-f]{16}$/)
    expect(await identity({ routes: [{ dst: 'default', dev: 'ppp1' }], link, neighbours: [] })).not.toBe(modem)
  })

  it('IPv4 decides, whichever of the gateway’s addresses is preferred; IPv6 where there is no other', async () => {
    const both = { ipv6Routes: [{ dst: 'default', gateway: 'fe80::1', dev: 'wlan0' }] }
    expect(await identity(both, ['2001:db8::1', GATEWAY])).toBe(await identity())
    const neighbours = [{ lladdr: '02:00:00:00:00:01' }]
    expect(await identity({ ...both, routes: [], neighbours }, ['2001:db8::1', GATEWAY])).toMatch(/^[0-9a-f]{16}$/)
  })
})

function identity(given: World = {}, addresses: readonly string[] = [GATEWAY]): Promise<string | undefined> {
  return networkIdentity(addresses, 'underpass0', world(given).run, async () => {})
}

function world(given: World): FakeIp {
  const { routes, ipv6Routes, link, neighbours, got } = { ...HOME, ...given }
  return new FakeIp()
    .answer('ip -j -4 route show', { stdout: JSON.stringify(routes) })
    .answer('ip -j -6 route show', { stdout: JSON.stringify(ipv6Routes) })
    .answer('ip -j -4 route get', { stdout: JSON.stringify([got]) })
    .answer('ip -j -d link show', { stdout: JSON.stringify([link]) })
    .answer('ip -j neigh show', { stdout: JSON.stringify(neighbours) })
}
