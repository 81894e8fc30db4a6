import { release } from 'node:os'
import { describe, expect, it } from 'vitest'
import { type Kind, obstacle, runFixture, type User } from './namespace.ts'
import { faults } from './packets.ts'

const DEVICES: readonly [Kind, User][] = [
  ['tun-plain', 'root'],
  ['tun', 'root'],
  ['tun', 'nobody'],
  ['packet', 'root'],
  ['packet', 'nobody'],
]

describe.each(DEVICES)('%s device, as %s', (kind, user) => {
  const reason = obstacle(kind, user)
  const scenario = (
    title: string,
    name: string,
    // biome-ignore lint/suspicious/noExplicitAny: each scenario prints something else
    check: (result: any, outcome: { status: number | null; lingered: number }) => void,
  ): void => {
    it(title, async ({ skip }) => {
      if (reason !== undefined) skip(reason)
      const { result, ...outcome } = await runFixture('device', user, [kind, name])
      check(result, outcome)
    })
  }

  scenario('reads what the host sends and writes what it receives', 'echo', (result) => {
    expect(result).toMatchObject({ isEqual: true, replies: 300, kind: kind === 'packet' ? 'packet' : 'tun', mtu: 1400, name: 'up0' })
    const { counters } = result
    expect(counters.packetsRead).toBeGreaterThanOrEqual(300)
    expect(counters.packetsWritten).toBe(counters.packetsRead)
    expect(counters.octetsWritten).toBe(counters.octetsRead)
    expect(counters).toMatchObject({ readDrops: 0, writeDrops: 0 })
  })

  scenario('reads nothing while paused, and then in batches of at most 128', 'pause', ({ whilePaused, batches }) => {
    expect(whilePaused).toBe(0)
    expect(batches.reduce((sum: number, count: number) => sum + count, 0)).toBeGreaterThanOrEqual(200)
    expect(Math.max(...batches)).toBe(128)
  })

  scenario('can be paused by the function that takes the packets', 'pauseInside', ({ first, second }) => {
    expect([first, second]).toEqual([1, 2])
  })

  scenario('cuts what an application sent with UDP_SEGMENT into its datagrams', 'udpSegments', (result) => {
    const packets: Uint8Array[] = result.packets.map((text: string) => Uint8Array.from(Buffer.from(text, 'hex')))
    expect(result.sent).toBe(7300)
    expect(packets.map((packet) => packet.length - 28)).toEqual([1000, 1000, 1000, 1000, 1000, 1000, 1000, 300])
    expect(packets.flatMap(faults)).toEqual([])
    expect(packets.flatMap((packet) => [...packet.subarray(28)])).toEqual(Array.from({ length: 7300 }, (_, i) => (i * 13) & 0xff))
  })

  scenario('reads the end of a burst without waiting for a packet after it, also once it goes on after a pause', 'burst', (result) => {
    expect(result).toEqual({ read: 150, paused: 150 })
  })

  scenario('tells when the interface was removed, and the process can end', 'gone', (result, { status, lingered }) => {
    expect(result).toEqual({ code: 'INTERFACE_GONE', interface: 'up0' })
    expect(status).toBe(0)
    expect(lingered).toBeLessThan(1000)
  })

  scenario(
    'counts what the host refuses while the interface is down, and goes on when it is up',
    'downAndUp',
    ({ packets, writeDrops }) => {
      // A veth whose other end is down takes packets and forgets them.
      expect(writeDrops).toBe(kind === 'packet' ? 0 : 1)
      expect(packets).toBeGreaterThan(0)
    },
  )

  scenario('says what is wrong with a name, an MTU, an interface', 'errors', (codes) => {
    expect(codes).toEqual({
      badName: 'ARGUMENT',
      longName: 'ARGUMENT',
      twice: kind === 'packet' ? 'COMMAND_FAILED' : 'NAME_IN_USE',
      badMtu: kind === 'packet' ? 'COMMAND_FAILED' : 'ARGUMENT',
      noInterface: 'NO_SUCH_INTERFACE',
      loopbackName: kind === 'packet' ? 'COMMAND_FAILED' : 'NAME_IN_USE',
    })
  })

  scenario('does not hold up process.exit()', 'exit', (_, { status, lingered }) => {
    expect(status).toBe(5)
    expect(lingered).toBeLessThan(1000)
  })

  if (kind !== 'packet') {
    scenario('lets as many packets wait as it is told', 'queueLength', ({ ordinary, longer, packetsRead, codes }) => {
      expect([ordinary, longer]).toEqual([500, 2000])
      expect(packetsRead).toBeGreaterThanOrEqual(1500)
      expect(codes).toEqual(new Array(5).fill('ARGUMENT'))
    })
  }

  if (kind !== 'packet') {
    scenario(
      'has several queues; a flow comes to the one that it was last written to, and the device stays without any',
      'queues',
      (result) => {
        expect(result).toMatchObject({ kept: true, left: false })
        expect(result.queues).toBeGreaterThan(1)
        expect(result.steered).toEqual(new Array(24).fill(true))
      },
    )
  }

  if (kind === 'packet') {
    scenario("learns the kernel's Ethernet address when it is not told", 'learn', (result) => {
      expect(result).toEqual({ message: 'who are you', writeDrops: 1 })
    })
  }
})

describe.each(DEVICES)('two %s devices as %s, joined: hosts in two network namespaces', (kind, user) => {
  it('carry ping, 50 MB over IPv4 and 50 MB over IPv6 unchanged, and leave nothing behind', { timeout: 60_000 }, async ({ skip }) => {
    const reason = obstacle(kind, user)
    if (reason !== undefined) skip(reason)
    const { result, status, lingered } = await runFixture('bridge', user, [kind, '50000000'])
    const transfer = { octets: 50_000_000, isEqual: true }
    expect(result).toMatchObject({ tcp4: transfer, tcp6: transfer, left: ['lo'] })
    // null: no ping program on this machine
    for (const ping of [result.ping4, result.ping6]) if (ping !== null) expect(ping).toMatchObject({ status: 0, received: 20 })
    const [server, client] = result.counters
    expect(client.octetsRead).toBeGreaterThan(100_000_000)
    // With offload several packets cross the border to the kernel in one call.
    if (kind === 'tun-plain') expect(client.reads).toBe(client.packetsRead)
    else expect(server.writes).toBeLessThan(server.packetsWritten / 2)
    expect(status).toBe(0)
    expect(lingered).toBeLessThan(1000)
  })
})

describe('segments that are longer together than a packet can be', () => {
  const reason = obstacle('tun', 'root')

  // IPv4's super-packets of more than 65,535 octets.
  const [major = 0, minor = 0] = release().split('.').map(Number)
  const isLinux63 = major > 6 || (major === 6 && minor >= 3)

  it.for([
    [200, 1_360],
    [7, 65_458],
    [64, 7_000],
  ])('%i of %i octets come out of the kernel as they went in', async ([count, payload], { skip }) => {
    if (reason !== undefined) skip(reason)
    const { result } = await runFixture('forward', 'root', [String(count), String(payload)])
    expect(result).toMatchObject({ read: count, different: 0, writeDrops: 0 })
    if (isLinux63) expect(result.writes).toBe(1)
  })

  it('carry 100 MB over IPv4 and over IPv6 unchanged in packets of 64 kB', { timeout: 60_000 }, async ({ skip }) => {
    if (reason !== undefined) skip(reason)
    const { result } = await runFixture('bridge', 'root', ['tun', '100000000', '65498'])
    const transfer = { octets: 100_000_000, isEqual: true }
    expect(result).toMatchObject({ tcp4: transfer, tcp6: transfer, left: ['lo'] })
  })
})
