/** What shows that a packet is of who has the shared secret (RFC 2865 §3, RFC 3579 §3.2), and what it hides (RFC 2548 §2.4.2). */
import { hmac } from '@noble/hashes/hmac.js'
import { md5 } from '@noble/hashes/legacy.js'
import { concat, constantTimeEqual } from './octets.ts'
import { type Attribute, encodePacket, type RadiusPacket } from './packet.ts'
import { AttributeType } from './registry.ts'

const ZEROS = new Uint8Array(16)

/** An Access-Request with Message-Authenticator, which stands first: nothing that others choose stands before it. @throws RadiusError 'TOO_LONG' */
export function protectRequest(request: RadiusPacket, secret: Uint8Array): Uint8Array {
  const attributes = [{ type: AttributeType.MESSAGE_AUTHENTICATOR, value: ZEROS }, ...request.attributes]
  const octets = encodePacket({ ...request, attributes })
  octets.set(hmac(md5, secret, octets), 22)
  return octets
}

/** Why a response is to be discarded in silence (RFC 3579 §3.2), or `undefined`. `requestAuthenticator`: of what it answers. */
export function whyUnauthentic(response: RadiusPacket, requestAuthenticator: Uint8Array, secret: Uint8Array): string | undefined {
  const asRequested = { ...response, authenticator: requestAuthenticator }
  if (!constantTimeEqual(response.authenticator, md5(concat(encodePacket(asRequested), secret))))
    return 'its Response Authenticator is wrong'
  const authenticators = response.attributes.filter(({ type }) => type === AttributeType.MESSAGE_AUTHENTICATOR)
  if (authenticators.length !== 1) return 'it has not one Message-Authenticator'
  const attributes = response.attributes.map((one): Attribute => (one === authenticators[0] ? { ...one, value: ZEROS } : one))
  const right = hmac(md5, secret, encodePacket({ ...asRequested, attributes }))
  return constantTimeEqual(authenticators[0]!.value, right) ? undefined : 'its Message-Authenticator is wrong'
}

/** The key that `value` of MS-MPPE-Send-Key or MS-MPPE-Recv-Key hides: Salt, then String (RFC 2548 §2.4.2); `undefined` where there is none. */
export function revealMppeKey(value: Uint8Array, requestAuthenticator: Uint8Array, secret: Uint8Array): Uint8Array | undefined {
  const salt = value.subarray(0, 2)
  const hidden = value.subarray(2)
  if (hidden.length === 0 || hidden.length % 16 !== 0) return undefined
  const plain = new Uint8Array(hidden.length)
  let pad = md5(concat(secret, requestAuthenticator, salt))
  for (let offset = 0; offset < hidden.length; offset += 16) {
    for (let i = 0; i < 16; i++) plain[offset + i] = hidden[offset + i]! ^ pad[i]!
    pad = md5(concat(secret, hidden.subarray(offset, offset + 16)))
  }
  const length = plain[0]!
  const key = length > 0 && length < plain.length ? plain.slice(1, 1 + length) : undefined
  plain.fill(0)
  return key
}
