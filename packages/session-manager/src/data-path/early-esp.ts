/**
 * ESP that is ahead of the answer that makes its Child SA. Who answers CREATE_CHILD_SA may send by the new SA at once (RFC 7296 §2.8), and our
 * half of the key exchange takes a while: what comes meanwhile by the SPI that we chose waits, a little of it, instead of being lost.
 */
import { espSpiWord } from '@underpass/esp-crypto'
import type { Core } from '../core.ts'
import type { IkeSa } from '../ike/ike-sa.ts'
import type { ChildCreation } from '../ike/rekeying/creation.ts'
import type { Path } from '../paths/path.ts'

interface HeldPacket {
  readonly octets: Uint8Array
  readonly arrival: Path
}

/** All together: nobody who has not seen the request can know the SPI. */
const MAX_PACKETS = 1_024
const MAX_OCTETS = 1_048_576

export class EarlyEsp {
  readonly #expected = new Map<number, { readonly sa: IkeSa; readonly creation: ChildCreation }>()
  #held: HeldPacket[] = []
  #octets = 0

  /** The request that offers the SPI goes out. */
  expect(sa: IkeSa, creation: ChildCreation): void {
    for (const spi of this.#expected.keys()) if (!this.#isExpected(spi)) this.#expected.delete(spi)
    this.#expected.set(creation.inboundSpi | 0, { sa, creation })
  }

  /** Whether a packet of no Child SA here is for one that is being made: it is kept, while there is room. */
  hold(core: Core, buffer: Uint8Array, offset: number, length: number, arrival: Path): boolean {
    if (this.#expected.size === 0 || !this.#isExpected(espSpiWord(buffer, offset))) return false
    if (this.#held.length >= MAX_PACKETS || this.#octets + length > MAX_OCTETS) core.count('esp-early-lost')
    else {
      this.#held.push({ octets: buffer.slice(offset, offset + length), arrival })
      this.#octets += length
      core.count('esp-early')
    }
    return true
  }

  /** Those that have their Child SA by now, or will have none, in order. */
  take(core: Core): readonly HeldPacket[] {
    if (this.#held.length === 0) return this.#held
    const isWaiting = ({ octets }: HeldPacket): boolean =>
      core.sad.ofPacket(octets, 0) === undefined && this.#isExpected(espSpiWord(octets, 0))
    const taken = this.#held.filter((packet) => !isWaiting(packet))
    this.#held = this.#held.filter(isWaiting)
    this.#octets = this.#held.reduce((sum, { octets }) => sum + octets.length, 0)
    return taken.filter(({ arrival }) => arrival.transport === 'udp' || core.connections.has(arrival.connection.id))
  }

  #isExpected(spi: number): boolean {
    const expected = this.#expected.get(spi)
    return expected?.sa.series.current.creations.has(expected.creation) === true
  }
}
