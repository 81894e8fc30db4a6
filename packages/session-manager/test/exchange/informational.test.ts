import { ExchangeType, NotifyType, notify, type Payload, ProtocolId } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import type { TransportOption } from '../../src/index.ts'
import { u32 } from '../../src/octets.ts'
import { isResponse, MeddledPair } from '../meddler.ts'
import { Pair, TCP, UDP } from '../pair.ts'

const EMPTY_INFORMATIONAL = 'HDR, SK {}'

describe.each<[string, TransportOption]>([
  ['TCP', TCP],
  ['UDP', UDP],
])('RFC 7296 §1.4.1 Delete over %s', (_, transport) => {
  const up = (): MeddledPair => {
    const pair = new MeddledPair({ transports: [transport], clientTimers: { retry: 60_000 } })
    pair.connect()
    return pair
  }

  it.each(['client', 'gateway'] as const)('RFC 7296 §1.4.1: the %s deletes the IKE SA; the answer is empty and nothing is left', (who) => {
    const pair = up()
    const before = pair.log.length
    pair.command(pair[who], { kind: 'terminate' })
    pair.settle()
    expect(pair.log.slice(before).map((entry) => entry.text)).toEqual(['HDR, SK {D}', EMPTY_INFORMATIONAL])
    for (const node of [pair.client, pair.gateway]) {
      expect(node.core.ikeSas.size).toBe(0)
      expect(node.core.sad.size).toBe(0)
      expect(node.eventsOf('ike-sa-closed')).toMatchObject([{ byPeer: node !== pair[who] }])
    }
  })

  it.each(['client', 'gateway'] as const)('RFC 7296 §1.4.1: the %s deletes the Child SA; the answer names the other direction', (who) => {
    const pair = up()
    const child = [...pair.gateway.core.sad.values()][0]!
    const before = pair.log.length
    pair.command(pair[who], { kind: 'delete-child', peer: who === 'client' ? 'gateway' : 'road' })
    pair.run(15)
    const other = pair.other(pair[who])
    expect(pair.lastInner(other)).toEqual([
      { type: 'D', protocol: ProtocolId.ESP, spis: [u32(who === 'client' ? child.inboundSpi : child.outboundSpi)] },
    ])
    expect(pair.log.slice(before, before + 2).map((entry) => entry.text)).toEqual(['HDR, SK {D}', 'HDR, SK {D}'])
    pair.settle()
    expect(pair.client.core.sad.size + pair.gateway.core.sad.size).toBe(0)
  })

  it('RFC 7296 §1.4.1: where both delete the Child SA at once, neither answer names it again', () => {
    const pair = up()
    const before = pair.log.length
    pair.command(pair.client, { kind: 'delete-child', peer: 'gateway' })
    pair.command(pair.gateway, { kind: 'delete-child', peer: 'road' })
    pair.run(30)
    expect(pair.log.slice(before, before + 4).map((entry) => entry.text)).toEqual([
      'HDR, SK {D}',
      'HDR, SK {D}',
      EMPTY_INFORMATIONAL,
      EMPTY_INFORMATIONAL,
    ])
    pair.settle()
    expect(pair.client.core.sad.size + pair.gateway.core.sad.size).toBe(0)
  })

  it('RFC 7296 §2.25.2: where both delete the IKE SA at once, both answer and both are rid of it', () => {
    const pair = up()
    const before = pair.log.length
    pair.command(pair.client, { kind: 'terminate' })
    pair.command(pair.gateway, { kind: 'terminate' })
    pair.settle()
    expect(
      pair.log
        .slice(before)
        .map((entry) => entry.text)
        .slice(0, 4),
    ).toEqual(['HDR, SK {D}', 'HDR, SK {D}', EMPTY_INFORMATIONAL, EMPTY_INFORMATIONAL])
    expect(pair.client.core.ikeSas.size + pair.gateway.core.ikeSas.size).toBe(0)
  })

  it('RFC 7296 §2.25.1: a Delete of a Child SA that does not exist is answered without a Delete', () => {
    const pair = up()
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [{ type: 'D', protocol: ProtocolId.ESP, spis: [u32(0xdeadbeef)] }])
    expect(pair.lastInner(pair.gateway)).toEqual([])
    expect(pair.isUp).toBe(true)
  })

  it('RFC 7296 §1.4.1: a Delete for another protocol deletes nothing', () => {
    const pair = up()
    const spi = u32([...pair.client.core.sad.keys()][0]!)
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [{ type: 'D', protocol: ProtocolId.AH, spis: [spi] }])
    expect(pair.lastInner(pair.gateway)).toEqual([])
    expect(pair.isUp).toBe(true)
  })

  it('RFC 7296 §1.4: an empty INFORMATIONAL is answered empty, by either end', () => {
    const pair = up()
    for (const [from, to] of [
      [pair.client, pair.gateway],
      [pair.gateway, pair.client],
    ] as const) {
      pair.command(from, { kind: 'check-liveness' })
      pair.settle()
      expect(pair.log.at(-1)).toMatchObject({ from: to, text: EMPTY_INFORMATIONAL })
      expect(from.eventsOf('liveness')).toMatchObject([{ result: 'alive' }])
    }
  })

  it('RFC 7296 §2.4: silence makes either end ask by itself, and traffic spares the question', () => {
    const pair = up()
    const before = pair.log.length
    pair.run(32_000)
    expect(pair.log.length).toBeGreaterThan(before)
    for (const node of [pair.client, pair.gateway]) expect(node.eventsOf('liveness').every((event) => event.result === 'alive')).toBe(true)
    const quiet = pair.log.length
    for (let second = 0; second < 60; second++) {
      expect(pair.passesTraffic()).toBe(true)
      pair.run(800)
    }
    expect(pair.log.length).toBe(quiet)
  })

  it('RFC 7296 §2.3 (C-6): requests of both ends cross and both are answered', () => {
    const pair = up()
    const before = pair.log.length
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.command(pair.gateway, { kind: 'check-liveness' })
    pair.settle()
    expect(pair.log).toHaveLength(before + 4)
    for (const node of [pair.client, pair.gateway]) expect(node.eventsOf('liveness')).toMatchObject([{ result: 'alive' }])
  })

  it('RFC 7296 §2.3 (C-6): a second request waits until the first is answered', () => {
    const pair = up()
    const before = pair.log.length
    for (let count = 0; count < 3; count++) pair.command(pair.client, { kind: 'check-liveness' })
    expect(pair.log).toHaveLength(before + 1)
    pair.settle()
    expect(pair.client.eventsOf('liveness')).toHaveLength(3)
    const requests = pair.log.slice(before).filter((entry) => entry.from === pair.client)
    const ids = requests.map((entry) => new DataView(entry.octets.buffer, entry.octets.byteOffset).getUint32(20))
    expect(ids).toEqual([ids[0]!, ids[0]! + 1, ids[0]! + 2])
  })

  it('RFC 7296 §1.4: a notify of an unknown kind in a request is answered and ignored', () => {
    const pair = up()
    const payloads: Payload[] = [notify(60_000, new Uint8Array(5)), notify(9_999), { type: 'V', data: new Uint8Array(4) }]
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, payloads)
    expect(pair.lastInner(pair.gateway)).toEqual([])
    expect(pair.isUp).toBe(true)
  })

  it('RFC 7296 §2.21.3: INVALID_SYNTAX in a response ends the SA without a Delete', () => {
    const pair = up()
    pair.meddle = (message) =>
      message.to === pair.client && isResponse(message.header)
        ? [pair.resealed(message, () => [notify(NotifyType.INVALID_SYNTAX)])]
        : undefined
    const before = pair.log.length
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.run(100)
    expect(pair.client.core.ikeSas.size).toBe(0)
    expect(pair.log).toHaveLength(before + 2)
  })

  it('RFC 7296 §2.5 (C-10): a response with an unknown critical payload is rejected whole, and the SA is deleted', () => {
    const pair = up()
    let meddled = 0
    pair.meddle = (message) =>
      message.to === pair.client && isResponse(message.header) && meddled++ === 0
        ? [pair.resealed(message, () => [{ type: 'unknown', payloadType: 200, critical: true, body: new Uint8Array(4) }])]
        : undefined
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.settle()
    expect(pair.client.eventsOf('liveness')).toHaveLength(0)
    expect(pair.client.core.ikeSas.size + pair.gateway.core.ikeSas.size).toBe(0)
  })
})

describe('RFC 7296 §2.4 a peer that is dead', () => {
  it('RFC 7296 §2.4 (C-4): over UDP the waits double, then the SA is gone and the event says so', () => {
    const pair = new Pair({ transports: [UDP], gatewayTimers: { liveness: 600_000 }, clientTimers: { retry: 60_000 } })
    pair.connect()
    pair.link.isUdpBlocked = true
    const before = pair.log.length
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.run(120_000, () => pair.client.core.ikeSas.size === 0)
    const sent = pair.log.slice(before)
    const waits = sent.slice(1).map((entry, index) => entry.at - sent[index]!.at)
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000])
    expect(new Set(sent.map((entry) => entry.octets.join())).size).toBe(1)
    expect(pair.client.eventsOf('liveness')).toMatchObject([{ result: 'dead' }])
    expect(pair.client.core.sad.size).toBe(0)
  })

  it('RFC 9329 §6.2: over TCP it is asked once on a connection, after `timers.response` on another, and `timers.resume` later the SA is gone', () => {
    const pair = new Pair({ gatewayTimers: { liveness: 600_000 }, clientTimers: { retry: 60_000 } })
    pair.connect()
    pair.gateway.isFrozen = true
    const before = pair.log.length
    const start = pair.now
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.run(120_000, () => pair.client.core.ikeSas.size === 0)
    expect(pair.log.slice(before)).toHaveLength(2)
    expect(pair.now - start).toBeGreaterThan(33_000)
    expect(pair.now - start).toBeLessThan(33_500)
    expect(pair.client.eventsOf('liveness')).toMatchObject([{ result: 'dead' }])
  })

  it('RFC 7296 §2.4: the gateway notices a dead client too, and its address is free again', () => {
    const pair = new Pair({ transports: [UDP] })
    pair.connect()
    pair.client.isFrozen = true
    pair.run(200_000, () => pair.gateway.core.ikeSas.size === 0)
    expect(pair.gateway.eventsOf('liveness')).toMatchObject([{ result: 'dead' }])
    expect(pair.gateway.core.pools.get('road')!.leased).toBe(0)
  })

  it('RFC 7296 §2.1 (C-2): a request lost on the way is repeated and answered, and the SA lives', () => {
    const pair = new Pair({ transports: [UDP] })
    pair.connect()
    let lost = 0
    pair.link.loses = () => lost++ < 3
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.run(10_000)
    expect(pair.client.eventsOf('liveness')).toMatchObject([{ result: 'alive' }])
  })

  it('RFC 7296 §2.21: a refused handshake is not tried again at once, and ever more slowly', () => {
    const pair = new Pair({ gateway: { pool: { ranges: ['10.9.0.9'], dns: [], subnets: [] } }, client: { requestAddresses: ['ipv6'] } })
    pair.initiate()
    pair.run(60_000)
    const tries = pair.log.filter((entry) => entry.text.includes('SAi1')).map((entry) => entry.at)
    const waits = tries.slice(1).map((at, index) => at - tries[index]!)
    expect(waits[0]!).toBeGreaterThan(700)
    for (let index = 1; index < waits.length; index++) expect(waits[index]!).toBeGreaterThan(waits[index - 1]!)
    expect(tries.length).toBeLessThan(8)
  })
})
