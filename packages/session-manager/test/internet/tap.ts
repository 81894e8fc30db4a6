/** A hop that notes what passes, and loses what a test says. */
import type { Clock, Direction, Hop, IpPacket, Relay, Segment } from './packet.ts'

interface Passage {
  readonly at: number
  readonly direction: Direction
  readonly packet: IpPacket
}

export class Tap implements Hop {
  readonly passages: Passage[] = []
  loses: (packet: IpPacket, direction: Direction) => boolean = () => false
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  take(packet: IpPacket, direction: Direction, relay: Relay): void {
    this.passages.push({ at: this.#clock.now, direction, packet })
    if (!this.loses(packet, direction)) relay.forward(packet)
  }

  /** Those of one direction, and when. */
  segments(direction: Direction): (Segment & { readonly at: number })[] {
    return this.passages.flatMap(({ at, direction: way, packet: { body } }) =>
      way === direction && body.protocol === 'tcp' ? { ...body, at } : [],
    )
  }
}
