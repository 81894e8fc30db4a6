/** A peer that has the keys and writes nonsense inside the protection: it may lose its own SA, and nothing else happens. */
import { ExchangeType, encodePayloads, notify, type Payload, ProtocolId } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { selectorsOfSubnets } from '../../src/ike/traffic-selectors.ts'
import type { TransportOption } from '../../src/index.ts'
import { u32 } from '../../src/octets.ts'
import { isIkeAuth, MeddledPair, sealRaw } from '../meddler.ts'
import { type Node, seededRandom } from '../network.ts'
import { identity, TCP, UDP } from '../pair.ts'
import { mutations } from './mutations.ts'

const TRANSPORTS: [string, TransportOption][] = [
  ['TCP', TCP],
  ['UDP', UDP],
]
const SLOW = { retry: 600_000 }

describe.each(TRANSPORTS)('a peer with the keys that writes nonsense, over %s', (_, transport) => {
  it.each(['request', 'response'] as const)(
    'RFC 7296 §2.21: 150 mutations inside an IKE_AUTH %s: nothing is thrown, nobody is left behind',
    (kind) => {
      const random = seededRandom(kind)
      let established = 0
      for (let round = 0; round < 150; round++) {
        const pair = new MeddledPair({ transports: [transport], clientTimers: SLOW })
        pair.isRecording = false
        pair.meddle = (message) => {
          if (!isIkeAuth(message, kind)) return undefined
          const inner = encodePayloads(pair.openAny(message.octets))
          const [mutated] = mutations(inner.bytes, 1, `${kind} ${round}`)
          const firstPayload = round % 10 === 0 ? random(1)[0]! : inner.firstPayload
          return [sealRaw(pair.keysOf(message.header), message.header, { firstPayload, bytes: mutated! })]
        }
        pair.initiate()
        pair.run(5_000)
        if (pair.isUp) established++
        pair.run(60_000)
        // Whatever came of it, both agree after a while: both have an SA that works, or none.
        expect(pair.client.core.sad.size).toBe(pair.gateway.core.sad.size)
        expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(0)
      }
      expect(established).toBeLessThan(150)
    },
  )

  it.each(['client', 'gateway'] as const)(
    'RFC 7296 §2.21.3: 400 mutations inside requests of the %s, when up',
    (who) => {
      const payloads: Payload[][] = [
        [{ type: 'D', protocol: ProtocolId.ESP, spis: [u32(0x1234), u32(0x5678)] }],
        [notify(16_388, new Uint8Array(20)), { type: 'CP', cfgType: 1, attributes: [{ type: 1, value: new Uint8Array(4) }] }],
        [
          {
            type: 'SA',
            proposals: [{ number: 1, protocol: ProtocolId.ESP, spi: u32(0x1234), transforms: [{ type: 1, id: 20, keyLength: 256 }] }],
          },
          { type: 'Nonce', data: new Uint8Array(32) },
          { type: 'TSi', selectors: selectorsOfSubnets(['10.8.0.10']) },
          { type: 'TSr', selectors: selectorsOfSubnets(['10.2.0.0/24']) },
        ],
      ]
      let pair = up(transport)
      let lost = 0
      for (let round = 0; round < 400; round++) {
        const inner = encodePayloads(payloads[round % payloads.length]!)
        const [mutated] = mutations(inner.bytes, 1, `${who} ${round}`)
        const exchange = [ExchangeType.INFORMATIONAL, ExchangeType.CREATE_CHILD_SA, ExchangeType.IKE_AUTH, 99][round % 4]!
        const from = pair[who]
        const messageId = pair.saOf(from).window.takeMessageId()
        pair.deliverIke(
          pair.other(from),
          pair.forgeRaw(from, exchange, { firstPayload: inner.firstPayload, bytes: mutated! }, { messageId }),
        )
        const to = pair.other(from)
        if (to.core.ikeSas.size === 0 || to.core.sad.size === 0 || to.core.ikeSas.values().next().value!.state.kind !== 'ESTABLISHED') {
          lost++
          pair = up(transport)
        }
      }
      expect(lost).toBeGreaterThan(10)
      expect(pair.passesTraffic()).toBe(true)
    },
    60_000,
  )

  it.each(['client', 'gateway'] as const)('RFC 7296 §2.21: 150 mutations inside responses of the %s', (who) => {
    for (let round = 0; round < 150; round++) {
      const pair = up(transport)
      const from = pair[who]
      const asking = pair.other(from)
      pair.command(asking, { kind: round % 2 === 0 ? 'check-liveness' : 'delete-child', peer: asking === pair.client ? 'gateway' : 'road' })
      const { messageId } = pair.saOf(asking).window.outstanding!
      const inner = encodePayloads([{ type: 'D', protocol: ProtocolId.ESP, spis: [u32(0x1234)] }, notify(16_388, new Uint8Array(20))])
      const [mutated] = mutations(inner.bytes, 1, `${who} response ${round}`)
      const answer = pair.forgeRaw(
        from,
        ExchangeType.INFORMATIONAL,
        { firstPayload: inner.firstPayload, bytes: mutated! },
        { messageId, isResponse: true },
      )
      pair.deliverIke(asking, answer)
      expect(asking.core.ikeSas.size === 0 || pair.saOf(asking).window.outstanding?.messageId !== messageId).toBe(true)
    }
  })

  it('RFC 7296 §2.21.3: each truncation of what an INFORMATIONAL holds, at any Next Payload, ends in an answer', () => {
    const inner = encodePayloads([notify(1), { type: 'D', protocol: ProtocolId.ESP, spis: [u32(0x1234)] }])
    for (let length = 0; length <= inner.bytes.length; length++)
      for (const firstPayload of [0, 33, 41, 42, 46, 47, 53, 200]) {
        const pair = up(transport)
        const before = pair.log.length
        pair.sayRaw(pair.client, { firstPayload, bytes: inner.bytes.slice(0, length) })
        expect(pair.log.length, `${firstPayload} ${length}`).toBeGreaterThan(before)
      }
  })

  it.each<[string, Payload[]]>([
    ['no payload at all', []],
    ['a Delete of the IKE SA', [{ type: 'D', protocol: ProtocolId.IKE, spis: [] }]],
    ['AUTHENTICATION_FAILED', [notify(24)]],
    ['a TS of an unknown kind', [{ type: 'TSi', selectors: [{ tsType: 99, body: new Uint8Array(7) }] }]],
    ['64 kB', Array.from({ length: 200 }, (): Payload => ({ type: 'V', data: new Uint8Array(300) }))],
  ])('in each state: %s, as request and as response of each exchange', (_, payloads) => {
    for (const hold of ['IKE_SA_INIT_ANSWERED', 'ESTABLISHED', 'DELETING'] as const)
      for (const exchange of [
        ExchangeType.IKE_AUTH,
        ExchangeType.CREATE_CHILD_SA,
        ExchangeType.INFORMATIONAL,
        ExchangeType.IKE_SESSION_RESUME,
        240,
      ])
        for (const isResponse of [false, true]) {
          const pair = inState(transport, hold)
          for (const from of [pair.client, pair.gateway]) {
            const to = pair.other(from)
            const sa = [...from.core.ikeSas.values()][0]
            if (!sa?.protection || to.core.ikeSas.size === 0) continue
            const messageId = isResponse ? (pair.saOf(to).window.outstanding?.messageId ?? 0) : undefined
            pair.deliverIke(to, pair.forge(from, exchange, payloads, { isResponse, ...(messageId === undefined ? {} : { messageId }) }))
          }
          pair.meddle = () => undefined
          pair.run(120_000)
          expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(0)
        }
  })
})

it('RFC 7296 §2.21.3: a peer that loses its SA by nonsense takes nobody else’s with it', () => {
  const pair = up(TCP)
  const other = pair.addClient('other', '192.0.2.77', { localId: identity('@other') })
  pair.command(other, { kind: 'initiate', peer: 'gateway' })
  pair.run(500)
  const victim = [...pair.gateway.core.ikeSas.values()].find((sa) => sa.initiatorSpi !== pair.saOf(pair.client).initiatorSpi)!
  expect(victim.state.kind).toBe('ESTABLISHED')
  const { protection, initiatorSpi, responderSpi, window } = pair.saOf(other)
  const header = { initiatorSpi, responderSpi, exchangeType: ExchangeType.INFORMATIONAL, flags: 8, messageId: window.takeMessageId() }
  const pipe = pair.pipes.at(-1)!
  const octets = sealRaw(protection!, header, { firstPayload: 41, bytes: new Uint8Array(9).fill(0xff) })
  const length = octets.length + 6
  pair.deliver(pair.gateway, {
    kind: 'connection-bytes',
    connection: pipe.responderId,
    bytes: Uint8Array.of(length >> 8, length & 0xff, 0, 0, 0, 0, ...octets),
  })
  expect(victim.state.kind).toBe('CLOSED')
  expect(pair.gateway.core.ikeSas.size).toBe(1)
  expect(pair.passesTraffic()).toBe(true)
})

class Insider extends MeddledPair {
  sayRaw(from: Node, inner: { firstPayload: number; bytes: Uint8Array }): void {
    this.deliverIke(this.other(from), this.forgeRaw(from, ExchangeType.INFORMATIONAL, inner))
  }
}

function up(transport: TransportOption): Insider {
  const pair = new Insider({ transports: [transport], clientTimers: SLOW })
  pair.connect()
  return pair
}

function inState(transport: TransportOption, state: 'IKE_SA_INIT_ANSWERED' | 'ESTABLISHED' | 'DELETING'): MeddledPair {
  const pair = new MeddledPair({ transports: [transport], clientTimers: SLOW })
  pair.isRecording = false
  if (state === 'IKE_SA_INIT_ANSWERED') {
    pair.meddle = (message) => (isIkeAuth(message, 'request') ? [] : undefined)
    pair.initiate()
    pair.run(300)
    return pair
  }
  pair.connect()
  if (state === 'DELETING') {
    pair.meddle = () => []
    for (const node of [pair.client, pair.gateway]) pair.command(node, { kind: 'terminate' })
  }
  return pair
}
