import { ConfigurationAttributeType, decodeMessage } from '@underpass/ike-codec'
import { STREAM_PREFIX } from '@underpass/tcp-framing'
import { describe, expect, it } from 'vitest'
import { openMessage } from '../../src/ike/protection.ts'
import type { TransportOption } from '../../src/index.ts'
import type { Pipe } from '../network.ts'
import { ipv4Packet, Pair, type PairOptions, TCP, UDP } from '../pair.ts'

/** As a client's `tls:443` with this framing is told to the core. */
const FTT: TransportOption = { transport: 'tcp', port: 443, framing: '3gpp-ftt', carrier: 'tls:443' }
const KEEPALIVE = [0x00, 0x03, 0xff]
const QUIET = { liveness: 1_000_000 }

describe('TS 24.302 F.2.1: the firewall traversal tunnel', () => {
  it('F.2.2.3, F.2.2.4, F.3.2 (F-4): no prefix; IKEv2 and ESP in envelopes of Length and, for IKEv2, the Non-ESP marker', () => {
    const pair = up()
    pair.passesTraffic()
    for (const [octets, first] of [
      [pair.pipe.fromOriginator, pair.log.find(({ from }) => from === pair.client)!],
      [pair.pipe.fromResponder, pair.log.find(({ from }) => from === pair.gateway)!],
    ] as const) {
      const envelopes = envelopesIn(octets)
      expect(envelopes[0]).toEqual([...length(first.octets.length + 6), 0, 0, 0, 0, ...first.octets])
      const esp = envelopes.filter((envelope) => envelope.slice(2, 6).some((octet) => octet !== 0))
      expect(esp).toHaveLength(1)
      expect(octets.slice(0, 6)).not.toEqual([...STREAM_PREFIX])
    }
  })

  it('F.2.3 (F-7): the client asks for FTT_KAT with an empty attribute, the gateway answers once, with two octets of seconds', () => {
    const pair = up({ gatewayTimers: { fttKeepalive: 300_000, ...QUIET } })
    const [request, reply] = configurations(pair)
    expect(valuesOf(request!, ConfigurationAttributeType.FTT_KAT)).toEqual([[]])
    expect(valuesOf(reply!, ConfigurationAttributeType.FTT_KAT)).toEqual([[0x01, 0x2c]])
  })

  it('F.2.3 (F-7): asked for by whoever may come to a tunnel, also where the session begins on UDP, and by nobody else', () => {
    const asksFor = (transports: readonly TransportOption[]): boolean =>
      valuesOf(configurations(up({ transports }))[0]!, ConfigurationAttributeType.FTT_KAT).length > 0
    expect(asksFor([UDP, FTT])).toBe(true)
    expect(asksFor([UDP, TCP])).toBe(false)
  })

  it('F.2.1 (F-5): a client that has sent nothing for FTT KAT seconds sends a keep-alive, and again; the gateway never does', () => {
    const pair = up({ gatewayTimers: { fttKeepalive: 7_000, ...QUIET } })
    const since = pair.log.at(-1)!.at
    const sent = sentAt(pair, pair.pipe, 30_000)
    expect(sent.map(({ octets }) => octets)).toEqual([KEEPALIVE, KEEPALIVE, KEEPALIVE, KEEPALIVE])
    expect(sent.map(({ at }, i) => at - (sent[i - 1]?.at ?? since))).toEqual([expect.closeTo(7_000, -2), 7_000, 7_000, 7_000])
    expect(pair.counter(pair.client, 'ftt-keepalives-out')).toBe(4)
    expect(pair.counter(pair.gateway, 'ftt-keepalives-out')).toBe(0)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('F.2.1 (F-5): IKEv2 and ESP that the client sends put it off; what only comes in does not', () => {
    const pair = up({ gatewayTimers: { fttKeepalive: 7_000, ...QUIET } })
    for (let i = 0; i < 5; i++) {
      pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 60))
      pair.run(6_000)
    }
    expect(pair.counter(pair.client, 'ftt-keepalives-out')).toBe(0)
    for (let i = 0; i < 5; i++) {
      pair.command(pair.client, { kind: 'check-liveness' })
      pair.run(6_000)
    }
    expect(pair.counter(pair.client, 'ftt-keepalives-out')).toBe(0)
    for (let i = 0; i < 5; i++) {
      pair.send(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 60))
      pair.run(6_000)
    }
    // The last of its own went 6 s before these began: 1 s into them, and every 7 s from then on.
    expect(pair.counter(pair.client, 'ftt-keepalives-out')).toBe(5)
  })

  it('F.2.1 (F-5): a gateway that names no FTT KAT has it kept open every timers.ftt_keepalive', () => {
    const pair = up({ clientTimers: { fttKeepalive: 3_000, ...QUIET }, ...WITHOUT_CONFIGURATION })
    expect(pair.saOf(pair.client).fttKat).toBeUndefined()
    expect(sentAt(pair, pair.pipe, 10_000)).toHaveLength(3)
  })

  it('F.2.1 (F-5): a socket that is full has something to send, and gets no keep-alive', () => {
    const pair = up({ gatewayTimers: { fttKeepalive: 7_000, ...QUIET } })
    const flow = (state: 'blocked' | 'drained'): void => {
      pair.input(pair.client, { kind: 'connection-flow', connection: pair.pipe.originatorId, state })
    }
    flow('blocked')
    expect(sentAt(pair, pair.pipe, 30_000)).toEqual([])
    flow('drained')
    expect(sentAt(pair, pair.pipe, 7_000).map(({ octets }) => octets)).toEqual([KEEPALIVE])
  })

  it('F.2.1 (F-5), RFC 9329 §6.1: after a redial by the new connection', () => {
    const pair = up({ gatewayTimers: { fttKeepalive: 7_000, ...QUIET } })
    pair.cut(pair.pipe)
    pair.run(2_000)
    expect(pair.pipes).toHaveLength(2)
    expect(sentAt(pair, pair.pipe, 14_500).map(({ octets }) => octets)).toEqual([KEEPALIVE, KEEPALIVE])
  })

  it('F.3.2.4 (F-5): the octets of the envelope are a setting, and the gateway drops each of Length 2 to 6 without a word', () => {
    for (const envelope of [
      [0, 2],
      [0, 4, 1, 2],
      [0, 6, 1, 2, 3, 4],
      [0, 6, 0, 0, 0, 0],
    ]) {
      const pair = up({ client: { fttKeepalive: Uint8Array.from(envelope) }, gatewayTimers: { fttKeepalive: 7_000, ...QUIET } })
      const before = { events: pair.gateway.events.length, counters: { ...pair.gateway.core.counters } }
      expect(sentAt(pair, pair.pipe, 8_000).map(({ octets }) => octets)).toEqual([envelope])
      expect(pair.gateway.events).toHaveLength(before.events)
      expect(pair.gateway.core.counters).toEqual(before.counters)
      expect(pair.passesTraffic()).toBe(true)
    }
    for (const envelope of [[0], [0, 3], [0, 7, 1, 2, 3, 4, 5], [1, 2]])
      expect(() => new Pair({ client: { fttKeepalive: Uint8Array.from(envelope) } })).toThrow(/fttKeepalive is no envelope/)
  })

  it('F.2.1 (F-6): when the last IKE SA is deleted the client releases the tunnel', () => {
    const pair = up()
    pair.command(pair.client, { kind: 'terminate' })
    pair.settle()
    expect(pair.pipe.isOpen).toBe(false)
    expect(pair.client.outputs.filter((output) => output.includes('"close-connection"'))).toEqual([expect.stringContaining('"how":"end"')])
    expect(sentAt(pair, pair.pipe, 60_000)).toEqual([])
  })

  it('F.2.1 (F-6): the network can, too: a gateway closes one that no IKE SA is left on', () => {
    const pair = up()
    pair.client.isFrozen = true
    pair.command(pair.gateway, { kind: 'terminate' })
    // The Delete has waited for its answer, the connection for an IKE SA.
    pair.run(7_100)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
    expect(pair.gateway.eventsOf('connection-closed')).toMatchObject([{ role: 'responder', reason: 'no IKE SA uses it' }])
  })

  it('8.2.4 (F-8): the client asks for TIMEOUT_PERIOD_FOR_LIVENESS_CHECK, and lives by the value of the answer', () => {
    const pair = up({ clientTimers: { liveness: 11_000 }, gatewayTimers: { liveness: 90_000, fttKeepalive: 20_000 } })
    const [request, reply] = configurations(pair)
    const { TIMEOUT_PERIOD_FOR_LIVENESS_CHECK } = ConfigurationAttributeType
    expect(valuesOf(request!, TIMEOUT_PERIOD_FOR_LIVENESS_CHECK)).toEqual([[]])
    expect(valuesOf(reply!, TIMEOUT_PERIOD_FOR_LIVENESS_CHECK)).toEqual([[0, 0, 0, 90]])
    // It has the same period, and would ask first.
    pair.gateway.isFrozen = true
    const from = pair.log.length
    const start = pair.log.at(-1)!.at
    pair.run(89_000)
    expect(pair.log).toHaveLength(from)
    pair.run(2_000)
    expect(pair.log[from]!.text).toBe('HDR, SK {}')
    expect(pair.log[from]!.at - start).toBeCloseTo(90_000, -2)
  })

  it('TS 29.212 (F-9): the gateway’s event says from which TCP port a client’s tunnel comes', () => {
    const pair = up()
    const { path } = pair.gateway.eventsOf('ike-sa-established')[0]!
    expect(path).toMatchObject({ transport: 'tcp', framing: '3gpp-ftt', local: { port: 443 }, remote: { address: pair.client.address } })
    expect(path.remote.port).toBe(pair.client.eventsOf('connection-opened')[0]!.local.port)
  })
})

function up(options: PairOptions = {}): Pair {
  const pair = new Pair({ transports: [FTT], clientTimers: QUIET, gatewayTimers: QUIET, ...options })
  pair.connect()
  return pair
}

/** Subnets on both sides: no address is asked for, and so nothing. */
const WITHOUT_CONFIGURATION: PairOptions = {
  client: { requestAddresses: [], localSubnets: ['10.8.0.10/32'] },
  gateway: { pool: undefined, remoteSubnets: ['10.8.0.10/32'] },
}

/** What the client writes to the connection in this time. */
function sentAt(pair: Pair, pipe: Pipe, milliseconds: number): { at: number; octets: number[] }[] {
  const sent: { at: number; octets: number[] }[] = []
  let seen = pipe.fromOriginator.length
  for (const end = pair.now + milliseconds; pair.now < end; ) {
    pair.run(1, () => pipe.fromOriginator.length > seen)
    if (pipe.fromOriginator.length > seen) sent.push({ at: pair.now, octets: pipe.fromOriginator.slice(seen) })
    seen = pipe.fromOriginator.length
  }
  return sent
}

function envelopesIn(octets: readonly number[]): number[][] {
  const envelopes: number[][] = []
  for (let at = 0; at < octets.length; at += envelopes.at(-1)!.length)
    envelopes.push(octets.slice(at, at + ((octets[at]! << 8) | octets[at + 1]!)))
  return envelopes
}

function length(octets: number): [number, number] {
  return [octets >> 8, octets & 0xff]
}

type Attributes = readonly { readonly type: number; readonly value: Uint8Array }[]

/** The CP payloads of IKE_AUTH, request and response. */
function configurations(pair: Pair): Attributes[] {
  const { protection } = pair.saOf(pair.gateway)
  const { protection: own } = pair.saOf(pair.client)
  return pair.log.slice(2, 4).map(({ from, octets }) => {
    const opened = openMessage((from === pair.client ? protection : own)!, octets, decodeMessage(octets))
    if (opened.kind !== 'authenticated') throw new Error(opened.kind)
    const cp = opened.message.inner.find((payload) => payload.type === 'CP')
    return cp?.type === 'CP' ? cp.attributes : []
  })
}

function valuesOf(attributes: Attributes, type: number): number[][] {
  return attributes.filter((attribute) => attribute.type === type).map(({ value }) => [...value])
}
