import type { Aead } from './aead.ts'
import { EspDrop } from './drop.ts'
import { EspCryptoError } from './error.ts'
import { copyOctets, IV, SEQUENCE_NUMBER, SPI, TRAILER_LENGTH, writeAad, writeUint32 } from './esp-packet.ts'
import type { EspTransform } from './transform.ts'

export interface EspOutboundOptions {
  /** The peer's SPI for this SA, not 0. */
  readonly spi: number
  readonly transform: EspTransform
  /** Made for `transform` and for this SA alone: the IVs are unique per object of this class, not per key. */
  readonly aead: Aead
  /** Extended (64-bit) Sequence Numbers were negotiated (RFC 4303 §2.2.1). */
  readonly esn: boolean
  readonly mode?: 'tunnel' | 'transport'
  /** Fills its argument with unpredictable octets. Required where the IV must be (AES-CBC, RFC 3602 §3). */
  readonly random?: (octets: Uint8Array) => void
  /** The number last used, where an SA is continued (RFC 6311); the first packet gets the next. Default 0. */
  readonly sequence?: { readonly high: number; readonly low: number }
}

/**
 * The sending side of an ESP SA (RFC 4303 §3.3): numbers, pads and seals packets into buffers of the caller.
 *
 * @example
 * const written = outbound.encapsulate(packet, 0, packet.length, NextHeader.IPV4, wire, 2)
 * if (written < 0) rekey(nameOfDrop(written))
 */
export class EspOutbound {
  readonly spi: number
  readonly transform: EspTransform
  readonly mode: 'tunnel' | 'transport'
  /** Packets sealed. */
  packets = 0
  /** Octets of payload sealed, without padding. */
  octets = 0
  readonly #spiWord: number
  readonly #aead: Aead
  readonly #esn: boolean
  readonly #random: ((octets: Uint8Array) => void) | undefined
  readonly #align: number
  readonly #iv: Uint8Array
  readonly #aad = new Uint8Array(12)
  #high: number
  #low: number

  /** @throws EspCryptoError `SPI_OUT_OF_RANGE`, `RANDOM_REQUIRED`, `SEQUENCE_OUT_OF_RANGE`, `AEAD_MISMATCH` */
  constructor(options: EspOutboundOptions) {
    const { spi, transform, aead, esn, sequence } = options
    checkSa(spi, transform, aead)
    if (transform.cipher === 'AES-CBC' && !options.random) throw new EspCryptoError('RANDOM_REQUIRED', { transform: transform.name })
    this.spi = spi
    this.#spiWord = spi | 0
    this.transform = transform
    this.mode = options.mode ?? 'tunnel'
    this.#aead = aead
    this.#esn = esn
    this.#random = transform.cipher === 'AES-CBC' ? options.random : undefined
    this.#align = Math.max(4, transform.blockLength)
    this.#iv = new Uint8Array(aead.ivLength)
    this.#high = sequence?.high ?? 0
    this.#low = sequence?.low ?? 0
    if (!isUint32(this.#high) || !isUint32(this.#low) || (!esn && this.#high !== 0)) {
      throw new EspCryptoError('SEQUENCE_OUT_OF_RANGE', { high: this.#high, low: this.#low })
    }
  }

  /** Halves of the Sequence Number last used. */
  get sequenceHigh(): number {
    return this.#high
  }
  get sequenceLow(): number {
    return this.#low
  }

  /** What is left: near 0 it is time to rekey. Inexact above 2^53, where it does not matter. */
  get sequenceRemaining(): number {
    return (this.#esn ? (MAX_UINT32 - this.#high) * 2 ** 32 : 0) + (MAX_UINT32 - this.#low)
  }

  /** Octets that `encapsulate` adds to a payload of this length: header, IV, padding, trailer, ICV. */
  overhead(payloadLength: number): number {
    return IV + this.transform.ivLength + this.#padLength(payloadLength) + TRAILER_LENGTH + this.transform.icvLength
  }

  /**
   * Seals `src[srcOffset, srcOffset + length)` into `dst` at `dstOffset`, which needs room for `length + overhead(length)`.
   * A payload that already lies where it belongs (`src === dst`, `srcOffset === dstOffset + 8 + ivLength`) is not copied.
   *
   * @param nextHeader 4 or 41 in tunnel mode, the protocol in transport mode, 59 for a dummy packet (§2.6)
   * @param tfcLength octets of TFC padding after the payload, only if the peer did not refuse them (§2.7); part of the overhead's `payloadLength`
   * @param tailroom octets behind the payload in `src` that may be overwritten; with enough of them some providers spare a copy
   * @returns octets written, or `EspDrop.SEQUENCE_EXHAUSTED`
   */
  encapsulate(
    src: Uint8Array,
    srcOffset: number,
    length: number,
    nextHeader: number,
    dst: Uint8Array,
    dstOffset: number,
    tfcLength = 0,
    tailroom = 0,
  ): number {
    if (!this.#nextSequence()) return EspDrop.SEQUENCE_EXHAUSTED
    const aead = this.#aead
    const ivLength = this.transform.ivLength
    const payload = dstOffset + IV + ivLength
    const padLength = this.#padLength(length + tfcLength)
    const sealed = length + tfcLength + padLength + TRAILER_LENGTH

    this.#nextIv()
    writeUint32(dst, dstOffset + SPI, this.#spiWord)
    writeUint32(dst, dstOffset + SEQUENCE_NUMBER, this.#low)
    for (let i = 0; i < ivLength; i++) dst[dstOffset + IV + i] = this.#iv[i]!
    const aadLength = writeAad(this.#aad, this.#spiWord, this.#esn, this.#high, this.#low)
    if (aead.sealFrom && tailroom >= sealed - length && src.buffer !== dst.buffer) {
      writeTrailer(src, srcOffset + length, tfcLength, padLength, nextHeader)
      aead.sealFrom(this.#iv, this.#aad, aadLength, src, srcOffset, sealed, dst, payload)
    } else {
      copyOctets(src, srcOffset, length, dst, payload)
      writeTrailer(dst, payload + length, tfcLength, padLength, nextHeader)
      aead.seal(this.#iv, this.#aad, aadLength, dst, payload, sealed)
    }
    this.packets++
    this.octets += length
    return IV + ivLength + sealed + this.transform.icvLength
  }

  /** Starts at 1 and never cycles (§3.3.3). */
  #nextSequence(): boolean {
    if (this.#low < MAX_UINT32) {
      this.#low++
      return true
    }
    if (!this.#esn || this.#high === MAX_UINT32) return false
    this.#high++
    this.#low = 0
    return true
  }

  /**
   * Nonce uniqueness (RFC 4106 §3.1, RFC 4309 §3.1, RFC 7634 §2, RFC 4543 §3.1): the IV is the 64-bit sequence number, which
   * `#nextSequence` has just moved to a value this object never had before; the salt is fixed for the key; IKE gives each
   * direction of each SA its own key (RFC 7296 §2.17), and one object of this class owns it. So salt | IV repeats for no key.
   * It is also what RFC 8750 §4 wants of an implicit IV.
   */
  #nextIv(): void {
    if (this.#random) this.#random(this.#iv)
    else if (this.#iv.length === 8) {
      writeUint32(this.#iv, 0, this.#high)
      writeUint32(this.#iv, 4, this.#low)
    }
  }

  /** Right-aligns Pad Length and Next Header in a 4-octet word or a cipher block (§2.4). */
  #padLength(payloadLength: number): number {
    return (this.#align - ((payloadLength + TRAILER_LENGTH) % this.#align)) % this.#align
  }
}

/** TFC padding, Padding, Pad Length, Next Header (§2.4 to §2.7). */
function writeTrailer(buffer: Uint8Array, offset: number, tfcLength: number, padLength: number, nextHeader: number): void {
  let at = offset
  for (let i = 0; i < tfcLength; i++) buffer[at++] = 0
  for (let i = 1; i <= padLength; i++) buffer[at++] = i
  buffer[at++] = padLength
  buffer[at] = nextHeader
}

/** What both directions ask of their parameters. */
export function checkSa(spi: number, transform: EspTransform, aead: Aead): void {
  if (!isUint32(spi) || spi === 0) throw new EspCryptoError('SPI_OUT_OF_RANGE', { spi })
  if (aead.icvLength !== transform.icvLength) {
    throw new EspCryptoError('AEAD_MISMATCH', { transform: transform.name, reason: `icvLength ${aead.icvLength}` })
  }
  if (aead.ivLength !== (transform.hasImplicitIv ? 8 : transform.ivLength)) {
    throw new EspCryptoError('AEAD_MISMATCH', { transform: transform.name, reason: `ivLength ${aead.ivLength}` })
  }
}

function isUint32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MAX_UINT32
}

const MAX_UINT32 = 0xffffffff
