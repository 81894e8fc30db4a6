import { ExchangeType, encodeMessage, HeaderFlag, NotifyType, notify } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { ikeFrame } from '../frames.ts'
import { MeddledPair } from '../meddler.ts'
import type { Node } from '../network.ts'
import { gatewayPeer, ipv4Packet, Pair, sessionConfig, UDP } from '../pair.ts'

/** Not the first that a gateway without memory gives. */
const HELD = '10.8.0.15'

describe('RFC 7296 §2.21.4, RFC 9329 §6.1 a gateway that has lost its memory', () => {
  it.each(['idle', 'busy'] as const)('an %s client is back with new SAs within `timers.reconnect` and a little', (traffic) => {
    const pair = new Pair({
      clientTimers: { reconnect: 30_000, response: 30_000 },
      gateway: { pool: { ranges: [`${HELD}-10.8.0.20`], dns: [], subnets: [] } },
    })
    pair.connect()
    const old = [...pair.client.core.ikeSas.keys()]
    const fresh = restarted(pair)
    pair.cut(pair.pipe, 'reset', pair.client)
    for (let tenth = 0; tenth < 500 && fresh.core.sad.size === 0; tenth++) {
      if (traffic === 'busy') for (let count = 0; count < 5; count++) pair.send(pair.client, ipv4Packet('10.8.0.10', '10.2.0.1', 80))
      pair.run(100)
    }
    pair.settle()
    expect(fresh.core.sad.size).toBe(1)
    expect([...pair.client.core.ikeSas.keys()]).not.toEqual(old)
    // RFC 7296 §3.15.1: the inner address is the same, so that connections inside go on.
    expect(pair.client.eventsOf('addresses-assigned').map(({ addresses }) => addresses[0]!.address)).toEqual([HELD, HELD])
    pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 99))
    pair.settle()
    expect(fresh.received.at(-1)).toHaveLength(99)
  })

  it('an INVALID_IKE_SPI that nothing protects is no corruption: no SA, no connection and no path is lost for it', () => {
    const pair = new Pair()
    pair.connect()
    pair.gateway.isFrozen = true
    pair.command(pair.client, { kind: 'check-liveness' })
    const sa = pair.saOf(pair.client)
    const forged = encodeMessage({
      header: {
        initiatorSpi: sa.initiatorSpi,
        responderSpi: sa.responderSpi,
        exchangeType: ExchangeType.INFORMATIONAL,
        flags: HeaderFlag.RESPONSE,
        messageId: sa.window.outstanding!.messageId,
      },
      payloads: [notify(NotifyType.INVALID_IKE_SPI)],
    })
    pair.inject(pair.pipe, pair.client, ikeFrame(forged))
    expect(pair.client.core.connections.size).toBe(1)
    expect(sa.window.outstanding).toBeDefined()
    expect(pair.counter(pair.client, 'ike-unprotected')).toBe(1)
    expect(pair.client.eventsOf('limit-reached')).toEqual([])
  })
})

describe('RFC 7296 §2.4, §2.21.4 (C-8) INVALID_IKE_SPI that nothing protects, over UDP', () => {
  it('comes from a gateway that has lost its memory: the client is back within seconds of it', () => {
    const pair = new Pair({ transports: [UDP], clientTimers: { liveness: 30_000, resume: 5_000, retry: 1_000 } })
    pair.connect()
    const fresh = restarted(pair)
    pair.run(29_000)
    expect(fresh.core.sad.size).toBe(0)
    pair.run(10_000)
    expect(fresh.core.sad.size).toBe(1)
    expect(pair.client.eventsOf('liveness')).toMatchObject([{ result: 'dead' }])
    pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 99))
    pair.settle()
    expect(fresh.received.at(-1)).toHaveLength(99)
  })

  it('makes either end ask at once whether the other is alive, at most once per `timers.resume`, and changes nothing', () => {
    for (const who of ['client', 'gateway'] as const) {
      const pair = upOverUdp()
      const from = pair.log.length
      for (let tenth = 0; tenth < 49; tenth++) {
        pair.deliverIke(pair[who], forged(pair, pair[who], tenth % 2 === 0))
        pair.run(100)
      }
      expect(pair.log.slice(from).map((entry) => entry.text)).toEqual(['HDR, SK {}', 'HDR, SK {}'])
      expect(pair.log[from]!.from).toBe(pair[who])
      pair.run(200)
      pair.deliverIke(pair[who], forged(pair, pair[who]))
      expect(pair.log.slice(from)).toHaveLength(3)
      pair.run(20_000)
      expect(pair[who].eventsOf('liveness')).toMatchObject([{ result: 'alive' }, { result: 'alive' }])
      expect(pair.passesTraffic()).toBe(true)
    }
  })

  it('is no evidence: the SA outlives it where the answer to the first transmissions is lost', () => {
    const pair = upOverUdp()
    pair.link.isUdpBlocked = true
    pair.deliverIke(pair.client, forged(pair, pair.client))
    pair.run(3_000)
    pair.link.isUdpBlocked = false
    pair.run(60_000)
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('is no evidence: nor is anything concluded while valid ESP comes', () => {
    const pair = upOverUdp()
    pair.link.loses = ({ kind }) => kind === 'ike'
    pair.deliverIke(pair.client, forged(pair, pair.client))
    for (let second = 0; second < 10; second++) {
      pair.run(1_000)
      pair.send(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 99))
    }
    pair.link.loses = () => false
    pair.run(30_000)
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
    expect(pair.client.eventsOf('liveness').every(({ result }) => result === 'alive')).toBe(true)
  })

  it('makes a request whose waits have grown go out afresh, before anything is concluded', () => {
    const pair = upOverUdp()
    pair.link.isUdpBlocked = true
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.run(9_000)
    const from = pair.log.length
    pair.deliverIke(pair.client, forged(pair, pair.client))
    pair.run(4_900)
    expect(pair.log.slice(from)).toHaveLength(4)
    expect(pair.client.core.ikeSas.size).toBe(1)
    pair.run(200)
    expect(pair.client.core.ikeSas.size).toBe(0)
  })
})

/** Another core in the gateway's place, which knows nothing. */
function restarted(pair: Pair): Node {
  pair.nodes.splice(pair.nodes.indexOf(pair.gateway), 1)
  return pair.add('gateway-2', pair.gateway.address, sessionConfig([gatewayPeer()], true))
}

/** No liveness checks but those that are provoked. */
function upOverUdp(): MeddledPair {
  const quiet = { liveness: 600_000, resume: 5_000, retry: 60_000 }
  const pair = new MeddledPair({ transports: [UDP], clientTimers: quiet, gatewayTimers: quiet })
  pair.connect()
  return pair
}

function forged(pair: MeddledPair, to: Node, isAnswer = true): Uint8Array {
  const { initiatorSpi, responderSpi, role } = pair.saOf(to)
  const flags = (role === 'responder' ? HeaderFlag.INITIATOR : 0) | (isAnswer ? HeaderFlag.RESPONSE : 0)
  const header = { initiatorSpi, responderSpi, exchangeType: ExchangeType.INFORMATIONAL, flags, messageId: 77 }
  return encodeMessage({ header, payloads: [notify(NotifyType.INVALID_IKE_SPI)] })
}
