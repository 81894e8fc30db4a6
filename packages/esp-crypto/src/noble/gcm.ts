import type { Aead } from '../aead.ts'
import { equalOctets, type Keymat, Nonce } from '../keymat.ts'
import type { EspTransform } from '../transform.ts'
import { type AesKey, counterWord, ctr, encryptBlock, expandEncryptionKey, readWord, writeWord } from './aes.ts'
import { GhashMac } from './block-mac.ts'

/** AES-GCM with a 96-bit nonce (RFC 4106, SP 800-38D §7), and as GMAC where nothing is encrypted (RFC 4543). */
export class NobleGcm implements Aead {
  readonly ivLength = 8
  readonly icvLength: number
  readonly #isGmac: boolean
  readonly #key: AesKey
  readonly #nonce: Nonce
  readonly #ghash: GhashMac
  readonly #tag = new Uint8Array(16)

  constructor(transform: EspTransform, keymat: Keymat) {
    this.icvLength = transform.icvLength
    this.#isGmac = transform.cipher === 'AES-GMAC'
    this.#key = expandEncryptionKey(keymat.encryption)
    this.#nonce = new Nonce(keymat.salt, this.ivLength)
    this.#ghash = new GhashMac(hashSubkey(this.#key))
  }

  seal(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): void {
    const nonce = this.#nonce.write(iv)
    if (!this.#isGmac) ctr(this.#key, nonce, FIRST_COUNTER, buffer, offset, length)
    this.#computeTag(nonce, iv, aad, aadLength, buffer, offset, length)
    for (let i = 0; i < this.icvLength; i++) buffer[offset + length + i] = this.#tag[i]!
  }

  open(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): boolean {
    const nonce = this.#nonce.write(iv)
    this.#computeTag(nonce, iv, aad, aadLength, buffer, offset, length)
    if (!equalOctets(this.#tag, 0, buffer, offset + length, this.icvLength)) return false
    if (!this.#isGmac) ctr(this.#key, nonce, FIRST_COUNTER, buffer, offset, length)
    return true
  }

  #computeTag(
    nonce: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    aadLength: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const ghash = this.#ghash
    ghash.start()
    ghash.absorb(aad, 0, aadLength)
    if (this.#isGmac) {
      // RFC 4543 §3.3 and Figure 4: the IV and the whole payload are associated data, and the plaintext is empty.
      ghash.absorb(iv, 0, iv.length)
      ghash.absorb(buffer, offset, length)
      ghash.pad()
      lengthsBlock(ghash, aadLength + iv.length + length, 0)
    } else {
      ghash.pad()
      ghash.absorb(buffer, offset, length)
      ghash.pad()
      lengthsBlock(ghash, aadLength, length)
    }
    const { s0, s1, s2, s3 } = encryptBlock(this.#key, readWord(nonce, 0), readWord(nonce, 4), readWord(nonce, 8), counterWord(1))
    for (let i = 0; i < 16; i++) this.#tag[i] = ghash.tagOctet(i, s0, s1, s2, s3)
  }
}

/** Counter 1 masks the tag. */
const FIRST_COUNTER = 2

function hashSubkey(key: AesKey): Uint8Array {
  const { s0, s1, s2, s3 } = encryptBlock(key, 0, 0, 0, 0)
  const subkey = new Uint8Array(16)
  writeWord(subkey, 0, s0)
  writeWord(subkey, 4, s1)
  writeWord(subkey, 8, s2)
  writeWord(subkey, 12, s3)
  return subkey
}

/** Both lengths in bits, 64 bits each, big-endian; no buffer here reaches 2^32 octets. */
function lengthsBlock(ghash: GhashMac, aadLength: number, length: number): void {
  ghash.block(
    counterWord(Math.floor(aadLength / 2 ** 29)),
    counterWord((aadLength << 3) >>> 0),
    counterWord(Math.floor(length / 2 ** 29)),
    counterWord((length << 3) >>> 0),
  )
}
