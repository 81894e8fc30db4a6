import { addressOf, checkRange, nativeBuffer } from './address.ts'
import { NativeError } from './native-error.ts'

const NONCE_ROOM = 16
const AAD_ROOM = 80

/** Memory of one key that never moves: `room` octets for the library, then what small arguments are copied to. */
export class AeadScratch {
  /** The first `room` octets are the library's. */
  readonly bytes: Uint8Array
  /** Of the library's octets, a multiple of `alignment`. */
  readonly address: number
  readonly nonceAddress: number
  readonly #nonceLength: number
  readonly #nonce: number
  readonly #aad: number

  constructor(nonceLength: number, room: number, alignment = 1) {
    const { bytes, address } = nativeBuffer(room + NONCE_ROOM + AAD_ROOM, alignment)
    this.bytes = bytes
    this.address = address
    this.#nonceLength = nonceLength
    this.#nonce = room
    this.#aad = room + NONCE_ROOM
    this.nonceAddress = address + room
  }

  /**
   * Copies the nonce to `nonceAddress`.
   *
   * @returns where the associated data is: a copy, as small arrays may move, or itself where that is too long
   * @throws NativeError `ARGUMENT`
   */
  take(nonce: Uint8Array, aad: Uint8Array, aadLength: number): number {
    const { bytes } = this
    const nonceLength = this.#nonceLength
    if (nonce.length < nonceLength) throw new NativeError('ARGUMENT', `a nonce of ${nonce.length} octets, not ${nonceLength}`)
    checkRange(aad, 0, aadLength)
    const nonceAt = this.#nonce
    for (let i = 0; i < nonceLength; i++) bytes[nonceAt + i] = nonce[i]
    if (aadLength > AAD_ROOM) return addressOf(aad)
    const aadAt = this.#aad
    for (let i = 0; i < aadLength; i++) bytes[aadAt + i] = aad[i]
    return this.address + aadAt
  }

  erase(): void {
    this.bytes.fill(0)
  }
}
