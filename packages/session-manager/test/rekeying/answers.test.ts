import { ExchangeType, encodePayloads, NotifyType, notify, type Payload } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { removeChild } from '../../src/child/child-life.ts'
import { selectorsOfSubnets } from '../../src/ike/traffic-selectors.ts'
import type { TransportOption } from '../../src/index.ts'
import { mutations } from '../adversary/mutations.ts'
import { type InTransit, isResponse, replacing, sealRaw } from '../meddler.ts'
import { TCP, UDP } from '../pair.ts'
import { WatchedPair } from './support.ts'

type Change = (inner: readonly Payload[]) => readonly Payload[]

const WIDE: Payload = { type: 'TSr', selectors: selectorsOfSubnets(['10.0.0.0/8']) }

describe('RFC 7296 §2.21: an answer to CREATE_CHILD_SA that is none to what was asked ends the IKE SA, which is told, and the client begins anew', () => {
  it.each<[string, 'child-sa' | 'ike-sa', Change]>([
    ['another proposal', 'child-sa', replacing('SA', ({ proposals }) => ({ type: 'SA', proposals: [{ ...proposals[0]!, number: 77 }] }))],
    [
      'an SPI of 0',
      'child-sa',
      replacing('SA', ({ proposals }) => ({ type: 'SA', proposals: [{ ...proposals[0]!, spi: new Uint8Array(4) }] })),
    ],
    ['no nonce', 'child-sa', replacing('Nonce', () => undefined)],
    ['a nonce of 15 octets (C-20)', 'child-sa', replacing('Nonce', ({ data }) => ({ type: 'Nonce', data: data.slice(0, 15) }))],
    ['wider traffic selectors (C-19)', 'child-sa', replacing('TSr', () => WIDE)],
    ['no traffic selectors', 'child-sa', replacing('TSi', () => undefined)],
    ['a public value that is none (RFC 6989 §2.5, K-2)', 'child-sa', replacing('KE', (ke) => ({ ...ke, data: new Uint8Array(32) }))],
    ['KE of another method', 'child-sa', replacing('KE', (ke) => ({ ...ke, method: 19 }))],
    ['another proposal', 'ike-sa', replacing('SA', ({ proposals }) => ({ type: 'SA', proposals: [{ ...proposals[0]!, number: 77 }] }))],
    [
      'an SPI of 0',
      'ike-sa',
      replacing('SA', ({ proposals }) => ({ type: 'SA', proposals: [{ ...proposals[0]!, spi: new Uint8Array(8) }] })),
    ],
    [
      'an SPI of 4 octets',
      'ike-sa',
      replacing('SA', ({ proposals }) => ({ type: 'SA', proposals: [{ ...proposals[0]!, spi: new Uint8Array(4).fill(1) }] })),
    ],
    ['no KE (C-24)', 'ike-sa', replacing('KE', () => undefined)],
    ['a public value that is none (RFC 6989 §2.5, K-2)', 'ike-sa', replacing('KE', (ke) => ({ ...ke, data: new Uint8Array(32) }))],
    ['nothing', 'ike-sa', () => []],
  ])('%s, of the %s', (_, what, change) => {
    const pair = up(UDP)
    pair.meddle = (message) => (isAnswer(message) ? [pair.resealed(message, change)] : undefined)
    pair.rekey(pair.client, what)
    pair.run(500)
    pair.meddle = () => undefined
    pair.run(40_000)
    expect(pair.gateway.eventsOf('ike-sa-closed')[0]).toMatchObject({ byPeer: true })
    expect(pair.leftovers()).toEqual([])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.21.3: INVALID_SYNTAX says that the peer has dropped the IKE SA', () => {
    const pair = up(UDP)
    pair.meddle = (message) => (isAnswer(message) ? [pair.resealed(message, () => [notify(NotifyType.INVALID_SYNTAX)])] : undefined)
    pair.rekey(pair.client, 'child-sa')
    pair.run(100)
    expect(pair.client.eventsOf('ike-sa-closed')[0]).toMatchObject({ byPeer: true })
  })

  it.each(['client', 'gateway'] as const)(
    'RFC 7296 §2.25: CHILD_SA_NOT_FOUND takes the Child SA from the %s that asked, and brings another',
    (who) => {
      const pair = up(UDP)
      const node = pair[who]
      const gone = pair.childOf(node)
      // Without a word of it.
      removeChild(pair.other(node).core, pair.childOf(pair.other(node)), 'the test')
      const mark = pair.log.length
      pair.rekey(node, 'child-sa')
      pair.run(7_000)
      expect(pair.log.slice(mark).map(({ text }) => text)).toEqual([
        'HDR, SK {N(REKEY_SA), SA, Ni, KEi, TSi, TSr}',
        'HDR, SK {N(CHILD_SA_NOT_FOUND)}',
        'HDR, SK {SA, Ni, KEi, TSi, TSr}',
        'HDR, SK {SA, Nr, KEr, TSi, TSr}',
      ])
      expect(pair.childOf(node)).not.toBe(gone)
      expect(pair.leftovers()).toEqual([])
      expect(pair.passesTraffic()).toBe(true)
    },
  )
})

describe.each([
  ['UDP', UDP],
  ['TCP', TCP],
] as [string, TransportOption][])('RFC 7296 §2.21: a peer with the keys that writes nonsense while it rekeys, over %s', (_, transport) => {
  it.each([
    ['request', 'ike-sa'],
    ['request', 'child-sa'],
    ['response', 'ike-sa'],
    ['response', 'child-sa'],
  ] as const)(
    '100 mutations inside a %s, of the %s: nothing is thrown, and nothing is left behind',
    (kind, what) => {
      for (let round = 0; round < 100; round++) {
        const pair = up(transport)
        const isMeant = ({ header }: InTransit): boolean =>
          header.exchangeType === ExchangeType.CREATE_CHILD_SA && isResponse(header) === (kind === 'response')
        pair.meddle = (message) => {
          if (!isMeant(message)) return undefined
          const inner = encodePayloads(pair.openAny(message.octets))
          const [mutated] = mutations(inner.bytes, 1, `${kind} ${what} ${round}`)
          return [sealRaw(pair.keysOf(message.header), message.header, { firstPayload: inner.firstPayload, bytes: mutated! })]
        }
        pair.rekey(round % 2 === 0 ? pair.client : pair.gateway, what)
        pair.run(1_000)
        pair.meddle = () => undefined
        pair.run(150_000)
        for (const node of pair.nodes) {
          const [sa, ...others] = node.core.ikeSas.values()
          expect(others, `round ${round}`).toEqual([])
          expect(sa?.series.members.size, `round ${round}`).toBe(1)
          expect([...(sa?.draining ?? [])], `round ${round}`).toEqual([])
        }
        // Of a Child SA: with another nonce both ends have keys, and they are not the same ones.
        if (what === 'ike-sa') expect(pair.passesTraffic(), `round ${round}`).toBe(true)
      }
    },
    60_000,
  )
})

function isAnswer({ header }: InTransit): boolean {
  return header.exchangeType === ExchangeType.CREATE_CHILD_SA && isResponse(header)
}

function up(transport: TransportOption): WatchedPair {
  const pair = new WatchedPair({ transports: [transport] })
  pair.isRecording = false
  pair.connect()
  return pair
}
