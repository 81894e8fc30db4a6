import { CodecError, type CodecErrorCode } from './codec-error.ts'

/** A growing writer that checks ranges. As with the reader, a failed writer is not used again. */
export class ByteWriter {
  #bytes: Uint8Array = new Uint8Array(512)
  #view: DataView = new DataView(this.#bytes.buffer)
  #offset = 0
  readonly #path: string[] = []

  get offset(): number {
    return this.#offset
  }

  u8(value: number, field: string): void {
    this.#check(value, 0xff, field)
    const at = this.reserve(1)
    this.#view.setUint8(at, value)
  }

  u16(value: number, field: string): void {
    this.#check(value, 0xffff, field)
    const at = this.reserve(2)
    this.#view.setUint16(at, value)
  }

  u32(value: number, field: string): void {
    this.#check(value, 0xffff_ffff, field)
    const at = this.reserve(4)
    this.#view.setUint32(at, value)
  }

  u64(value: bigint, field: string): void {
    if (typeof value !== 'bigint' || value < 0n || value > 0xffff_ffff_ffff_ffffn) this.fail('OUT_OF_RANGE', field)
    const at = this.reserve(8)
    this.#view.setBigUint64(at, value)
  }

  octets(value: Uint8Array, field: string): void {
    if (!(value instanceof Uint8Array)) this.fail('OUT_OF_RANGE', field)
    const at = this.reserve(value.length)
    this.#bytes.set(value, at)
  }

  /** Zero octets to be filled in, or RESERVED. Returns where they begin; may move the buffer, so it comes before any use of it. */
  reserve(length: number): number {
    const start = this.#offset
    this.#grow(start + length)
    this.#offset = start + length
    return start
  }

  /** Fills in what was written as a placeholder. */
  patchU32(offset: number, value: number, field: string): void {
    this.#check(value, 0xffff_ffff, field)
    this.#view.setUint32(offset, value)
  }

  scope(name: string, encode: () => void): void {
    this.#path.push(name)
    encode()
    this.#path.pop()
  }

  /** The 16-bit length that ends a 4-octet header, counts it too, and is filled in when `encode` has written the rest. */
  lengthCountingHeader(encode: () => void): void {
    const at = this.reserve(2)
    encode()
    const length = this.#offset - at + 2
    if (length > 0xffff) this.fail('TOO_LONG', 'length')
    this.#view.setUint16(at, length)
  }

  fail(code: CodecErrorCode, field = ''): never {
    throw new CodecError(code, [...this.#path, field].filter((part) => part !== '').join('.'), this.#offset)
  }

  /** A copy of exactly what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#offset)
  }

  #check(value: number, maximum: number, field: string): void {
    if (!Number.isInteger(value) || value < 0 || value > maximum) this.fail('OUT_OF_RANGE', field)
  }

  #grow(length: number): void {
    if (length <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2))
    larger.set(this.#bytes)
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}
