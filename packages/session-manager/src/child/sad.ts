/** The Security Association Database, inbound side (RFC 4301 §4.4.2): Child SAs by the SPI that we chose. */
import { espSpiWord } from '@underpass/esp-crypto'
import type { ChildSa } from './child-sa.ts'

export class Sad {
  /** By the SPI's 32 bits as a signed number: half of the unsigned ones would be an object of its own for each packet. */
  readonly #bySpi = new Map<number, ChildSa>()

  get size(): number {
    return this.#bySpi.size
  }

  get(spi: number): ChildSa | undefined {
    return this.#bySpi.get(spi | 0)
  }

  /** Of the ESP packet at `offset`, of 4 octets at least. */
  ofPacket(buffer: Uint8Array, offset: number): ChildSa | undefined {
    return this.#bySpi.get(espSpiWord(buffer, offset))
  }

  has(spi: number): boolean {
    return this.#bySpi.has(spi | 0)
  }

  set(spi: number, child: ChildSa): void {
    this.#bySpi.set(spi | 0, child)
  }

  delete(spi: number): void {
    this.#bySpi.delete(spi | 0)
  }

  keys(): number[] {
    return Array.from(this.#bySpi.keys(), (spi) => spi >>> 0)
  }

  values(): IterableIterator<ChildSa> {
    return this.#bySpi.values()
  }
}
