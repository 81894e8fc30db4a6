import type { Aead } from '../aead.ts'
import { equalOctets, type Keymat, Nonce } from '../keymat.ts'
import type { EspTransform } from '../transform.ts'
import { type AesKey, ctr, encryptBlock, expandEncryptionKey, readWord } from './aes.ts'
import { CbcMac } from './block-mac.ts'

/** AES-CCM with an 11-octet nonce and L = 4 (RFC 4309 §4, RFC 3610 §2). */
export class NobleCcm implements Aead {
  readonly ivLength = 8
  readonly icvLength: number
  readonly #key: AesKey
  readonly #nonce: Nonce
  readonly #mac: CbcMac
  /** Flags | nonce, what counter blocks begin with. */
  readonly #prefix = new Uint8Array(12)
  readonly #header = new Uint8Array(16)
  readonly #tag = new Uint8Array(16)

  constructor(transform: EspTransform, keymat: Keymat) {
    this.icvLength = transform.icvLength
    this.#key = expandEncryptionKey(keymat.encryption)
    this.#nonce = new Nonce(keymat.salt, this.ivLength)
    this.#mac = new CbcMac(this.#key)
  }

  seal(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): void {
    this.#setNonce(iv)
    this.#computeTag(aad, aadLength, buffer, offset, length)
    ctr(this.#key, this.#prefix, FIRST_COUNTER, buffer, offset, length)
    for (let i = 0; i < this.icvLength; i++) buffer[offset + length + i] = this.#tag[i]!
  }

  open(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): boolean {
    this.#setNonce(iv)
    ctr(this.#key, this.#prefix, FIRST_COUNTER, buffer, offset, length)
    this.#computeTag(aad, aadLength, buffer, offset, length)
    return equalOctets(this.#tag, 0, buffer, offset + length, this.icvLength)
  }

  #setNonce(iv: Uint8Array): void {
    const nonce = this.#nonce.write(iv)
    this.#prefix[0] = LENGTH_OCTETS - 1
    for (let i = 0; i < nonce.length; i++) this.#prefix[1 + i] = nonce[i]!
  }

  /** RFC 3610 §2.2 and §2.3, over plaintext. */
  #computeTag(aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): void {
    const mac = this.#mac
    const header = this.#header
    header.set(this.#prefix)
    header[0] = (aadLength > 0 ? 0x40 : 0) | (((this.icvLength - 2) / 2) << 3) | (LENGTH_OCTETS - 1)
    header[12] = length >>> 24
    header[13] = length >>> 16
    header[14] = length >>> 8
    header[15] = length
    mac.start()
    mac.absorb(header, 0, 16)
    if (aadLength > 0) {
      // ESP has 8 or 12 octets; the two-octet form of the length ends at 0xfeff.
      header[0] = aadLength >>> 8
      header[1] = aadLength
      mac.absorb(header, 0, 2)
      mac.absorb(aad, 0, aadLength)
      mac.pad()
    }
    mac.absorb(buffer, offset, length)
    mac.pad()
    const prefix = this.#prefix
    const { s0, s1, s2, s3 } = encryptBlock(this.#key, readWord(prefix, 0), readWord(prefix, 4), readWord(prefix, 8), 0)
    for (let i = 0; i < 16; i++) this.#tag[i] = mac.tagOctet(i, s0, s1, s2, s3)
  }
}

/** L of RFC 3610; RFC 4309 §4 has a 4-octet block counter. */
const LENGTH_OCTETS = 4
/** Counter 0 masks the tag. */
const FIRST_COUNTER = 1
