export type FramingProfileName = 'rfc9329' | 'pauly-03' | '3gpp-ftt'

/** RFC 9329 §4, Figure 3: "IKETCP", the first octets of the TCP Originator's stream. */
export const STREAM_PREFIX: Uint8Array = Uint8Array.of(0x49, 0x4b, 0x45, 0x54, 0x43, 0x50)

/** One way to cut a stream into IKE and ESP messages. Both ends are configured with the same one; there is no detection. */
export interface FramingProfile {
  readonly name: FramingProfileName
  /** Octets of the Length field. Its value counts itself. */
  readonly lengthOctets: 2 | 4
  /** Whether the TCP Originator's stream begins with STREAM_PREFIX. */
  readonly hasPrefix: boolean
  /** Largest message in octets: what follows Length, so for IKE the Non-ESP marker counts. */
  readonly maxMessage: number
  /** A whole NAT keepalive frame, Length included. Recognised on receipt; not to be sent over TCP (RFC 9329 §6.6). */
  readonly keepalive: Uint8Array
  /** What an unparsable message is: a drop to be counted, or the end of the connection. */
  readonly unparsable: 'corrupt' | 'fatal'
  /** Messages of up to this many octets are all dropped as keepalives, whatever is in them. 0: only `keepalive` is one. */
  readonly keepaliveLimit: number
}

export const FRAMING_PROFILES: Readonly<Record<FramingProfileName, FramingProfile>> = {
  rfc9329: {
    name: 'rfc9329',
    lengthOctets: 2,
    hasPrefix: true,
    maxMessage: 0xffff - 2,
    keepalive: Uint8Array.of(0x00, 0x03, 0xff),
    unparsable: 'corrupt',
    keepaliveLimit: 0,
  },
  // draft-pauly-ipsecme-tcp-encaps-03: a stream that cannot be parsed MUST be closed. Its 32-bit Length allows 4 GiB;
  // the limit is UDP's, so that a peer cannot make a receiver hold more than one datagram's worth.
  'pauly-03': {
    name: 'pauly-03',
    lengthOctets: 4,
    hasPrefix: false,
    maxMessage: 0xffff,
    keepalive: Uint8Array.of(0x00, 0x00, 0x00, 0x05, 0xff),
    unparsable: 'fatal',
    keepaliveLimit: 0,
  },
  // TS 24.302 F.3.2: IKEv2 and ESP envelopes have a Length above 6, so 2..6 can only be keep-alives, whose octets
  // (F.3.2.4) are not public. What is sent is RFC 9329's form, which falls in that range.
  '3gpp-ftt': {
    name: '3gpp-ftt',
    lengthOctets: 2,
    hasPrefix: false,
    maxMessage: 0xffff - 2,
    keepalive: Uint8Array.of(0x00, 0x03, 0xff),
    unparsable: 'corrupt',
    keepaliveLimit: 4,
  },
}
