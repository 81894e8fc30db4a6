import { describe, expect, it } from 'vitest'
import { attachPath } from '../../src/ike/ike-sa-life.ts'
import { MeddledPair } from '../meddler.ts'
import { change, transportOf, up } from '../moving.ts'
import type { Node } from '../network.ts'
import { ipv4Packet, Pair, type PairOptions, TCP, UDP } from '../pair.ts'

const FOREIGN: PairOptions = { gateway: { pathChecks: false } }
const decisions = (pair: Pair): string[] => pair.client.eventsOf('path-judged').map(({ decision }) => decision)

describe('RFC 9329 §5.1, §9 (T-FB-4): UDP that lets IKE through and drops ESP', () => {
  it.each([
    ['both ways', () => true],
    ['from the client', (pair: Pair, from: Node) => from === pair.client],
    ['from the gateway', (pair: Pair, from: Node) => from === pair.gateway],
  ] as const)('(T-MOB-1): %s: the tunnel is on TCP within two seconds, with the same SAs', (_, isLost) => {
    const pair: Pair = new Pair({
      transports: [UDP, TCP],
      link: { loses: ({ from, kind }) => kind === 'esp' && isLost(pair, from) },
    })
    pair.connect()
    pair.run(1_800)
    expect(transportOf(pair)).toBe('tcp')
    expect(decisions(pair)).toEqual(['esp-blocked'])
    expect(pair.client.eventsOf('ike-sa-established')).toHaveLength(1)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 4303 §2.6: where ESP passes the check costs two exchanges of nothing that anybody sees', () => {
    const pair = up()
    pair.run(2_000)
    expect(transportOf(pair)).toBe('udp')
    expect(decisions(pair)).toEqual([])
    expect(pair.transcript().filter((text) => text.includes('N(0xa5c4)'))).toEqual([
      'I → R  HDR, SK {N(0xa5c4)}',
      'R → I  HDR, SK {N(0xa5c4)}',
    ])
    expect([pair.counter(pair.client, 'esp-dummies'), pair.counter(pair.gateway, 'esp-dummies')]).toEqual([2, 2])
    expect([pair.client.received, pair.gateway.received]).toEqual([[], []])
  })

  it('RFC 4303 §2.6: a check whose dummy packets are lost by accident is repeated, and nothing is concluded', () => {
    let lost = 0
    const pair = up({ link: { loses: ({ kind }) => kind === 'esp' && lost++ < 4 } })
    pair.run(5_000)
    expect(transportOf(pair)).toBe('udp')
    expect(decisions(pair)).toEqual([])
  })

  it.each([10, 350])(
    '(T-PERF-1): from TCP it is not moved to, however often it is asked for, and both stay on their connection, %d ms one way',
    (latency) => {
      const pair = up({ link: { isUdpBlocked: true }, clientTimers: { udpProbe: 10_000, maxUdpProbe: 40_000 } })
      Object.assign(pair.link, { latency, isUdpBlocked: false })
      pair.link.loses = ({ kind }) => kind === 'esp'
      for (let i = 0; i < 300; i++) {
        pair.run(200)
        expect(pair.saOf(pair.gateway).path?.transport).toBe('tcp')
      }
      expect(pair.counter(pair.gateway, 'esp-dummies')).toBe(0)
      expect(pair.pipes.filter(({ isOpen }) => isOpen)).toHaveLength(1)
      expect(pair.client.eventsOf('reconnecting')).toEqual([])
      pair.link.latency = 10
      pair.run(2_000)
      expect(pair.passesTraffic()).toBe(true)
      pair.link.loses = () => false
      pair.run(45_000)
      expect(transportOf(pair)).toBe('udp')
      expect(pair.passesTraffic()).toBe(true)
    },
  )

  it.each([
    ['what we send is dropped, and what the gateway sends comes', (pair: Pair) => pair.client],
    ['what the gateway sends is dropped, and what we send gets there', (pair: Pair) => pair.gateway],
  ] as const)('(T-MOB-1): in mid-session, with a packet a second each way: %s: TCP within seven seconds', (_, sender) => {
    for (const offset of [0, 2_300, 4_900]) {
      const pair = up()
      for (let second = 0; second < 7; second++) pair.passesTraffic()
      pair.run(offset)
      pair.link.loses = ({ from, kind }) => kind === 'esp' && from === sender(pair)
      for (let second = 0; second < 7; second++) onePacketEachWay(pair)
      expect(transportOf(pair)).toBe('tcp')
      expect(decisions(pair)).toEqual(['esp-blocked'])
      expect(pair.passesTraffic()).toBe(true)
    }
  })

  it('(T-MOB-1): and where we send nothing and what the gateway sends is dropped, as soon as a silent peer is asked whether it is there', () => {
    const pair = up()
    pair.run(10_000)
    pair.link.loses = ({ from, kind }) => kind === 'esp' && from === pair.gateway
    for (let second = 0; second < 35; second++) {
      pair.send(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 100))
      pair.run(1_000)
    }
    expect(transportOf(pair)).toBe('tcp')
    expect(pair.client.received.length).toBeGreaterThan(0)
  })

  it('(T-MOB-1): a check whose dummy packets are lost, and not what goes beside them, is repeated at once, and leaves nothing', () => {
    const pair = up()
    pair.run(1_000)
    let lostAt = 0
    pair.link.loses = ({ kind, bytes }) => {
      if (kind !== 'esp' || bytes.length > 100 || (pair.now > lostAt + 15 && pair.now < lostAt + 1_000)) return false
      lostAt = pair.now
      return true
    }
    for (let second = 0; second < 30; second++) onePacketEachWay(pair)
    expect(transportOf(pair)).toBe('udp')
    expect(decisions(pair)).toEqual([])
    expect(pair.transcript().filter((text) => text === 'I → R  HDR, SK {N(0xa5c4)}').length).toBeLessThan(20)
  })

  it('(T-MOB-4): where the gateway hears UDP and is not heard it is not moved to, and no packet is lost', () => {
    const pair = up({ link: { isUdpBlocked: true }, clientTimers: { udpProbe: 10_000 } })
    pair.link.isUdpBlocked = false
    pair.link.loses = ({ from }) => from === pair.gateway
    for (let i = 0; i < 100; i++) {
      pair.run(200)
      expect(pair.passesTraffic()).toBe(true)
    }
    expect(transportOf(pair)).toBe('tcp')
  })

  it('RFC 9329 §9: with UDP alone nothing is asked, and the tunnel stays', () => {
    const pair = new Pair({ transports: [UDP], link: { loses: ({ kind }) => kind === 'esp' } })
    pair.connect()
    pair.run(60_000)
    expect(decisions(pair)).toEqual([])
    expect(transportOf(pair)).toBe('udp')
  })

  it('RFC 7296 §3.12: a peer that does not know path checks is asked none', () => {
    const pair = up(FOREIGN)
    pair.run(60_000)
    expect(pair.transcript().filter((text) => text.includes('N(0xa5c4)'))).toEqual([])
  })

  it('RFC 9329 §9 (T-MOB-1): of such a peer it is guessed by what does not come back', () => {
    const pair = up(FOREIGN)
    pair.link.loses = ({ kind }) => kind === 'esp'
    for (let second = 0; second < 25 && pair.saOf(pair.client).transport === 'udp'; second++) {
      pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 100))
      pair.run(1_000)
    }
    expect(transportOf(pair)).toBe('tcp')
    expect(decisions(pair)).toEqual(['esp-silent'])
    // Here something comes: the tunnel stays.
    for (let second = 0; second < 15; second++) pair.passesTraffic()
    pair.run(15_000)
    expect(decisions(pair)).toEqual(['esp-silent', 'stay-on-stream'])
  })

  it('RFC 9329 §9 (T-MOB-1): of such a peer it is guessed, too, where ESP has come by the path before', () => {
    const pair = up(FOREIGN)
    for (let second = 0; second < 7; second++) onePacketEachWay(pair)
    pair.link.loses = ({ from, kind }) => kind === 'esp' && from === pair.gateway
    for (let second = 0; second < 25 && pair.saOf(pair.client).transport === 'udp'; second++) onePacketEachWay(pair)
    expect(transportOf(pair)).toBe('tcp')
    for (let second = 0; second < 15; second++) onePacketEachWay(pair)
    expect(decisions(pair)).toEqual(['esp-silent', 'stay-on-stream'])
  })

  it('RFC 9329 §9 (T-PERF-1): and where nothing comes back over TCP, either, it was not UDP: back, and not guessed again soon', () => {
    const pair = up(FOREIGN)
    for (let second = 0; second < 300; second++) {
      pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 100))
      pair.run(1_000)
    }
    expect(transportOf(pair)).toBe('udp')
    expect(decisions(pair)).toEqual(['esp-silent', 'return-to-udp'])
  })
})

describe('RFC 9329 §6.1, §7.1: the two ends send by different ways', () => {
  it('(T-MOB-5): the request came by TCP first, and its answer only by UDP: a fresh UPDATE_SA_ADDRESSES tells the gateway', () => {
    const pair = new MeddledPair({ transports: [UDP, TCP], client: { pathChecks: false } })
    pair.connect()
    const start = pair.now
    pair.link.loses = ({ from }) => from === pair.client && pair.now < start + 1_000
    pair.meddle = ({ to }) => (to === pair.client && pair.now < start + 1_000 ? [] : undefined)
    change(pair)
    expect(pair.pipes).toHaveLength(1)
    expect(transportOf(pair)).toBe('udp')
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 4555 §3.5: where a path check says that the gateway sends by another, it is told', () => {
    const pair = up({ link: { isUdpBlocked: true } })
    const sa = pair.saOf(pair.gateway)
    const before = sa.path!
    pair.link.isUdpBlocked = false
    change(pair)
    // As where a message that TCP held up comes after the move.
    attachPath(pair.gateway.core, sa, before)
    for (let second = 0; second < 12; second++) {
      pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 100))
      pair.run(1_000)
    }
    expect(transportOf(pair)).toBe('udp')
    expect(pair.passesTraffic()).toBe(true)
  })
})

describe('RFC 9329 §9 (T-PERF-1, T-PERF-2): UDP that loses much is compared with a stream', () => {
  it('RFC 9329 §9: throttled by a policer: TCP carries more, and the tunnel stays there', () => {
    const pair = up({ clientTimers: { blocked: 120_000, udpProbe: 20_000 } })
    const passes = policer(pair, 20)
    pair.link.loses = ({ kind }) => kind === 'esp' && !passes()
    load(pair, 18, 100)
    expect(decisions(pair)).toEqual(['try-stream'])
    expect(pair.client.eventsOf('path-judged')[0]).toMatchObject({
      transport: 'udp:500',
      lossOut: expect.toSatisfy((loss: number) => loss > 0.5 && loss < 1),
      octetsPerSecond: expect.any(Number),
      roundTripMilliseconds: expect.any(Number),
    })
    load(pair, 15, 100)
    expect(decisions(pair)).toEqual(['try-stream', 'stay-on-stream'])
    const { octetsPerSecond = 0, octetsPerSecondBefore = 0 } = pair.client.eventsOf('path-judged')[1]!
    expect(octetsPerSecond).toBeGreaterThan(1.25 * octetsPerSecondBefore)
    // UDP is not asked for as soon as it would be otherwise.
    load(pair, 90, 10)
    expect(transportOf(pair)).toBe('tcp')
    pair.link.loses = () => false
    load(pair, 60, 10)
    expect(transportOf(pair)).toBe('udp')
  })

  it('RFC 9329 §9: the same loss by both: back to UDP, and not compared again for `timers.blocked`, then for twice as long', () => {
    const pair = up({ clientTimers: { blocked: 60_000 } })
    let packets = 0
    pair.link.loses = ({ kind }) => kind === 'esp' && packets++ % 20 === 0
    // Who sends less where more is lost sends no more over TCP here: the flows' own rate is the limit.
    load(pair, 60, 60)
    expect(decisions(pair)).toEqual(['try-stream', 'return-to-udp'])
    expect(transportOf(pair)).toBe('udp')
    load(pair, 40, 60)
    expect(decisions(pair)).toEqual(['try-stream', 'return-to-udp', 'try-stream', 'return-to-udp'])
    load(pair, 80, 60)
    expect(decisions(pair)).toHaveLength(4)
    // Another network is another matter.
    change(pair)
    load(pair, 30, 60)
    expect(decisions(pair)).toHaveLength(6)
  })

  it('RFC 9329 §9: what was measured is in the status', () => {
    const pair = up()
    load(pair, 12, 60)
    expect(pair.client.core.inspect(pair.now).peers[0]!.quality).toEqual({
      lossIn: 0,
      lossOut: 0,
      roundTripMilliseconds: 20,
      octetsPerSecond: expect.toSatisfy((rate: number) => rate > 10_000 && rate < 13_000),
    })
  })

  it('RFC 9329 §9: an idle tunnel is asked nothing', () => {
    const pair = up({ clientTimers: { liveness: 1_000_000 }, gatewayTimers: { liveness: 1_000_000 } })
    pair.run(2_000)
    const from = pair.log.length
    pair.run(600_000)
    expect(pair.log.slice(from)).toEqual([])
  })
})

function onePacketEachWay(pair: Pair): void {
  pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 100))
  pair.send(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 100))
  pair.run(1_000)
}

/** So many packets a second each way for so many seconds. */
function load(pair: Pair, seconds: number, packets: number): void {
  for (let tenth = 0; tenth < 10 * seconds; tenth++) {
    for (let i = 0; i < packets / 10; i++) {
      pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 100))
      pair.send(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 100))
    }
    pair.run(100)
  }
}

/** A token bucket: packets a second. */
function policer(pair: Pair, rate: number): () => boolean {
  let tokens = rate
  let at = pair.now
  return () => {
    tokens = Math.min(rate, tokens + ((pair.now - at) * rate) / 1000)
    at = pair.now
    if (tokens < 1) return false
    tokens--
    return true
  }
}
