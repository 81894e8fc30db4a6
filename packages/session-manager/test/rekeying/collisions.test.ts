import { ExchangeType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import type { TransportOption } from '../../src/index.ts'
import { hex } from '../../src/octets.ts'
import { type InTransit, isResponse } from '../meddler.ts'
import type { Node } from '../network.ts'
import { TCP, UDP } from '../pair.ts'
import { WatchedPair } from './support.ts'

const TRANSPORTS: [string, TransportOption][] = [
  ['UDP', UDP],
  ['TCP', TCP],
]

describe.each(TRANSPORTS)('RFC 7296 §2.8.1, §2.8.2: both ends rekey at once, over %s', (_, transport) => {
  it.each([
    ['Child SA', 'child-sa', 0],
    ['Child SA, the client a little later', 'child-sa', 7],
    ['IKE SA', 'ike-sa', 0],
    ['IKE SA, the client a little later', 'ike-sa', 7],
  ] as const)('the %s: one of the new ones stays, by the lowest nonce, and nothing is lost', (_name, what, delay) => {
    for (let seed = 0; seed < 8; seed++) {
      const pair = up(transport, seed)
      pair.rekey(pair.gateway, what)
      pair.run(delay)
      pair.rekey(pair.client, what)
      pair.runUnderTraffic(400)
      pair.run(7_000)
      expect(pair.leftovers(), `seed ${seed}`).toEqual([])
      expect([...pair.lostOf(pair.client), ...pair.lostOf(pair.gateway)]).toEqual([])
      expect(pair.passesTraffic()).toBe(true)
    }
  })

  it('the one with the lowest of the four nonces is deleted by who asked for it, the old one by who asked for the other', () => {
    const winners = new Set<string>()
    for (let seed = 0; seed < 12; seed++) {
      const pair = up(transport, seed)
      const exchanges = noncesOf(pair)
      pair.rekey(pair.gateway, 'ike-sa')
      pair.rekey(pair.client, 'ike-sa')
      pair.run(40_000)
      expect(exchanges).toHaveLength(4)
      const loser = exchanges.toSorted((a, b) => (a.nonce < b.nonce ? -1 : 1))[0]!.askedBy
      const winner = pair.other(loser)
      expect(pair.leftovers()).toEqual([])
      expect(pair.currentOf(winner).role).toBe('initiator')
      winners.add(winner.name)
    }
    expect(winners.size).toBe(2)
  })
})

describe('RFC 7296 §2.8.1, §2.8.2: a request is late, and one end does not know of the collision', () => {
  it.each([
    ['child-sa', 'client'],
    ['child-sa', 'gateway'],
    ['ike-sa', 'client'],
    ['ike-sa', 'gateway'],
  ] as const)('the %s; the request of the %s comes when the other is done', (what, late) => {
    const pair = up(UDP, 1)
    const node = pair[late]
    let lost = 0
    // Its first transmission is lost, and what is sent again comes after the other's Delete.
    pair.meddle = (message) => (isRequestOf(pair, node, message) && lost++ === 0 ? [] : undefined)
    pair.rekey(node, what)
    pair.rekey(pair.other(node), what)
    pair.runUnderTraffic(2_000, 20)
    pair.run(40_000)
    expect(lost).toBeGreaterThan(0)
    expect(pair.leftovers()).toEqual([])
    expect([...pair.lostOf(pair.client), ...pair.lostOf(pair.gateway)]).toEqual([])
    const rekeyed = pair.client.eventsOf(what === 'ike-sa' ? 'ike-sa-rekeyed' : 'child-sa-rekeyed')
    expect(rekeyed).toHaveLength(1)
    expect(rekeyed[0]!.by).toBe(late === 'client' ? 'peer' : 'us')
  })
})

describe.each(TRANSPORTS)('RFC 7296 §2.25: rekeying meets deleting, over %s', (_, transport) => {
  it.each([
    ['the Child SA is rekeyed while the other end deletes it', 'child-sa', 'delete-child'],
    ['the IKE SA is rekeyed while the other end deletes the Child SA', 'ike-sa', 'delete-child'],
  ] as const)('%s: the tunnel is up again soon', (_name, what, deletion) => {
    for (const first of ['rekey', 'delete'] as const) {
      const pair = up(transport, 3)
      if (first === 'rekey') pair.rekey(pair.client, what)
      pair.command(pair.gateway, { kind: deletion, peer: 'road' })
      if (first === 'delete') pair.rekey(pair.client, what)
      pair.run(60_000)
      expect(pair.leftovers(), first).toEqual([])
      expect(pair.passesTraffic()).toBe(true)
    }
  })

  it.each(['child-sa', 'ike-sa'] as const)('the %s is rekeyed while the other end deletes the IKE SA: it is deleted', (what) => {
    for (const first of ['rekey', 'delete'] as const) {
      const pair = up(transport, 4)
      if (first === 'rekey') pair.rekey(pair.gateway, what)
      pair.command(pair.client, { kind: 'terminate' })
      if (first === 'delete') pair.rekey(pair.gateway, what)
      pair.run(60_000)
      for (const node of pair.nodes) {
        expect(node.core.ikeSas.size, `${node.name}, ${first}`).toBe(0)
        expect(node.core.sad.size).toBe(0)
      }
    }
  })

  it('one end rekeys the IKE SA, the other the Child SA: one of them is TEMPORARY_FAILURE, and both are rekeyed in the end', () => {
    for (const [a, b] of [
      ['client', 'gateway'],
      ['gateway', 'client'],
    ] as const) {
      const pair = up(transport, 5)
      pair.rekey(pair[a], 'ike-sa')
      pair.rekey(pair[b], 'child-sa')
      pair.runUnderTraffic(30_000, 100)
      pair.run(10_000)
      expect(pair.log.some(({ text }) => text.includes('TEMPORARY_FAILURE'))).toBe(true)
      expect(pair.leftovers()).toEqual([])
      expect([...pair.lostOf(pair.client), ...pair.lostOf(pair.gateway)]).toEqual([])
      expect(pair.client.eventsOf('ike-sa-rekeyed').length).toBeGreaterThan(0)
      expect(pair.client.eventsOf('child-sa-rekeyed').length).toBeGreaterThan(0)
    }
  })
})

function isRequestOf(pair: WatchedPair, node: Node, { to, header }: InTransit): boolean {
  return to === pair.other(node) && header.exchangeType === ExchangeType.CREATE_CHILD_SA && !isResponse(header)
}

/** The nonces of the CREATE_CHILD_SA exchanges, as they come, and who began each exchange. Text that sorts as the octets do. */
function noncesOf(pair: WatchedPair): { askedBy: Node; nonce: string }[] {
  const nonces: { askedBy: Node; nonce: string }[] = []
  pair.meddle = ({ to, header, octets }) => {
    if (header.exchangeType !== ExchangeType.CREATE_CHILD_SA) return undefined
    for (const payload of pair.openAny(octets))
      if (payload.type === 'Nonce') nonces.push({ askedBy: isResponse(header) ? to : pair.other(to), nonce: hex(payload.data) })
    return undefined
  }
  return nonces
}

function up(transport: TransportOption, seed: number): WatchedPair {
  const pair = new WatchedPair({ transports: [transport] })
  // Another run of the random numbers.
  for (let i = 0; i < seed; i++) for (const node of pair.nodes) node.core.random(1 + i)
  pair.connect()
  return pair
}
