import { createHmac } from 'node:crypto'
import { addressOf } from './address.ts'
import type { AeadAlgorithm, NativeAead } from './aead.ts'
import { openLibrary } from './koffi.ts'

/** A cipher suite of TLS 1.3 (RFC 8446 Appendix B.4) whose records can be protected here. */
export interface RecordSuite {
  readonly cipher: AeadAlgorithm['cipher']
  readonly keyLength: number
  readonly hash: 'sha256' | 'sha384'
  readonly hashLength: number
}

export const RECORD_SUITES: Readonly<Record<string, RecordSuite>> = {
  TLS_AES_256_GCM_SHA384: { cipher: 'aes-256-gcm', keyLength: 32, hash: 'sha384', hashLength: 48 },
  TLS_AES_128_GCM_SHA256: { cipher: 'aes-128-gcm', keyLength: 16, hash: 'sha256', hashLength: 32 },
}

export type CreateAead = (algorithm: AeadAlgorithm, key: Uint8Array) => NativeAead

/** Octets of TLSCiphertext before its fragment: opaque_type, legacy_record_version, length. */
export const HEADER = 5
export const TAG = 16
/** Octets of content at most, and what a peer's fragment may have beyond them (RFC 8446 §5.2). */
export const RECORD = 0x4000
export const EXPANSION = 256
/** ContentType (RFC 8446 §5.1). */
export const APPLICATION_DATA = 23

const NONCE = 12

/**
 * One direction's record protection (RFC 8446 §5.2, §5.3), of one traffic secret after the other (§7.2).
 *
 *      | 23 | 3 3 | length | content | type | tag |
 *                          |---- encrypted ---|
 */
export class TrafficKeys {
  readonly #createAead: CreateAead
  readonly #suite: RecordSuite
  readonly #copy: (to: number, from: number, length: number) => void
  #secret: Uint8Array
  #aead!: NativeAead
  #iv: Uint8Array = new Uint8Array(NONCE)
  readonly #nonce = new Uint8Array(NONCE)
  readonly #header = Uint8Array.of(APPLICATION_DATA, 3, 3, 0, 0)
  #sequence: number
  /** Of this key. */
  records = 0

  /** `secret` is the keys' from here on. `sequence`: records that somebody else has protected by it. */
  constructor(createAead: CreateAead, suite: RecordSuite, secret: Uint8Array, sequence: number) {
    this.#createAead = createAead
    this.#suite = suite
    this.#copy = copyFunction()
    this.#secret = secret
    this.#sequence = sequence
    this.#schedule()
  }

  /** Octets of the record that is written to `into[at …]`. `length` is at most {@link RECORD}. */
  seal(type: number, from: Uint8Array, offset: number, length: number, into: Uint8Array, at: number): number {
    const inner = length + 1
    this.#take(inner + TAG)
    for (let i = 0; i < HEADER; i++) into[at + i] = this.#header[i] as number
    if (length > 0) this.#copy(addressOf(into) + at + HEADER, addressOf(from) + offset, length)
    into[at + HEADER + length] = type
    this.#aead.seal(this.#nonce, this.#header, HEADER, into, at + HEADER, inner, into, at + HEADER)
    return HEADER + inner + TAG
  }

  /** `fragment`: octets behind the header at `from[offset …]`. Answers those of the inner plaintext, or −1 where the tag is wrong. */
  open(from: Uint8Array, offset: number, fragment: number, into: Uint8Array, at: number): number {
    this.#take(fragment)
    const isRight = this.#aead.open(this.#nonce, this.#header, HEADER, from, offset + HEADER, fragment - TAG, into, at)
    return isRight ? fragment - TAG : -1
  }

  /** RFC 8446 §7.2: the next generation, after a KeyUpdate. */
  change(): void {
    const next = expandLabel(this.#suite, this.#secret, 'traffic upd', this.#suite.hashLength)
    this.free()
    this.#secret = next
    this.#sequence = 0
    this.records = 0
    this.#schedule()
  }

  free(): void {
    this.#aead.free()
    this.#secret.fill(0)
    this.#iv.fill(0)
    this.#nonce.fill(0)
  }

  #schedule(): void {
    const suite = this.#suite
    const key = expandLabel(suite, this.#secret, 'key', suite.keyLength)
    this.#aead = this.#createAead({ cipher: suite.cipher, tagLength: TAG, nonceLength: NONCE }, key)
    key.fill(0)
    this.#iv = expandLabel(suite, this.#secret, 'iv', NONCE)
  }

  /** Nonce and associated data of the next record (RFC 8446 §5.3). */
  #take(fragment: number): void {
    this.#header[3] = fragment >> 8
    this.#header[4] = fragment & 0xff
    let sequence = this.#sequence++
    this.records++
    for (let i = NONCE - 1; i >= 0; i--) {
      this.#nonce[i] = (this.#iv[i] as number) ^ (sequence & 0xff)
      sequence = Math.floor(sequence / 256)
    }
  }
}

/** HKDF-Expand-Label of RFC 8446 §7.1, without a context: what is asked for is never more than a hash has octets. */
function expandLabel({ hash }: RecordSuite, secret: Uint8Array, label: string, length: number): Uint8Array {
  const name = new TextEncoder().encode(`tls13 ${label}`)
  const info = Uint8Array.of(length >> 8, length & 0xff, name.length, ...name, 0, 1)
  return new Uint8Array(createHmac(hash, secret).update(info).digest()).slice(0, length)
}

let copy: ((to: number, from: number, length: number) => void) | undefined

function copyFunction(): (to: number, from: number, length: number) => void {
  copy ??= openLibrary('libc', [null, 'libc.so.6'], (library) => library.func('void memcpy(uintptr_t to, uintptr_t from, size_t length)'))
  return copy
}
