import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ClientNetwork, type ClientNetworkConfig, HostNetwork, Journal, journalOwner } from '../../src/index.ts'
import { temporaryDirectory } from '../temporary.ts'
import { FakeIp } from './fake-ip.ts'
import { comesUp, pathTo } from './session-events.ts'

const WAY_OUT = JSON.stringify([{ dst: '192.0.2.9', gateway: '198.51.100.1', dev: 'eth0', prefsrc: '198.51.100.7', flags: [], uid: 0 }])

describe('the client’s routes', () => {
  it('follow the traffic selectors, after address and device', async () => {
    const { network, fake } = client()
    await network.prepare()
    await network.configure('underpass0')
    for (const event of comesUp({ remoteTs: ['10.2.0.0/24', '10.3.0.0-10.3.1.255'] })) await network.follow(event)
    expect(fake.commands).toEqual([
      'ip link set dev underpass0 mtu 1400 up',
      'ip -4 address add 10.99.0.2/32 dev underpass0',
      'ip -4 route add 10.2.0.0/24 dev underpass0 proto 157',
      'ip -4 route add 10.3.0.0/23 dev underpass0 proto 157',
    ])
  })

  it('a default route is two halves, and the gateway keeps its way outside the tunnel', async () => {
    const { network, fake, notices } = client()
    await network.configure('underpass0')
    for (const event of comesUp({ remoteTs: ['0.0.0.0/0'] })) await network.follow(event)
    expect(fake.commands.slice(2)).toEqual([
      'ip -4 route add 192.0.2.9/32 via 198.51.100.1 dev eth0 src 198.51.100.7 proto 157',
      'ip -4 route add 0.0.0.0/1 dev underpass0 proto 157',
      'ip -4 route add 128.0.0.0/1 dev underpass0 proto 157',
    ])
    // As at every rekeying.
    for (const event of comesUp({ remoteTs: ['0.0.0.0/0'] })) await network.follow(event)
    expect(fake.commands).toHaveLength(5)
    expect(notices).toEqual(['IPv6 traffic stays outside the tunnel'])
  })

  it('RFC 4555 §3.4: so do the other addresses that the gateway names, for as long as it names them', async () => {
    const { network, fake, host } = client()
    for (const event of comesUp({ remoteTs: ['0.0.0.0/0'] })) await network.follow(event)
    fake.commands.length = 0
    fake.answer('ip -j -4 route get 192.0.2.10', { stdout: WAY_OUT.replace('192.0.2.9', '192.0.2.10') })
    const named = (...addresses: string[]): Promise<void> =>
      network.follow({ kind: 'additional-addresses', peer: 'p', ikeSa: '1', addresses })
    await named('192.0.2.10', 'not an address')
    const other = '192.0.2.10/32 via 198.51.100.1 dev eth0 src 198.51.100.7 proto 157'
    expect(fake.commands).toEqual([`ip -4 route add ${other}`])
    // Where it goes there it is no other, and both stay until it says something else.
    await network.follow({ kind: 'path-moved', ikeSa: '1', peer: 'p', from: pathTo('192.0.2.9'), to: pathTo('192.0.2.10') })
    await network.follow({ kind: 'path-moved', ikeSa: '1', peer: 'p', from: pathTo('192.0.2.10'), to: pathTo('192.0.2.9') })
    fake.commands.length = 0
    await named()
    expect(fake.commands).toEqual([`ip -4 route del ${other}`])
    await named('192.0.2.10')
    expect(await host.removeAll()).toEqual([])
    expect(fake.commands).toContain('ip -4 route del 192.0.2.9/32 via 198.51.100.1 dev eth0 src 198.51.100.7 proto 157')
    expect(fake.commands).toContain(`ip -4 route del ${other}`)
  })

  it('a gateway on this machine needs no way', async () => {
    const { network, fake } = client()
    fake.answer('ip -j -4 route get 192.0.2.9', { stdout: '[{"type":"local","dst":"192.0.2.9","dev":"lo"}]' })
    for (const event of comesUp({ remoteTs: ['0.0.0.0/0'] })) await network.follow(event)
    expect(fake.commands.join('\n')).not.toContain('192.0.2.9')
  })

  it('are undone, newest first, all but nothing', async () => {
    const { network, fake, host } = client()
    await network.configure('underpass0')
    for (const event of comesUp({ remoteTs: ['0.0.0.0/0'] })) await network.follow(event)
    const made = fake.commands.splice(0)
    expect(await host.removeAll()).toEqual([])
    const undone = made.map((command) => command.replace(' add ', ' del ').replace(' mtu 1400 up', ' down')).reverse()
    expect(fake.commands).toEqual(undone)
  })

  it('stay while the tunnel is lost, so that nothing leaves in the clear', async () => {
    const { network, fake } = client()
    for (const event of comesUp({ remoteTs: ['10.2.0.0/24'] })) await network.follow(event)
    fake.commands.length = 0
    await network.follow({ kind: 'child-sa-removed', ikeSa: '1', peer: 'p', inboundSpi: 'c1', reason: 'lost' })
    await network.follow({ kind: 'ike-sa-closed', ikeSa: '1', peer: 'p', reason: 'dead', byPeer: true })
    expect(fake.commands).toEqual([])
  })

  it('change with the next Child SA: another address, other selectors, another way', async () => {
    const { network, fake } = client()
    for (const event of comesUp({ remoteTs: ['10.2.0.0/24'] })) await network.follow(event)
    fake.commands.length = 0
    for (const event of comesUp({ remoteTs: ['10.2.0.0/24', '10.4.0.0/24'], address: '10.99.0.3' })) await network.follow(event)
    expect(fake.commands).toEqual([
      // In this order: without any address the device would lose its routes, and the tunnel's packets go elsewhere.
      'ip -4 address add 10.99.0.3/32 dev underpass0',
      'ip -4 address del 10.99.0.2/32 dev underpass0',
      'ip -4 route add 10.4.0.0/24 dev underpass0 proto 157',
    ])
  })

  it('when the path moves, the way to the new gateway address is found beneath the tunnel', async () => {
    const { network, fake } = client()
    for (const event of comesUp({ remoteTs: ['0.0.0.0/0'] })) await network.follow(event)
    fake.commands.length = 0
    fake.answer('ip -j -4 route get 203.0.113.5', { stdout: '[{"dst":"203.0.113.5","dev":"underpass0"}]' })
    fake.answer('ip -j -4 route show to match 203.0.113.5', {
      stdout:
        '[{"dst":"default","gateway":"198.51.100.1","dev":"eth0","metric":100},{"dst":"128.0.0.0/1","dev":"underpass0"},{"dst":"default","gateway":"10.0.0.1","dev":"wlan0","metric":600}]',
    })
    await network.follow({ kind: 'path-moved', ikeSa: '1', peer: 'p', from: pathTo('192.0.2.9'), to: pathTo('203.0.113.5') })
    expect(fake.commands).toEqual([
      'ip -4 route del 192.0.2.9/32 via 198.51.100.1 dev eth0 src 198.51.100.7 proto 157',
      'ip -4 route add 203.0.113.5/32 via 198.51.100.1 dev eth0 proto 157',
    ])
  })

  it('lead around a link whose carrier is gone, and no more once it is back', async () => {
    const { network, fake } = client()
    const ways = (flags: string[]): string =>
      JSON.stringify([
        { dst: 'default', gateway: '198.51.100.1', dev: 'cable', metric: 100, flags },
        { dst: 'default', gateway: '10.0.0.1', dev: 'air', metric: 600, flags: [] },
      ])
    for (const event of comesUp({ remoteTs: ['10.2.0.0/24'] })) await network.follow(event)
    fake.commands.length = 0
    fake.answer('ip -j -4 route show to match 192.0.2.9', { stdout: ways(['linkdown']) })
    await network.underlayChanged()
    fake.answer('ip -j -4 route show to match 192.0.2.9', { stdout: ways([]) })
    await network.underlayChanged()
    expect(fake.commands).toEqual([
      'ip -4 route add 192.0.2.9/32 via 10.0.0.1 dev air proto 157',
      'ip -4 route del 192.0.2.9/32 via 10.0.0.1 dev air proto 157',
    ])
  })

  it('leave out a family without an address, and say so', async () => {
    const { network, fake, notices } = client()
    for (const event of comesUp({ remoteTs: ['10.2.0.0/24', '2001:db8::/32'] })) await network.follow(event)
    expect(fake.commands.filter((command) => command.includes('-6'))).toEqual([])
    expect(notices).toEqual(['2001:db8::/32 is not routed: the tunnel has no IPv6 address'])
  })

  it('IPv6: no duplicate address detection, halves of ::/0', async () => {
    const { network, fake } = client()
    fake.answer('ip -j -6 route get', { stdout: '[{"dst":"2001:db8:9::9","gateway":"fe80::1","dev":"eth0","prefsrc":"2001:db8:7::7"}]' })
    for (const event of comesUp({ remoteTs: ['::/0'], address: '2001:db8:99::2', gateway: '2001:db8:9::9' })) await network.follow(event)
    expect(fake.commands).toEqual([
      'ip -6 address add 2001:db8:99::2/128 dev underpass0 nodad',
      'ip -6 route add 2001:db8:9::9/128 via fe80::1 dev eth0 proto 157',
      'ip -6 route add ::/1 dev underpass0 proto 157',
      'ip -6 route add 8000::/1 dev underpass0 proto 157',
    ])
  })

  it('"none" and a list of one’s own', async () => {
    for (const [routes, expected] of [
      ['none', []],
      [['10.5.0.0/16'], ['ip -4 route add 10.5.0.0/16 dev underpass0 proto 157']],
    ] as const) {
      const { network, fake } = client({ routes })
      for (const event of comesUp({ remoteTs: ['10.2.0.0/24'] })) await network.follow(event)
      expect(fake.commands.filter((command) => command.includes('route'))).toEqual(expected)
    }
  })

  it('name servers go where the configuration says', async () => {
    for (const [dns, expected] of [
      ['report', []],
      ['resolvectl', ['resolvectl dns underpass0 10.2.0.53', 'resolvectl domain underpass0 ~.']],
    ] as const) {
      const { network, fake } = client({ dns })
      for (const event of comesUp({ remoteTs: ['0.0.0.0/0'] })) await network.follow(event)
      expect(fake.commands.filter((command) => command.startsWith('resolvectl'))).toEqual(expected)
    }
  })

  it('RFC 8598 §5: name servers are asked for names of the domains that the gateway names, and for no others', async () => {
    const { network, fake } = client({ dns: 'resolvectl' })
    const domains = ['corp.example.com', 'city.other.test']
    for (const event of comesUp({ remoteTs: ['10.2.0.0/24'], domains })) await network.follow(event)
    expect(fake.commands.filter((command) => command.startsWith('resolvectl'))).toEqual([
      'resolvectl dns underpass0 10.2.0.53',
      'resolvectl domain underpass0 ~corp.example.com ~city.other.test',
    ])
  })

  it('RFC 8598 §2: with everything in the tunnel the domains are not heeded', async () => {
    const { network, fake } = client({ dns: 'resolvectl' })
    for (const event of comesUp({ remoteTs: ['0.0.0.0/0'], domains: ['corp.example.com'] })) await network.follow(event)
    expect(fake.commands).toContain('resolvectl domain underpass0 ~.')
  })

  it('a packet device’s veth pair is written down, and a strange one of its name left alone', async () => {
    const tun = { device: 'packet', name: 'underpass0', mtu: 1400, addresses: [] } as const
    const { network, fake, host } = client({ tun })
    fake.answer('ip link show dev underpass0', { exitCode: 1, stderr: 'Device "underpass0" does not exist.' })
    await network.prepare()
    expect(host.changes).toEqual(['veth pair underpass0'])
    await host.removeAll()
    expect(fake.commands).toEqual(['ip link del dev underpass0'])
    await expect(client({ tun }).network.prepare()).rejects.toMatchObject({ code: 'ALREADY_RUNNING' })
  })
})

function client(config: Partial<ClientNetworkConfig> = {}): { network: ClientNetwork; host: HostNetwork; fake: FakeIp; notices: string[] } {
  const fake = new FakeIp().answer('ip -j -4 route get 192.0.2.9', { stdout: WAY_OUT })
  const notices: string[] = []
  const onNotice = (text: string): void => void notices.push(text)
  const host = new HostNetwork({ run: fake.run, journal: new Journal(join(temporaryDirectory(), 'journal'), journalOwner()), onNotice })
  const all: ClientNetworkConfig = {
    tun: { device: 'tun', name: 'underpass0', mtu: 1400, addresses: [] },
    routes: 'negotiated',
    dns: 'report',
    ...config,
  }
  return { network: new ClientNetwork({ config: all, host, run: fake.run, onNotice }), host, fake, notices }
}
