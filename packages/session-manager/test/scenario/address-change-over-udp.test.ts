import { ExchangeType, NotifyType, notify } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { espPacket } from '../frames.ts'
import { isIkeAuth, MeddledPair } from '../meddler.ts'
import { ipv4Packet, UDP } from '../pair.ts'

const ELSEWHERE = { address: '203.0.113.5', port: 6000 }

describe('RFC 4555 §3.8 an address that changes over UDP, where both ends speak MOBIKE', () => {
  it('an INFORMATIONAL without UPDATE_SA_ADDRESSES is answered where it came from and moves nothing', () => {
    const pair = up()
    const from = pair.log.length
    say(pair, [])
    expect(pair.gateway.eventsOf('path-moved')).toEqual([])
    expect(pair.log.slice(from)).toMatchObject([{ from: pair.gateway }])
    expect(lastDestination(pair)).toEqual(ELSEWHERE)
    pair.command(pair.gateway, { kind: 'check-liveness' })
    expect(lastDestination(pair)).toMatchObject({ address: pair.client.address })
  })

  it('one with it moves the SA, and ESP follows', () => {
    const pair = up()
    say(pair, [notify(NotifyType.UPDATE_SA_ADDRESSES)])
    expect(pair.gateway.eventsOf('path-moved')).toMatchObject([{ to: { remote: ELSEWHERE } }])
    expect(lastDestination(pair)).toEqual(ELSEWHERE)
  })

  it('an answer of the peer moves nothing', () => {
    const pair = up()
    pair.client.isFrozen = true
    pair.command(pair.gateway, { kind: 'check-liveness' })
    const { messageId } = pair.saOf(pair.gateway).window.outstanding!
    const answer = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [notify(NotifyType.UPDATE_SA_ADDRESSES)], {
      messageId,
      isResponse: true,
    })
    pair.deliverIke(pair.gateway, answer, { transport: 'udp', remote: ELSEWHERE })
    expect(pair.saOf(pair.gateway).window.outstanding).toBeUndefined()
    expect(pair.gateway.eventsOf('path-moved')).toEqual([])
  })

  it('valid ESP moves the SA, as RFC 7296 §2.23 has it', () => {
    const pair = up()
    pair.deliver(pair.gateway, {
      kind: 'datagram',
      local: { address: pair.gateway.address, port: 4500 },
      remote: ELSEWHERE,
      message: 'esp',
      bytes: espPacket(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 80)),
    })
    expect(pair.gateway.eventsOf('path-moved')).toMatchObject([{ to: { remote: ELSEWHERE } }])
  })
})

describe('RFC 4555 §3.8 a NAT that forgets its mapping', () => {
  it('an idle client behind it says UPDATE_SA_ADDRESSES for its liveness check, and the gateway follows', () => {
    const pair = new MeddledPair({ transports: [UDP] })
    pair.client.natAddress = '203.0.113.10'
    pair.connect()
    const from = pair.log.length
    pair.client.natAddress = '203.0.113.20'
    pair.run(120_000)
    expect(pair.log.slice(from).some((entry) => entry.text.includes('N(UPDATE_SA_ADDRESSES)'))).toBe(true)
    expect(pair.gateway.eventsOf('path-moved')).toMatchObject([{ to: { remote: { address: '203.0.113.20' } } }])
    for (const node of [pair.client, pair.gateway]) expect(node.eventsOf('ike-sa-closed')).toEqual([])
    pair.send(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 100))
    pair.settle()
    expect(pair.client.received).toHaveLength(1)
  })

  it('without a NAT an empty INFORMATIONAL does', () => {
    const pair = up()
    const from = pair.log.length
    pair.run(120_000)
    expect(pair.log.slice(from).every((entry) => entry.text === 'HDR, SK {}')).toBe(true)
    expect(pair.log.length).toBeGreaterThan(from)
  })
})

describe('RFC 7296 §2.1 a request that overtakes the IKE_AUTH response', () => {
  it('is left for its retransmission, and the handshake comes to its end', () => {
    const pair = new MeddledPair({ transports: [UDP], clientTimers: { udpFallback: 20_000 } })
    let isEarly = true
    pair.meddle = (message) => {
      if (!isEarly || !isIkeAuth(message, 'response')) return undefined
      // The answer is lost, and the gateway, which is up by now, has something to ask.
      isEarly = false
      return [pair.forge(pair.gateway, ExchangeType.INFORMATIONAL, [], { messageId: 0 })]
    }
    pair.connect()
    expect(isEarly).toBe(false)
    expect(pair.log.filter((entry) => entry.text.startsWith('HDR, SAi1'))).toHaveLength(1)
    expect(pair.counter(pair.client, 'ike-syntax-errors')).toBe(0)
    expect(pair.passesTraffic()).toBe(true)
    pair.command(pair.gateway, { kind: 'check-liveness' })
    pair.settle()
    expect(pair.gateway.eventsOf('liveness')).toMatchObject([{ result: 'alive' }])
  })
})

function up(): MeddledPair {
  const pair = new MeddledPair({ transports: [UDP] })
  pair.connect()
  return pair
}

/** The client says something from its new address. */
function say(pair: MeddledPair, payloads: Parameters<MeddledPair['forge']>[2]): void {
  pair.deliverIke(pair.gateway, pair.forge(pair.client, ExchangeType.INFORMATIONAL, payloads), { transport: 'udp', remote: ELSEWHERE })
}

function lastDestination(pair: MeddledPair): unknown {
  const output = pair.gateway.outputs.findLast((candidate) => candidate.includes('send-datagram'))!
  return (JSON.parse(output) as { remote: unknown }).remote
}
