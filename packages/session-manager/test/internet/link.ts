/**
 * A link: packets take time, get lost, overtake each other, wait for their turn, or are too big. Each direction by itself; what is set
 * counts for the packets that come after.
 */
import { type Clock, type Direction, type Hop, type IpPacket, icmpFor, lengthOf, type Relay } from './packet.ts'
import type { Chance } from './random.ts'

export interface LinkConditions {
  /** Milliseconds, one way. */
  delay: number
  /** Up to so many milliseconds more; the order stays. */
  jitter: number
  /** The part of the packets that is lost, each by itself. */
  loss: number
  /** Losses in bursts (Gilbert and Elliott): a packet begins a bad time, or ends it, with these probabilities, and in it `loss` are lost. */
  bursts: { readonly begin: number; readonly end: number; readonly loss: number } | undefined
  /** The part of the packets that is `heldBack` milliseconds late, so that others overtake it. */
  reordering: number
  heldBack: number
  /** Octets in a millisecond, and how many may wait; what is more is lost. */
  rate: number
  queue: number
  mtu: number
  /** What happens to what is longer. Datagrams may be fragmented, segments are told by ICMP; or a black hole (RFC 2923 §2.1). */
  tooBig: 'fragmented or told' | 'lost'
}

export const GOOD_LINK: LinkConditions = {
  delay: 10,
  jitter: 0,
  loss: 0,
  bursts: undefined,
  reordering: 0,
  heldBack: 20,
  rate: Number.POSITIVE_INFINITY,
  queue: Number.POSITIVE_INFINITY,
  mtu: 65_535,
  tooBig: 'fragmented or told',
}

interface Side {
  isBad: boolean
  /** When all that waits has left, and when the last of those that keep their order arrives. */
  freeAt: number
  lastAt: number
}

export class Link implements Hop {
  readonly conditions: LinkConditions
  readonly #clock: Clock
  readonly #chance: Chance
  readonly #sides: Record<Direction, Side> = { out: newSide(), in: newSide() }

  constructor(clock: Clock, chance: Chance, conditions: Partial<LinkConditions> = {}) {
    this.#clock = clock
    this.#chance = chance
    this.conditions = { ...GOOD_LINK, ...conditions }
  }

  take(packet: IpPacket, direction: Direction, relay: Relay): void {
    const { mtu, tooBig } = this.conditions
    const length = lengthOf(packet)
    if (length > mtu && (tooBig === 'lost' || packet.body.protocol !== 'udp')) {
      if (tooBig !== 'lost') relay.back(icmpFor(packet, 'too big', mtu))
      return
    }
    const side = this.#sides[direction]
    // One fragment lost is all lost.
    for (let rest = length; rest > 0; rest -= mtu) if (this.#isLost(side)) return
    const at = this.#arrival(side, length)
    if (at !== undefined) this.#clock.later(at - this.#clock.now, () => relay.forward(packet))
  }

  #isLost(side: Side): boolean {
    const { loss, bursts } = this.conditions
    if (bursts) side.isBad = this.#chance.happens(side.isBad ? 1 - bursts.end : bursts.begin)
    return this.#chance.happens(bursts && side.isBad ? bursts.loss : loss)
  }

  #arrival(side: Side, length: number): number | undefined {
    const { delay, jitter, rate, queue, reordering, heldBack } = this.conditions
    const { now } = this.#clock
    const waits = Math.max(0, side.freeAt - now)
    if (waits > 0 && waits * rate + length > queue) return undefined
    side.freeAt = now + waits + length / rate
    const at = side.freeAt + delay + (jitter === 0 ? 0 : jitter * this.#chance.fraction())
    if (this.#chance.happens(reordering)) return at + heldBack
    side.lastAt = Math.max(side.lastAt, at)
    return side.lastAt
  }
}

function newSide(): Side {
  return { isBad: false, freeAt: 0, lastAt: 0 }
}
