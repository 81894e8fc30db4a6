export type RadiusErrorCode =
  /** A packet is not of the form of RFC 2865 §3, §5. */
  | 'MALFORMED'
  /** What was to be sent has no room in a packet of 4096 octets, or in an attribute of 255 (RFC 2865 §3). */
  | 'TOO_LONG'

export class RadiusError extends Error {
  override readonly name = 'RadiusError'
  readonly code: RadiusErrorCode
  /** Of what is wrong, in octets from the start of the packet. */
  readonly offset: number | undefined

  constructor(code: RadiusErrorCode, message: string, offset?: number) {
    super(message)
    this.code = code
    this.offset = offset
  }
}
