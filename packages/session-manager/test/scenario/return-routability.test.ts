import { decodeHeader, ExchangeType, NotifyType, notify } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { MeddledPair } from '../meddler.ts'
import { change, transportOf, up } from '../moving.ts'
import { ipv4Packet, TCP, UDP } from '../pair.ts'

const ELSEWHERE = { address: '203.0.113.5', port: 6000 }
const { INFORMATIONAL } = ExchangeType

describe('RFC 4555 §3.7 (M-1) the return routability check of a responder', () => {
  it('asks at the new address, and the initiator gives COOKIE2 back', () => {
    const pair = up()
    pair.client.address = '192.0.2.99'
    const from = pair.log.length
    change(pair, 500)
    expect(pair.transcript(from)).toEqual([
      'I → R  HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)}',
      'R → I  HDR, SK {N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)}',
      'R → I  HDR, SK {N(COOKIE2)}',
      'I → R  HDR, SK {N(COOKIE2)}',
      'I → R  HDR, SK {N(0xa5c4)}',
      'R → I  HDR, SK {N(0xa5c4)}',
    ])
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([
    ['another', [notify(NotifyType.COOKIE2, new Uint8Array(16))]],
    ['none', []],
  ])('§3.7: an answer with %s closes the IKE SA', (_, payloads) => {
    const pair = upOverUdp()
    move(pair)
    const { messageId } = pair.saOf(pair.gateway).window.outstanding!
    const answer = pair.forge(pair.client, INFORMATIONAL, payloads, { isResponse: true, messageId })
    pair.deliverIke(pair.gateway, answer, { transport: 'udp', remote: ELSEWHERE })
    expect(pair.gateway.eventsOf('ike-sa-closed')).toMatchObject([{ reason: expect.stringContaining('COOKIE2') }])
  })

  it('§3.7: who does not answer at the new address has no IKE SA in the end', () => {
    const pair = upOverUdp()
    move(pair)
    pair.client.isFrozen = true
    pair.run(120_000)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
  })

  it('§3.7: it asks at once, though an answer is owed to it that the old address swallowed', () => {
    const pair = up()
    pair.link.loses = ({ from }) => from === pair.gateway
    pair.command(pair.gateway, { kind: 'check-liveness' })
    // Repeated twice; the third would come two seconds later.
    pair.run(2_000)
    pair.link.loses = () => false
    pair.client.address = '192.0.2.99'
    change(pair, 100)
    expect(pair.transcript()).toContain('I → R  HDR, SK {N(COOKIE2)}')
    expect(pair.saOf(pair.gateway).routability.isEspHeld).toBe(false)
  })

  it('§3.7: who does not answer at the new address within `timers.resume` is sent no more ESP there until it does', () => {
    const pair = upOverUdp()
    pair.run(1_000)
    const from = pair.datagrams.length
    move(pair)
    const check = pair.log.at(-1)!
    downFor(pair, 10)
    expect(toElsewhere(pair, from)).toBe(3)
    expect(pair.counter(pair.gateway, 'esp-unroutable')).toBe(7)
    const { messageId } = decodeHeader(check.octets)
    const cookie2 = pair.openAny(check.octets).filter((payload) => payload.type === 'N')
    const answer = pair.forge(pair.client, INFORMATIONAL, cookie2, { isResponse: true, messageId })
    pair.deliverIke(pair.gateway, answer, { transport: 'udp', remote: ELSEWHERE })
    downFor(pair, 10)
    expect(toElsewhere(pair, from)).toBe(13)
  })

  it('§3.7: who went on without an answer is sent no ESP before it has answered, wherever it goes', () => {
    const pair = upOverUdp()
    pair.run(1_000)
    move(pair)
    pair.run(1_000)
    // At home again, and proven there.
    pair.sayAs(pair.client, INFORMATIONAL, [notify(NotifyType.UPDATE_SA_ADDRESSES)])
    pair.settle(5_000)
    expect(pair.saOf(pair.gateway).routability).toEqual({ unproven: undefined, isTrusted: false, isEspHeld: false })
    expect(pair.passesTraffic()).toBe(true)
    const from = pair.datagrams.length
    move(pair)
    downFor(pair, 3)
    expect(toElsewhere(pair, from)).toBe(0)
  })

  it('§3.7, §3.8: a path that ESP moved to another address is asked likewise', () => {
    const pair = upOverUdp()
    pair.run(1_000)
    pair.client.address = '192.0.2.99'
    const from = pair.log.length
    pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 100))
    pair.settle()
    expect(pair.transcript(from)).toEqual(['R → I  HDR, SK {N(COOKIE2)}', 'I → R  HDR, SK {N(COOKIE2)}'])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 4555 §3.8: another port of the same address, as a NAT gives one, is not asked', () => {
    const pair = upOverUdp()
    const from = pair.log.length
    pair.deliverIke(pair.gateway, pair.forge(pair.client, INFORMATIONAL, [notify(NotifyType.UPDATE_SA_ADDRESSES)]), {
      transport: 'udp',
      remote: { address: pair.client.address, port: 6000 },
    })
    expect(pair.transcript(from)).toEqual(['R → I  HDR, SK {}'])
  })

  it('RFC 9329 §7.1 (T-MOB-8): over TCP nobody is asked', () => {
    const pair = up({ link: { isUdpBlocked: true } })
    pair.client.address = '192.0.2.99'
    change(pair)
    expect(transportOf(pair)).toBe('tcp')
    expect(pair.transcript().filter((text) => text.includes('COOKIE2'))).toEqual([])
  })
})

describe('RFC 4555 §3.9 (M-1) NO_NATS_ALLOWED', () => {
  it.each([
    ['the addresses that it came by moves the SA', noNats('203.0.113.5', '198.51.100.1', 6000, 4500), true],
    [
      'another source is answered UNEXPECTED_NAT_DETECTED, where it came from, and moves nothing',
      noNats('192.0.2.10', '198.51.100.1', 6000, 4500),
      false,
    ],
    ['another port', noNats('203.0.113.5', '198.51.100.1', 4500, 4500), false],
    ['no whole content', new Uint8Array(3), false],
  ])('over UDP with %s', (_, data, moves) => {
    const pair = upOverUdp()
    const from = pair.log.length
    move(pair, [notify(NotifyType.NO_NATS_ALLOWED, data)])
    expect(pair.gateway.eventsOf('path-moved')).toHaveLength(moves ? 1 : 0)
    expect(pair.transcript(from)[0]).toBe(moves ? 'R → I  HDR, SK {}' : 'R → I  HDR, SK {N(UNEXPECTED_NAT_DETECTED)}')
    expect(pair.gateway.core.ikeSas.size).toBe(1)
  })

  it('RFC 9329 §7.1 (T-MOB-7): over TCP it is ignored', () => {
    const pair = new MeddledPair({ transports: [TCP] })
    pair.connect()
    const from = pair.log.length
    pair.sayAs(pair.client, INFORMATIONAL, [
      notify(NotifyType.UPDATE_SA_ADDRESSES),
      notify(NotifyType.NO_NATS_ALLOWED, noNats('192.0.2.1', '192.0.2.2', 1, 2)),
    ])
    expect(pair.transcript(from)[0]).toBe('R → I  HDR, SK {}')
  })
})

describe('RFC 4555 §3.5 (M-1) UNACCEPTABLE_ADDRESSES', () => {
  it('has the initiator look for another way, with the same SAs', () => {
    const pair = new MeddledPair({ transports: [UDP, TCP] })
    pair.connect()
    pair.run(1_000)
    pair.meddle = (message) => {
      if (message.to !== pair.client || message.header.exchangeType !== INFORMATIONAL || pair.saOf(pair.client).transport !== 'udp')
        return undefined
      if (
        !pair.openAny(message.octets).some((payload) => payload.type === 'N' && payload.notifyType === NotifyType.NAT_DETECTION_SOURCE_IP)
      )
        return undefined
      return pair.pipes.length > 0 ? undefined : [pair.resealed(message, () => [notify(NotifyType.UNACCEPTABLE_ADDRESSES)])]
    }
    change(pair)
    expect(pair.saOf(pair.client).transport).toBe('tcp')
    pair.meddle = () => undefined
    pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 100))
    pair.settle()
    expect(pair.gateway.received.at(-1)).toHaveLength(100)
    expect(pair.client.eventsOf('ike-sa-established')).toHaveLength(1)
  })
})

function upOverUdp(): MeddledPair {
  const pair = new MeddledPair({ transports: [UDP] })
  pair.connect()
  return pair
}

/** The client says UPDATE_SA_ADDRESSES from elsewhere. */
function move(pair: MeddledPair, more: Parameters<MeddledPair['forge']>[2] = []): void {
  const messageId = pair.saOf(pair.client).window.takeMessageId()
  const octets = pair.forge(pair.client, INFORMATIONAL, [notify(NotifyType.UPDATE_SA_ADDRESSES), ...more], { messageId })
  pair.deliverIke(pair.gateway, octets, { transport: 'udp', remote: ELSEWHERE })
}

/** A packet a second from behind the gateway. */
function downFor(pair: MeddledPair, seconds: number): void {
  for (let second = 0; second < seconds; second++) {
    pair.send(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 100))
    pair.run(1_000)
  }
}

function toElsewhere(pair: MeddledPair, from: number): number {
  return pair.datagrams.slice(from).filter(({ kind, remote }) => kind === 'esp' && remote.address === ELSEWHERE.address).length
}

function noNats(source: string, destination: string, sourcePort: number, destinationPort: number): Uint8Array {
  const ports = [sourcePort, destinationPort].flatMap((port) => [port >> 8, port & 0xff])
  return Uint8Array.of(...[source, destination].flatMap((address) => address.split('.').map(Number)), ...ports)
}
