/** Somebody on the way who has no key: whatever he writes, nobody throws, nothing moves, and the tunnel comes up. */
import { decodeHeader, decodeMessage, ExchangeType, encodeMessage, HeaderFlag } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { openMessage } from '../../src/ike/protection.ts'
import type { TransportOption } from '../../src/index.ts'
import { MeddledPair } from '../meddler.ts'
import { doWork, type Node } from '../network.ts'
import { CLIENT_ADDRESS, GATEWAY_ADDRESS, TCP, UDP } from '../pair.ts'
import { mutations, truncations, withLength } from './mutations.ts'

const TRANSPORTS: [string, TransportOption][] = [
  ['TCP', TCP],
  ['UDP', UDP],
]
/** A stranger's mistakes close a TCP connection after a few (T-LIFE-13); here it is the messages that are tried. */
const PATIENT = { maxCorruptFrames: 1e9, maxIcvFailures: 1e9, maxHalfOpenPerAddress: 4, maxHalfOpen: 8, cookieThreshold: 7 }

interface Recorded {
  readonly name: string
  readonly to: 'client' | 'gateway'
  readonly octets: Uint8Array
}

describe.each(TRANSPORTS)('bad input over %s', (_, transport) => {
  const recorded = record(transport)

  it('the recording holds a request and a response of each exchange', () => {
    expect(recorded.map((message) => message.name)).toEqual([
      'IKE_SA_INIT request',
      'IKE_SA_INIT response',
      'IKE_AUTH request',
      'IKE_AUTH response',
      'INFORMATIONAL request',
      'INFORMATIONAL response',
      'CREATE_CHILD_SA request',
      'CREATE_CHILD_SA response',
    ])
  })

  for (const message of recorded) {
    it(`RFC 7296 §2.5: each truncation of an ${message.name} is put up with by both ends, up`, () => {
      attackUp(transport, truncations(message.octets))
    })

    it(`RFC 7296 §2.5: so are 2000 mutations of an ${message.name}`, () => {
      attackUp(transport, mutations(message.octets, 2000, message.name))
    })
  }

  it.each(['before IKE_SA_INIT', 'after IKE_SA_INIT', 'after IKE_AUTH'])(
    'RFC 7296 §2.21.1: damaged copies of every message %s do not keep the handshake from its end',
    (stage) => {
      const pair = new MeddledPair({ transports: [transport], clientLimits: PATIENT, gatewayLimits: PATIENT })
      pair.isRecording = false
      let attacks = 0
      pair.meddle = (message) => {
        const { exchangeType } = message.header
        const isStage =
          stage === 'before IKE_SA_INIT'
            ? exchangeType === ExchangeType.IKE_SA_INIT && message.to === pair.gateway
            : stage === 'after IKE_SA_INIT'
              ? exchangeType === ExchangeType.IKE_SA_INIT && message.to === pair.client
              : exchangeType === ExchangeType.IKE_AUTH
        if (!isStage) return undefined
        // Only what nobody can take for the message itself: IKE_SA_INIT is protected by nothing, so its payloads are left.
        // On a connection without an established IKE SA there may be 32 at once (T-SEC-1).
        const count = transport === TCP && stage === 'after IKE_AUTH' ? 25 : 300
        const damaged = [...mutations(message.octets, count, stage)].filter((octets) => !isPlausibleInit(octets))
        if (transport === TCP && exchangeType === ExchangeType.IKE_SA_INIT) {
          // Into the stream itself only who holds both its ends can write: others have connections of their own.
          if (message.to === pair.client) return undefined
          for (const octets of damaged) pair.dialRaw(pair.gateway).write(streamOf(octets))
          attacks += damaged.length
          return undefined
        }
        attacks += damaged.length
        return [...damaged, message.octets]
      }
      pair.connect()
      expect(attacks).toBeGreaterThan(transport === UDP ? 100 : stage === 'after IKE_SA_INIT' ? -1 : 40)
      expect(pair.passesTraffic()).toBe(true)
    },
  )

  it.each(['client', 'gateway'] as const)(
    'RFC 7296 §2.12: while a key exchange of the %s is being computed, damaged messages do not reach it',
    (who) => {
      const pair = new MeddledPair({ transports: [transport], clientLimits: PATIENT, gatewayLimits: PATIENT })
      pair.isRecording = false
      const node = pair[who]
      node.holdsJobs = true
      pair.initiate()
      for (let held = 0; held < 2; held++) {
        pair.run(100, () => node.heldJobs.length > 0)
        if (transport === UDP || held > 0 || who === 'gateway')
          for (const message of recorded)
            for (const octets of mutations(message.octets, transport === TCP ? 5 : 50, message.name))
              if (!isPlausibleInit(octets) && !opensFor(pair, octets)) deliverFrom(transport, pair, node, octets, undefined)
        for (const { job, work } of node.heldJobs.splice(0)) pair.deliver(node, { kind: 'crypto-result', job, result: doWork(work) })
      }
      node.holdsJobs = false
      pair.run(5_000, () => pair.isUp)
      pair.settle()
      expect(pair.passesTraffic()).toBe(true)
    },
  )

  it('RFC 7296 §2.1: every recorded message of another session, to either end, up, moves nothing', () => {
    attackUp(
      transport,
      recorded.map((message) => message.octets),
    )
  })

  it('RFC 7296 §3.14 (C-31): copies of protected messages with another ICV are dropped in silence', () => {
    const pair = up(transport)
    const before = picture(pair)
    const logged = pair.log.length
    for (const [from, to] of [
      [pair.client, pair.gateway],
      [pair.gateway, pair.client],
    ] as const)
      for (const exchange of [ExchangeType.IKE_AUTH, ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL])
        for (const isResponse of [true, false])
          for (let messageId = 0; messageId < 4; messageId++) {
            const forged = pair.forge(from, exchange, [{ type: 'D', protocol: 1, spis: [] }], { isResponse, messageId })
            forged[forged.length - 1]! ^= 1
            pair.deliverIke(to, forged)
          }
    expect(pair.log.length).toBe(logged)
    expect(picture(pair)).toEqual(before)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §3.14: a peer’s own messages sent back to it change nothing', () => {
    const pair = up(transport)
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.settle()
    const before = picture(pair)
    for (const entry of [...pair.log]) if (!isInitRequest(entry.octets)) pair.deliverIke(entry.from, entry.octets)
    expect(picture(pair)).toEqual(before)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §3.14: nor does a forged message from elsewhere move a path', () => {
    const pair = up(transport)
    const before = picture(pair)
    for (const octets of mutations(pair.forge(pair.client, ExchangeType.INFORMATIONAL, []), 500, 'elsewhere'))
      if (!opensFor(pair, octets)) deliverFrom(transport, pair, pair.gateway, octets, { address: '203.0.113.66', port: 6666 })
    expect(picture(pair)).toEqual(before)
    expect(pair.gateway.eventsOf('path-moved')).toHaveLength(0)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('65,535 octets of IKE_SA_INIT, full of proposals, transforms or notifies, come to an end', () => {
    const pair = new MeddledPair({ transports: [transport], clientLimits: PATIENT, gatewayLimits: PATIENT })
    pair.isRecording = false
    const request = recorded[0]!.octets
    const payloads = decodeMessage(request).payloads
    const sa = payloads.find((payload) => payload.type === 'SA')!
    const proposal = sa.proposals[0]!
    const transform = { type: 1, id: 999, keyLength: 128 }
    const rest = payloads.filter((payload) => payload.type !== 'SA')
    const large = [
      [
        {
          ...sa,
          proposals: Array.from({ length: 1200 }, (_, index) => ({ ...proposal, number: index % 256, transforms: [transform, transform] })),
        },
        ...rest,
      ],
      [
        { ...sa, proposals: Array.from({ length: 20 }, () => ({ ...proposal, transforms: Array.from({ length: 255 }, () => transform) })) },
        ...rest,
      ],
      [
        sa,
        ...rest,
        ...Array.from({ length: 7000 }, () => ({
          type: 'N' as const,
          protocol: 0,
          spi: new Uint8Array(0),
          notifyType: 16_388,
          data: new Uint8Array(0),
        })),
      ],
      [sa, ...rest, ...Array.from({ length: 14_000 }, () => ({ type: 'V' as const, data: new Uint8Array(0) }))],
    ]
    for (const payloads of large) {
      const octets = encodeMessage({
        header: { initiatorSpi: 99n, responderSpi: 0n, exchangeType: 34, flags: HeaderFlag.INITIATOR, messageId: 0 },
        payloads,
      })
      expect(octets.length).toBeGreaterThan(30_000)
      deliverFrom(transport, pair, pair.gateway, octets, { address: '203.0.113.66', port: 6666 })
      pair.settle()
    }
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })
})

function record(transport: TransportOption): Recorded[] {
  const pair = new MeddledPair({ transports: [transport] })
  pair.isRecording = false
  pair.connect()
  pair.command(pair.client, { kind: 'check-liveness' })
  pair.settle()
  const nonce = { type: 'Nonce' as const, data: new Uint8Array(32).fill(3) }
  const request = pair.forge(pair.client, ExchangeType.CREATE_CHILD_SA, [{ type: 'SA', proposals: [] }, nonce])
  pair.deliverIke(pair.gateway, request)
  pair.settle()
  const octets = [...pair.log.slice(0, 6).map((entry) => entry.octets), request, pair.log.at(-1)!.octets]
  const names = ['IKE_SA_INIT', 'IKE_AUTH', 'INFORMATIONAL', 'CREATE_CHILD_SA']
  return octets.map((message, index) => ({
    name: `${names[index >> 1]} ${index % 2 === 0 ? 'request' : 'response'}`,
    to: index % 2 === 0 ? 'gateway' : 'client',
    octets: message,
  }))
}

function up(transport: TransportOption): MeddledPair {
  const pair = new MeddledPair({ transports: [transport], clientLimits: PATIENT, gatewayLimits: PATIENT })
  pair.isRecording = false
  pair.connect()
  return pair
}

/** A pair that is up gets each message at both ends; afterwards it is as it was. */
function attackUp(transport: TransportOption, messages: Iterable<Uint8Array>): void {
  const pair = up(transport)
  const before = picture(pair)
  for (const octets of messages) {
    // The recording is of a session with the same keys as this one: what is authentic here is no attack.
    if (opensFor(pair, octets)) continue
    for (const node of [pair.client, pair.gateway]) deliverFrom(transport, pair, node, octets.slice(), undefined)
  }
  expect(picture(pair)).toEqual(before)
  pair.run(40_000)
  expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(0)
  expect(picture(pair)).toEqual(before)
  expect(pair.passesTraffic()).toBe(true)
}

function opensFor(pair: MeddledPair, octets: Uint8Array): boolean {
  try {
    const message = decodeMessage(octets)
    return pair.nodes.some((node) =>
      [...node.core.ikeSas.values()].some((sa) => sa.protection && openMessage(sa.protection, octets, message).kind !== 'unauthentic'),
    )
  } catch {
    return false
  }
}

/** Over UDP from any address; over TCP on the connection in hand where no address is given, else on one of its own. */
function deliverFrom(
  transport: TransportOption,
  pair: MeddledPair,
  node: Node,
  octets: Uint8Array,
  remote: { address: string; port: number } | undefined,
): void {
  if (transport === UDP || octets.length > 65_000) {
    const from = remote ?? { address: node === pair.gateway ? CLIENT_ADDRESS : GATEWAY_ADDRESS, port: 4500 }
    pair.deliver(node, { kind: 'datagram', local: { address: node.address, port: 4500 }, remote: from, message: 'ike', bytes: octets })
    return
  }
  if (octets.length === 0) return
  // A second IKE_SA_INIT ends the connection that brings it (T-LIFE-10): it comes by one of its own.
  if (remote === undefined && !looksLikeInitRequest(octets)) return pair.deliverIke(node, octets, { transport: 'tcp' })
  const stranger = pair.dialRaw(node, remote?.address)
  stranger.write(streamOf(octets))
}

function streamOf(octets: Uint8Array): Uint8Array {
  const length = octets.length + 6
  return Uint8Array.of(0x49, 0x4b, 0x45, 0x54, 0x43, 0x50, length >> 8, length & 0xff, 0, 0, 0, 0, ...octets)
}

function isInitRequest(octets: Uint8Array): boolean {
  const header = decodeHeader(octets)
  return header.exchangeType === ExchangeType.IKE_SA_INIT && (header.flags & HeaderFlag.RESPONSE) === 0
}

function looksLikeInitRequest(octets: Uint8Array): boolean {
  return octets.length >= 28 && octets[18] === ExchangeType.IKE_SA_INIT && (octets[19]! & HeaderFlag.RESPONSE) === 0
}

/** Whether this could be an IKE_SA_INIT that somebody meant. */
function isPlausibleInit(octets: Uint8Array): boolean {
  try {
    const { header } = decodeMessage(withLength(octets.slice()))
    return header.exchangeType === ExchangeType.IKE_SA_INIT && header.majorVersion === 2
  } catch {
    return false
  }
}

/** What an attack must not change: the SAs, where they send, what connections there are. */
function picture(pair: MeddledPair): unknown {
  return [pair.client, pair.gateway].map((node) => {
    const { ikeSas } = node.core.inspect(0)
    return ikeSas
      .filter((sa) => sa.state === 'ESTABLISHED')
      .map(({ id, state, path, children }) => ({ id, state, path, spis: children.map((child) => [child.inboundSpi, child.outboundSpi]) }))
  })
}
