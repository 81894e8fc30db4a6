import type { Aead } from './aead.ts'
import { EspDrop } from './drop.ts'
import { checkSa } from './esp-outbound.ts'
import { copyOctets, espSpiWord, IV, NextHeader, readUint32, SEQUENCE_NUMBER, TRAILER_LENGTH, writeAad, writeUint32 } from './esp-packet.ts'
import { ReplayWindow } from './replay-window.ts'
import type { EspTransform } from './transform.ts'

export interface EspInboundOptions {
  /** Our SPI for this SA, not 0. */
  readonly spi: number
  readonly transform: EspTransform
  readonly aead: Aead
  readonly esn: boolean
  /** Numbers the anti-replay window spans, 32 to 4096. RFC 4303 §3.4.3 prefers 64 at least. */
  readonly replayWindow: number
  readonly mode?: 'tunnel' | 'transport'
}

/** What happened to the packets of an SA so far; each drop is counted in one place. */
export interface EspInboundCounters {
  /** Authentic packets that were passed on, and the octets of their payload. */
  packets: number
  octets: number
  /** Authentic packets with Next Header 59. */
  dummies: number
  truncated: number
  replay: number
  icv: number
  padding: number
  nextHeader: number
  inner: number
  /** Times the high half of an ESN was found again after a loss of 2^32 packets (RFC 4303 Appendix A3). */
  resynchronisations: number
}

/**
 * The receiving side of an ESP SA (RFC 4303 §3.4). The order is the RFC's: replay check, ICV and decryption, replay accept,
 * padding, Next Header, TFC padding. The selector check (RFC 4301 §5.2) is the caller's.
 *
 * @example
 * const length = inbound.decapsulate(frame, 2, frameLength, packets, 0)
 * if (length > 0) deliver(packets, 0, length)
 */
export class EspInbound {
  readonly spi: number
  readonly transform: EspTransform
  readonly mode: 'tunnel' | 'transport'
  /** Of the packet last opened. */
  nextHeader = 0
  readonly counters: EspInboundCounters = {
    packets: 0,
    octets: 0,
    dummies: 0,
    truncated: 0,
    replay: 0,
    icv: 0,
    padding: 0,
    nextHeader: 0,
    inner: 0,
    resynchronisations: 0,
  }
  readonly replayWindow: ReplayWindow
  readonly #spiWord: number
  readonly #aead: Aead
  readonly #esn: boolean
  readonly #minimum: number
  readonly #iv: Uint8Array
  readonly #aad = new Uint8Array(12)
  #consecutiveFailures = 0

  /** @throws EspCryptoError `SPI_OUT_OF_RANGE`, `WINDOW_SIZE_OUT_OF_RANGE`, `AEAD_MISMATCH` */
  constructor(options: EspInboundOptions) {
    const { spi, transform, aead, esn } = options
    checkSa(spi, transform, aead)
    this.spi = spi
    this.#spiWord = spi | 0
    this.transform = transform
    this.mode = options.mode ?? 'tunnel'
    this.replayWindow = new ReplayWindow(options.replayWindow, esn)
    this.#aead = aead
    this.#esn = esn
    this.#minimum = IV + transform.ivLength + Math.max(TRAILER_LENGTH, transform.blockLength) + transform.icvLength
    this.#iv = new Uint8Array(aead.ivLength)
  }

  /**
   * Opens the ESP packet `src[srcOffset, srcOffset + length)`, SPI to ICV, into `dst`, which needs room for `length` octets
   * at `dstOffset`. `src` is not written to, unless it is `dst`.
   *
   * @returns length of the payload at `dstOffset`; 0 for a dummy packet, to be discarded without a word (§2.6); or a negative
   *   `EspDrop`. Octets that are not authentic are never left in `dst` (§3.4.4)
   */
  decapsulate(src: Uint8Array, srcOffset: number, length: number, dst: Uint8Array, dstOffset: number): number {
    const { ivLength, icvLength, blockLength } = this.transform
    const sealed = length - IV - ivLength - icvLength
    if (length < this.#minimum || sealed % blockLength !== 0) return this.#drop(EspDrop.TRUNCATED, 'truncated')
    if (espSpiWord(src, srcOffset) !== this.#spiWord) return EspDrop.SPI

    const low = readUint32(src, srcOffset + SEQUENCE_NUMBER)
    if (!this.replayWindow.check(low)) return this.#drop(EspDrop.REPLAY, 'replay')
    let high = this.replayWindow.high
    if (!this.#open(src, srcOffset, sealed, dst, dstOffset, high, low)) {
      high = this.#resynchronise(src, srcOffset, sealed, dst, dstOffset, high, low)
      if (high < 0) {
        dst.fill(0, dstOffset, dstOffset + sealed)
        return this.#drop(EspDrop.ICV, 'icv')
      }
    }
    this.#consecutiveFailures = 0
    if (!this.replayWindow.accept(high, low)) return this.#drop(EspDrop.REPLAY, 'replay')
    return this.#unwrap(dst, dstOffset, sealed)
  }

  #open(src: Uint8Array, srcOffset: number, sealed: number, dst: Uint8Array, dstOffset: number, high: number, low: number): boolean {
    const { ivLength, icvLength } = this.transform
    const iv = this.#iv
    for (let i = 0; i < ivLength; i++) iv[i] = src[srcOffset + IV + i]!
    if (this.transform.hasImplicitIv) {
      writeUint32(iv, 0, high)
      writeUint32(iv, 4, low)
    }
    const aead = this.#aead
    const ciphertext = srcOffset + IV + ivLength
    const aadLength = writeAad(this.#aad, this.#spiWord, this.#esn, high, low)
    if (aead.openFrom && src.buffer !== dst.buffer) return aead.openFrom(iv, this.#aad, aadLength, src, ciphertext, sealed, dst, dstOffset)
    copyOctets(src, ciphertext, sealed + icvLength, dst, dstOffset)
    return aead.open(iv, this.#aad, aadLength, dst, dstOffset, sealed)
  }

  /**
   * RFC 4303 Appendix A3: after many failures in a row, one packet is tried with a few larger high halves. Bounded, so that
   * forgeries cost at most RETRIES / TRIGGER more than they do anyway. Returns the high half found, or −1.
   */
  #resynchronise(
    src: Uint8Array,
    srcOffset: number,
    sealed: number,
    dst: Uint8Array,
    dstOffset: number,
    high: number,
    low: number,
  ): number {
    if (!this.#esn || src === dst || ++this.#consecutiveFailures % RESYNC_TRIGGER !== 0) return -1
    for (let candidate = high + 1; candidate <= Math.min(high + RESYNC_RETRIES, 0xffffffff); candidate++) {
      if (this.#open(src, srcOffset, sealed, dst, dstOffset, candidate, low)) {
        this.counters.resynchronisations++
        return candidate
      }
    }
    return -1
  }

  /** §2.4 to §2.7, on authentic plaintext only. */
  #unwrap(dst: Uint8Array, offset: number, sealed: number): number {
    const trailer = offset + sealed - TRAILER_LENGTH
    const padLength = dst[trailer]!
    const available = sealed - TRAILER_LENGTH - padLength
    if (available < 0) return this.#drop(EspDrop.PADDING, 'padding')
    for (let i = 1, at = trailer - padLength; i <= padLength; i++) {
      if (dst[at++] !== i) return this.#drop(EspDrop.PADDING, 'padding')
    }
    const nextHeader = dst[trailer + 1]!
    this.nextHeader = nextHeader
    if (nextHeader === NextHeader.NO_NEXT_HEADER) {
      this.counters.dummies++
      return 0
    }
    const length = this.mode === 'tunnel' ? innerLength(nextHeader, dst, offset, available) : available
    if (length < 0) return this.#drop(length, length === EspDrop.NEXT_HEADER ? 'nextHeader' : 'inner')
    this.counters.packets++
    this.counters.octets += length
    return length
  }

  #drop(code: number, counter: keyof EspInboundCounters): number {
    this.counters[counter]++
    return code
  }
}

/** The inner packet says how long it is; what follows it is TFC padding (§2.7). */
function innerLength(nextHeader: number, buffer: Uint8Array, offset: number, available: number): number {
  const version = nextHeader === NextHeader.IPV4 ? 4 : nextHeader === NextHeader.IPV6 ? 6 : 0
  if (version === 0) return EspDrop.NEXT_HEADER
  const minimum = version === 4 ? 20 : 40
  if (available < minimum) return EspDrop.INNER_LENGTH
  if (buffer[offset]! >>> 4 !== version) return EspDrop.INNER_VERSION
  const field = offset + (version === 4 ? 2 : 4)
  const length = ((buffer[field]! << 8) | buffer[field + 1]!) + (version === 4 ? 0 : 40)
  return length < minimum || length > available ? EspDrop.INNER_LENGTH : length
}

const RESYNC_TRIGGER = 64
const RESYNC_RETRIES = 4
