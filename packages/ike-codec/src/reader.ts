import { CodecError, type CodecErrorCode } from './codec-error.ts'

/** A bounds-checked reader. A failed reader is not used again: scopes and windows are not restored when something throws. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #path: string[]
  #offset = 0
  #end: number

  constructor(bytes: Uint8Array, path = '') {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#path = path === '' ? [] : [path]
    this.#end = bytes.length
  }

  get offset(): number {
    return this.#offset
  }

  /** Octets left in the current window. */
  get remaining(): number {
    return this.#end - this.#offset
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#advance(1, field))
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#advance(2, field))
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#advance(4, field))
  }

  u64(field: string): bigint {
    return this.#view.getBigUint64(this.#advance(8, field))
  }

  /** RESERVED: "MUST be ignored on receipt" (RFC 7296 §2.5). */
  skip(length: number, field: string): void {
    this.#advance(length, field)
  }

  /** A view, not a copy. */
  octets(length: number, field: string): Uint8Array {
    const start = this.#advance(length, field)
    return this.#bytes.subarray(start, start + length)
  }

  rest(): Uint8Array {
    return this.octets(this.remaining, '')
  }

  /** Names what `decode` reads, for the paths of its errors. */
  scope<T>(name: string, decode: () => T): T {
    this.#path.push(name)
    const value = decode()
    this.#path.pop()
    return value
  }

  /**
   * Reads the 16-bit length that ends a 4-octet header and counts it too (generic payload header, proposal, transform,
   * selector), then decodes exactly that much.
   */
  lengthCountingHeader<T>(decode: () => T): T {
    const at = this.#offset
    const length = this.u16('length')
    if (length < 4) this.fail('ILLEGAL_LENGTH', 'length', at)
    if (length - 4 > this.remaining) this.fail('TRUNCATED', 'length', at)
    return this.#window(length - 4, decode)
  }

  fail(code: CodecErrorCode, field = '', offset: number = this.#offset): never {
    throw new CodecError(code, [...this.#path, field].filter((part) => part !== '').join('.'), offset)
  }

  /** What the current window still holds is an error. */
  end(field = ''): void {
    if (this.remaining > 0) this.fail('TRAILING_OCTETS', field)
  }

  #window<T>(length: number, decode: () => T): T {
    const outer = this.#end
    this.#end = this.#offset + length
    const value = decode()
    this.end()
    this.#end = outer
    return value
  }

  #advance(length: number, field: string): number {
    const start = this.#offset
    if (length > this.#end - start) this.fail('TRUNCATED', field)
    this.#offset = start + length
    return start
  }
}
