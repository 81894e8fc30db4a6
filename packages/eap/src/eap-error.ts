export class EapError extends Error {
  override readonly name = 'EapError'
  readonly code: 'MALFORMED'
  /** Of what is wrong, in octets from the start of the packet. */
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.code = 'MALFORMED'
    this.offset = offset
  }
}
