/** EAP in RADIUS (RFC 3579 §3.1): what a conversation asks in Access-Request, and what the answer says. */
import { textOf, u32, utf8 } from './octets.ts'
import { type Attribute, findAttribute, LONGEST_VALUE, type RadiusPacket } from './packet.ts'
import { revealMppeKey } from './protection.ts'
import { AttributeType, MICROSOFT, MicrosoftType, RadiusCode } from './registry.ts'

export interface EapRequest {
  /** The EAP packet of the peer. */
  readonly packet: Uint8Array
  /** User-Name: of its Response/Identity (RFC 3579 §2.1). */
  readonly identity: string
  /** Of the last Access-Challenge (RFC 2865 §5.24). */
  readonly state: Uint8Array | undefined
}

export type EapAnswer =
  | { readonly outcome: 'challenge'; readonly packet: Uint8Array; readonly state: Uint8Array | undefined }
  | ({ readonly outcome: 'accept'; readonly packet: Uint8Array } & Grant)
  | { readonly outcome: 'reject'; readonly packet: Uint8Array; readonly message: string | undefined }

/** What Access-Accept gives. */
export interface Grant {
  /** 64 octets or more (RFC 5247): MS-MPPE-Recv-Key and MS-MPPE-Send-Key (RFC 2548 §2.4.3, §2.4.2), zeros behind. */
  readonly msk: Uint8Array | undefined
  /** User-Name, where the server names the user in its own way. */
  readonly identity: string | undefined
  /** Framed-IP-Address and Framed-IPv6-Address: 4 and 16 octets. */
  readonly addresses: readonly Uint8Array[]
  /** Seconds (RFC 2865 §5.27). */
  readonly sessionTimeout: number | undefined
}

/** RFC 2865 §5.41: Virtual. */
const VIRTUAL = 5
/** RFC 2865 §5.6: Framed. */
const FRAMED = 2
/** RFC 3579 §2.4: what EAP messages of the server fit into, with IKE's and UDP's headers and none of them in fragments. */
const FRAMED_MTU = 1200

const SHORTEST_MSK = 64

/** RFC 2865 §5.8: these let the peer choose, or have the NAS choose. */
const NO_ADDRESS = [0xff_ff_ff_ff, 0xff_ff_ff_fe]

export function requestAttributes({ packet, identity, state }: EapRequest, nasIdentifier: string): Attribute[] {
  return [
    { type: AttributeType.USER_NAME, value: utf8(identity).subarray(0, LONGEST_VALUE) },
    { type: AttributeType.NAS_IDENTIFIER, value: utf8(nasIdentifier) },
    { type: AttributeType.NAS_PORT_TYPE, value: u32(VIRTUAL) },
    { type: AttributeType.SERVICE_TYPE, value: u32(FRAMED) },
    { type: AttributeType.FRAMED_MTU, value: u32(FRAMED_MTU) },
    ...pieces(packet).map((value) => ({ type: AttributeType.EAP_MESSAGE, value })),
    ...(state ? [{ type: AttributeType.STATE, value: state }] : []),
  ]
}

/** What an authentic response says; `undefined` for one that says nothing of EAP. */
export function readEapAnswer(response: RadiusPacket, requestAuthenticator: Uint8Array, secret: Uint8Array): EapAnswer | undefined {
  const { code, attributes } = response
  const packet = joined(attributes)
  switch (code) {
    case RadiusCode.ACCESS_CHALLENGE:
      return packet.length === 0
        ? undefined
        : { outcome: 'challenge', packet, state: findAttribute(attributes, AttributeType.STATE)?.slice() }
    case RadiusCode.ACCESS_ACCEPT:
      return { outcome: 'accept', packet, ...readGrant(attributes, requestAuthenticator, secret) }
    case RadiusCode.ACCESS_REJECT: {
      const message = findAttribute(attributes, AttributeType.REPLY_MESSAGE)
      return { outcome: 'reject', packet, message: message && textOf(message) }
    }
    default:
      return undefined
  }
}

function readGrant(attributes: readonly Attribute[], requestAuthenticator: Uint8Array, secret: Uint8Array): Grant {
  const name = findAttribute(attributes, AttributeType.USER_NAME)
  const timeout = findAttribute(attributes, AttributeType.SESSION_TIMEOUT)
  return {
    msk: readMsk(attributes, requestAuthenticator, secret),
    identity: name && textOf(name),
    addresses: [
      ...addressOf(attributes, AttributeType.FRAMED_IP_ADDRESS, 4),
      ...addressOf(attributes, AttributeType.FRAMED_IPV6_ADDRESS, 16),
    ],
    sessionTimeout: timeout?.length === 4 ? numberOf(timeout) : undefined,
  }
}

function readMsk(attributes: readonly Attribute[], requestAuthenticator: Uint8Array, secret: Uint8Array): Uint8Array | undefined {
  const keyOf = (vendorType: number): Uint8Array | undefined => {
    const hidden = microsoftAttribute(attributes, vendorType)
    return hidden && revealMppeKey(hidden, requestAuthenticator, secret)
  }
  const received = keyOf(MicrosoftType.MS_MPPE_RECV_KEY)
  const sent = keyOf(MicrosoftType.MS_MPPE_SEND_KEY)
  if (!received || !sent) return undefined
  const msk = new Uint8Array(Math.max(SHORTEST_MSK, received.length + sent.length))
  msk.set(received)
  msk.set(sent, received.length)
  for (const part of [received, sent]) part.fill(0)
  return msk
}

/** Vendor-Specific (RFC 2865 §5.26) may hold several, one behind the other. */
function microsoftAttribute(attributes: readonly Attribute[], vendorType: number): Uint8Array | undefined {
  for (const { type, value } of attributes) {
    if (type !== AttributeType.VENDOR_SPECIFIC || value.length < 4 || numberOf(value.subarray(0, 4)) !== MICROSOFT) continue
    for (let offset = 4; offset + 2 <= value.length; ) {
      const end = offset + value[offset + 1]!
      if (end < offset + 2 || end > value.length) break
      if (value[offset] === vendorType) return value.subarray(offset + 2, end)
      offset = end
    }
  }
  return undefined
}

function addressOf(attributes: readonly Attribute[], type: number, length: 4 | 16): Uint8Array[] {
  const value = findAttribute(attributes, type)
  if (value?.length !== length || (length === 4 && NO_ADDRESS.includes(numberOf(value)))) return []
  return [value.slice()]
}

/** RFC 3579 §3.1: one EAP packet in as many attributes as it takes. */
function pieces(packet: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.ceil(packet.length / LONGEST_VALUE) }, (_, i) =>
    packet.subarray(i * LONGEST_VALUE, (i + 1) * LONGEST_VALUE),
  )
}

function joined(attributes: readonly Attribute[]): Uint8Array {
  return Uint8Array.from(attributes.flatMap(({ type, value }) => (type === AttributeType.EAP_MESSAGE ? [...value] : [])))
}

function numberOf(octets: Uint8Array): number {
  return octets.reduce((sum, octet) => sum * 256 + octet, 0)
}
