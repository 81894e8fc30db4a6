import { decodeMessage, NotifyType, type Payload } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { Pair, TCP, UDP } from '../pair.ts'

describe('RFC 9329 §5.1 Recommended Fallback from UDP', () => {
  const pair = new Pair({ transports: [UDP, TCP], link: { isUdpBlocked: true } })
  pair.connect()
  const overUdp = pair.log.filter((entry) => entry.transport === 'udp')
  const overTcp = pair.log.filter((entry) => entry.transport === 'tcp')

  it('(T-FB-2): IKE_SA_INIT is retransmitted over UDP at least once, bit-identical, before any TCP', () => {
    expect(overUdp.length).toBeGreaterThanOrEqual(2)
    expect(overUdp.every((entry) => entry.octets.join() === overUdp[0]!.octets.join())).toBe(true)
    const opened = pair.client.outputs.findIndex((output) => output.includes('open-connection'))
    const sends = pair.client.outputs.slice(0, opened).filter((output) => output.includes('send-datagram'))
    expect(sends).toHaveLength(overUdp.length)
  })

  it('(T-FB-3): over TCP it is a new IKE_SA_INIT: other SPI, nonce and NAT detection', () => {
    const [udp, tcp] = [overUdp[0]!, overTcp[0]!].map((entry) => decodeMessage(entry.octets))
    expect(tcp!.header.initiatorSpi).not.toBe(udp!.header.initiatorSpi)
    expect(nonce(tcp!.payloads)).not.toEqual(nonce(udp!.payloads))
    for (const type of [NotifyType.NAT_DETECTION_SOURCE_IP, NotifyType.NAT_DETECTION_DESTINATION_IP])
      expect(notifyData(tcp!.payloads, type)).not.toEqual(notifyData(udp!.payloads, type))
  })

  it('(T-FB-3): a late answer to the UDP request is ignored', () => {
    const other = new Pair({ transports: [UDP, TCP], link: { isUdpBlocked: true } })
    other.initiate()
    other.run(100)
    const request = other.log[0]!.octets
    other.connect()
    const before = other.client.core.inspect(other.now)
    other.input(other.gateway, {
      kind: 'datagram',
      local: { address: other.gateway.address, port: 500 },
      remote: { address: other.client.address, port: 500 },
      message: 'ike',
      bytes: request,
    })
    other.link.isUdpBlocked = false
    other.input(other.gateway, {
      kind: 'datagram',
      local: { address: other.gateway.address, port: 500 },
      remote: { address: other.client.address, port: 500 },
      message: 'ike',
      bytes: request,
    })
    other.settle()
    expect(other.log.at(-1)).toMatchObject({ from: other.gateway, transport: 'udp' })
    const after = other.client.core.inspect(other.now)
    expect(after.ikeSas.map((sa) => [sa.id, sa.state, sa.path])).toEqual(before.ikeSas.map((sa) => [sa.id, sa.state, sa.path]))
    expect(other.passesTraffic()).toBe(true)
  })

  it('says in its events what was tried, what failed and why this transport was chosen', () => {
    expect(pair.client.eventsOf('transport-tried').map((event) => event.transport)).toEqual(['udp:500', 'tcp:4500'])
    expect(pair.client.eventsOf('transport-failed')[0]).toMatchObject({
      transport: 'udp:500',
      reason: expect.stringContaining('no answer'),
    })
    expect(pair.client.eventsOf('transport-chosen')[0]).toMatchObject({ transport: 'tcp:4500', reason: expect.stringContaining('udp:500') })
  })
})

function nonce(payloads: readonly Payload[]): Uint8Array | undefined {
  return payloads.find((payload) => payload.type === 'Nonce')?.data
}

function notifyData(payloads: readonly Payload[], type: number): Uint8Array | undefined {
  return payloads.find((payload) => payload.type === 'N' && payload.notifyType === type && payload.data.length > 0)?.type === 'N'
    ? (payloads.find((payload) => payload.type === 'N' && payload.notifyType === type) as Extract<Payload, { type: 'N' }>).data
    : undefined
}
