import { poly1305 } from '@noble/ciphers/_poly1305.js'
import { chacha20 } from '@noble/ciphers/chacha.js'
import type { Aead } from '../aead.ts'
import { equalOctets, type Keymat, Nonce } from '../keymat.ts'

/** ChaCha20-Poly1305 (RFC 7634, RFC 8439 §2.8). A forged packet is an answer here, where noble's own AEAD throws. */
export class NobleChacha20Poly1305 implements Aead {
  readonly ivLength = 8
  readonly icvLength = 16
  readonly #key: Uint8Array
  readonly #nonce: Nonce
  readonly #oneTimeKey = new Uint8Array(32)
  readonly #tag = new Uint8Array(16)
  readonly #lengths = new Uint8Array(16)
  readonly #lengthsView = new DataView(this.#lengths.buffer)

  constructor(keymat: Keymat) {
    this.#key = keymat.encryption
    this.#nonce = new Nonce(keymat.salt, this.ivLength)
  }

  seal(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): void {
    const nonce = this.#nonce.write(iv)
    const data = buffer.subarray(offset, offset + length)
    chacha20(this.#key, nonce, data, data, 1)
    this.#computeTag(nonce, aad, aadLength, data)
    for (let i = 0; i < 16; i++) buffer[offset + length + i] = this.#tag[i]!
  }

  open(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): boolean {
    const nonce = this.#nonce.write(iv)
    const data = buffer.subarray(offset, offset + length)
    this.#computeTag(nonce, aad, aadLength, data)
    if (!equalOctets(this.#tag, 0, buffer, offset + length, 16)) return false
    chacha20(this.#key, nonce, data, data, 1)
    return true
  }

  #computeTag(nonce: Uint8Array, aad: Uint8Array, aadLength: number, ciphertext: Uint8Array): void {
    // RFC 8439 §2.6: block 0 makes the one-time key.
    chacha20(this.#key, nonce, ZEROES, this.#oneTimeKey, 0)
    const mac = poly1305.create(this.#oneTimeKey)
    mac.update(aad.length === aadLength ? aad : aad.subarray(0, aadLength))
    if (aadLength % 16 !== 0) mac.update(ZEROES.subarray(aadLength % 16, 16))
    mac.update(ciphertext)
    if (ciphertext.length % 16 !== 0) mac.update(ZEROES.subarray(ciphertext.length % 16, 16))
    this.#lengthsView.setUint32(0, aadLength, true)
    this.#lengthsView.setUint32(8, ciphertext.length, true)
    mac.update(this.#lengths)
    mac.digestInto(this.#tag)
    mac.destroy()
  }
}

const ZEROES = new Uint8Array(32)
