/** A RADIUS server's answers (RFC 2865, RFC 3579, RFC 2548), made with Node's own crypto: another hand than the client's. */
import { createHash, createHmac } from 'node:crypto'
import { type Attribute, decodePacket, encodePacket } from '../src/index.ts'

export const SECRET: Uint8Array = Buffer.from('testing123')

export interface AnswerOptions {
  readonly secret?: Uint8Array
  readonly withoutMessageAuthenticator?: boolean
}

export function answerTo(request: Uint8Array, code: number, attributes: readonly Attribute[], options: AnswerOptions = {}): Uint8Array {
  const { secret = SECRET, withoutMessageAuthenticator = false } = options
  const { identifier, authenticator } = decodePacket(request)
  const all = withoutMessageAuthenticator ? attributes : [...attributes, { type: 80, value: new Uint8Array(16) }]
  const octets = encodePacket({ code, identifier, authenticator, attributes: all })
  if (!withoutMessageAuthenticator) octets.set(createHmac('md5', secret).update(octets).digest(), octets.length - 16)
  octets.set(createHash('md5').update(octets).update(secret).digest(), 4)
  return octets
}

/** Whether the request shows that it is of who has the secret (RFC 3579 §3.2). */
export function isAuthentic(request: Uint8Array, secret: Uint8Array = SECRET): boolean {
  const zeroed = Uint8Array.from(request)
  const { attributes } = decodePacket(zeroed)
  const value = attributes.find(({ type }) => type === 80)?.value
  const said = value?.slice()
  value?.fill(0)
  return said !== undefined && createHmac('md5', secret).update(zeroed).digest().equals(said)
}

/** Vendor-Specific with MS-MPPE-Send-Key (16) or MS-MPPE-Recv-Key (17). */
export function mppeKey(request: Uint8Array, vendorType: number, key: Uint8Array, secret: Uint8Array = SECRET): Attribute {
  const salt = Uint8Array.of(0x80 + vendorType, 7)
  const plain = new Uint8Array(Math.ceil((key.length + 1) / 16) * 16)
  plain.set([key.length, ...key])
  let previous: Uint8Array = Buffer.concat([decodePacket(request).authenticator, salt])
  for (let offset = 0; offset < plain.length; offset += 16) {
    const pad = createHash('md5').update(secret).update(previous).digest()
    for (let i = 0; i < 16; i++) plain[offset + i]! ^= pad[i]!
    previous = plain.slice(offset, offset + 16)
  }
  return { type: 26, value: Uint8Array.of(0, 0, 1, 55, vendorType, plain.length + 4, ...salt, ...plain) }
}

export function eapMessage(...octets: number[]): Attribute {
  return { type: 79, value: Uint8Array.from(octets) }
}
