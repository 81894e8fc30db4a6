import { describe, expect, it } from 'vitest'
import type { Node } from '../network.ts'
import { TCP, UDP } from '../pair.ts'
import { WatchedPair } from './support.ts'

type What = 'ike-sa' | 'child-sa'
type Who = 'client' | 'gateway' | 'both'

const CASES: [What, Who][] = (['child-sa', 'ike-sa'] as const).flatMap((what) =>
  (['client', 'gateway', 'both'] as const).map((who): [What, Who] => [what, who]),
)

/** More than a collision has. */
const MESSAGES = 9

describe('RFC 7296 §2.1, §2.8 (C-2): over UDP each of the messages is lost once, or twice', () => {
  it.each(CASES)('the %s, rekeyed by %s: it is rekeyed all the same, no packet is lost and nothing is left behind', (what, who) => {
    for (const times of [1, 2]) {
      for (let nth = 0; nth < MESSAGES; nth++) {
        const pair = new WatchedPair({ transports: [UDP] })
        pair.connect()
        const before = pair.currentOf(pair.client)
        let seen = 0
        let lost: string | undefined
        let count = 0
        pair.meddle = ({ octets }) => {
          const text = octets.join()
          if (lost === undefined && seen++ === nth) lost = text
          return text === lost && count++ < times ? [] : undefined
        }
        begin(pair, what, who)
        pair.runUnderTraffic(6_000, 50)
        pair.run(40_000)
        const about = `message ${nth}, ${times} times`
        expect(pair.leftovers(), about).toEqual([])
        expect([...pair.lostOf(pair.client), ...pair.lostOf(pair.gateway)], about).toEqual([])
        if (what === 'ike-sa') expect(pair.currentOf(pair.client), about).not.toBe(before)
        expect(pair.client.eventsOf('ike-sa-established'), about).toHaveLength(1)
        expect(pair.client.eventsOf(`${what}-rekeyed`).length, about).toBeGreaterThan(0)
      }
    }
  })
})

describe('RFC 9329 §6.1, §6.2 (T-RTX-2, T-LIFE-10): over TCP the connection dies with each of the messages', () => {
  it.each(CASES)('the %s, rekeyed by %s: it goes on by the next connection, and nothing is left behind', (what, who) => {
    for (let nth = 0; nth < MESSAGES; nth++) {
      const pair = new WatchedPair({ transports: [TCP] })
      pair.connect()
      const before = pair.currentOf(pair.client)
      let seen = 0
      pair.meddle = () => {
        if (seen++ !== nth) return undefined
        pair.later(0, () => pair.cut(pair.pipe))
        return []
      }
      begin(pair, what, who)
      pair.run(50_000)
      const about = `message ${nth}`
      expect(pair.leftovers(), about).toEqual([])
      expect(pair.passesTraffic(), about).toBe(true)
      if (what === 'ike-sa') expect(pair.currentOf(pair.client), about).not.toBe(before)
      expect(pair.client.eventsOf('ike-sa-established'), about).toHaveLength(1)
      expect(pair.client.eventsOf(`${what}-rekeyed`).length, about).toBeGreaterThan(0)
      // T-ROLE-1: whoever rekeyed.
      expect(new Set(pair.pipes.map(({ originator }: { originator: Node }) => originator.name)), about).toEqual(new Set(['client']))
      expect(pair.pipe.isOpen, about).toBe(true)
    }
  })

  it.each(['client', 'gateway'] as const)(
    '(T-ROLE-1, T-LIFE-16): rekeyed by the %s three times, the client still dials, and has one connection',
    (who) => {
      const pair = new WatchedPair({ transports: [TCP] })
      pair.connect()
      for (let round = 0; round < 3; round++) {
        pair.rekey(pair[who], 'ike-sa')
        pair.run(10_000)
      }
      expect(pair.currentOf(pair.client).role).toBe(who === 'client' ? 'initiator' : 'responder')
      expect(pair.pipes).toHaveLength(1)
      pair.cut(pair.pipe)
      pair.run(10_000)
      expect(pair.pipes.map(({ originator, isOpen }) => [originator.name, isOpen])).toEqual([
        ['client', false],
        ['client', true],
      ])
      expect(pair.leftovers()).toEqual([])
      expect(pair.passesTraffic()).toBe(true)
    },
  )
})

function begin(pair: WatchedPair, what: What, who: Who): void {
  if (who !== 'gateway') pair.rekey(pair.client, what)
  if (who !== 'client') pair.rekey(pair.gateway, what)
}
