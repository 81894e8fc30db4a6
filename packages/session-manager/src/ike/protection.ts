/**
 * The Encrypted payload (RFC 7296 §3.14): sealing what we send, opening what came. Only `readContent` makes an
 * `AuthenticatedMessage`: whoever holds one knows that it decrypted and that its ICV was right.
 */
import {
  CodecError,
  decodePayloads,
  encodeEncryptedEnvelope,
  encodePayloads,
  encryptedBodyOffset,
  type HeaderFields,
  HeaderFlag,
  type IkeHeader,
  type IkeMessage,
  type Payload,
} from '@underpass/ike-codec'
import { type IkeKeys, ikeKeys, type Prf, prf, type SkCipher, skCipher } from '@underpass/ike-crypto'
import type { IkeSuite } from '../config.ts'
import type { RandomSource } from '../contract.ts'
import { u32 } from '../octets.ts'
import { SessionError } from '../session-error.ts'

/** The keys of an IKE SA and how they are used. */
export interface Protection {
  readonly prf: Prf
  readonly cipher: SkCipher
  readonly keys: IkeKeys
  /** Messages sealed so far: the explicit IV of an AEAD, which must never repeat under a key (RFC 5282 §3.1). */
  sealed: number
}

declare const authenticated: unique symbol

/** A message that decrypted under the SA's keys and whose ICV was right. */
export interface AuthenticatedMessage {
  readonly [authenticated]: true
  readonly header: IkeHeader
  /** Payloads outside SK; nothing protects them from removal, so exchanges read `inner` only. */
  readonly clear: readonly Payload[]
  readonly inner: readonly Payload[]
  /** What `inner` was decoded from. */
  readonly content: Content
}

/** What an SK holds, without Padding and Pad Length. */
export interface Content {
  readonly firstPayload: number
  readonly bytes: Uint8Array
}

export type OpenResult =
  | { readonly kind: 'authenticated'; readonly message: AuthenticatedMessage }
  /** Wrong key, damaged or forged: silence. */
  | { readonly kind: 'unauthentic' }
  /** The peer itself wrote something that is no sequence of payloads. */
  | { readonly kind: 'syntax-error'; readonly error: CodecError }

/** The keys from a finished key exchange (RFC 7296 §2.14). */
export function protectionFor(
  suite: IkeSuite,
  skeyseed: Uint8Array,
  initiatorNonce: Uint8Array,
  responderNonce: Uint8Array,
  initiatorSpi: bigint,
  responderSpi: bigint,
): Protection {
  const function_ = prfOf(suite)
  const cipher = skCipher(suite.encryption, suite.keyLength, suite.integrity)
  if (!cipher) throw new SessionError('INVARIANT', 'bug', `no cipher for encryption ${suite.encryption}`)
  return {
    prf: function_,
    cipher,
    keys: ikeKeys(function_, cipher, skeyseed, initiatorNonce, responderNonce, initiatorSpi, responderSpi),
    sealed: 0,
  }
}

export function prfOf(suite: IkeSuite): Prf {
  const function_ = prf(suite.prf)
  if (!function_) throw new SessionError('INVARIANT', 'bug', `no PRF ${suite.prf}`)
  return function_
}

/** `HDR, SK {payloads}` as octets. */
export function sealMessage(protection: Protection, header: HeaderFields, payloads: readonly Payload[], random: RandomSource): Uint8Array {
  return sealContent(protection, header, encodePayloads(payloads), random)
}

/** `HDR, SK {content}`, or with `fragment` one `HDR, SKF {content}` (RFC 7383 §2.5). */
export function sealContent(
  protection: Protection,
  header: HeaderFields,
  { firstPayload, bytes }: Content,
  random: RandomSource,
  fragment?: { readonly number: number; readonly total: number },
): Uint8Array {
  const { cipher } = protection
  const padding = padLength(bytes.length + 1, cipher.blockLength)
  const plaintext = new Uint8Array(bytes.length + padding + 1)
  plaintext.set(bytes)
  plaintext[plaintext.length - 1] = padding
  const bodyLength = cipher.ivLength + plaintext.length + cipher.icvLength
  const envelope = encodeEncryptedEnvelope(header, [], { firstPayload, bodyLength, ...(fragment && { fragment }) })
  const iv = initializationVector(protection, random)
  const sealed = cipher.seal(
    keysOf(protection, (header.flags & HeaderFlag.INITIATOR) !== 0),
    iv,
    envelope.bytes.subarray(0, envelope.bodyOffset),
    plaintext,
  )
  envelope.bytes.set(iv, envelope.bodyOffset)
  envelope.bytes.set(sealed, envelope.bodyOffset + cipher.ivLength)
  return envelope.bytes
}

/** `octets` is the whole message, from which `message` was decoded. */
export function openMessage(protection: Protection, octets: Uint8Array, message: IkeMessage): OpenResult {
  const encrypted = message.payloads[message.payloads.length - 1]
  if (encrypted?.type !== 'SK') return { kind: 'unauthentic' }
  const plaintext = openBody(protection, octets, message, encrypted.body)
  if (!plaintext) return { kind: 'unauthentic' }
  const bytes = withoutPadding(plaintext)
  if (!bytes) return { kind: 'syntax-error', error: new CodecError('LENGTH_MISMATCH', 'SK.padLength', plaintext.length - 1) }
  return readContent(message.header, message.payloads.slice(0, -1), { firstPayload: encrypted.firstPayload, bytes })
}

/** What one SKF holds, `undefined` where it is not authentic, or has an impossible Pad Length (RFC 7383 §2.6). */
export function openFragment(protection: Protection, octets: Uint8Array, message: IkeMessage): Uint8Array | undefined {
  const encrypted = message.payloads[message.payloads.length - 1]
  if (encrypted?.type !== 'SKF') return undefined
  const plaintext = openBody(protection, octets, message, encrypted.body)
  return plaintext && withoutPadding(plaintext)
}

function openBody(protection: Protection, octets: Uint8Array, message: IkeMessage, body: Uint8Array): Uint8Array | undefined {
  const { cipher } = protection
  if (body.length < cipher.ivLength + cipher.icvLength + 1) return undefined
  const fromInitiator = (message.header.flags & HeaderFlag.INITIATOR) !== 0
  const aad = octets.subarray(0, encryptedBodyOffset(octets, message))
  const plaintext = cipher.open(keysOf(protection, fromInitiator), body.subarray(0, cipher.ivLength), aad, body.subarray(cipher.ivLength))
  return plaintext?.length === 0 ? undefined : plaintext
}

/** Any padding length is accepted, and its content is not looked at (§3.14). */
function withoutPadding(plaintext: Uint8Array): Uint8Array | undefined {
  const padding = plaintext[plaintext.length - 1]!
  return padding + 1 > plaintext.length ? undefined : plaintext.subarray(0, plaintext.length - 1 - padding)
}

/** The message that authentic content is of: of one SK, or of fragments, `header` and `clear` being those of the first. */
export function readContent(header: IkeHeader, clear: readonly Payload[], content: Content): Exclude<OpenResult, { kind: 'unauthentic' }> {
  try {
    const inner = decodePayloads(content.firstPayload, content.bytes, 'SK')
    return { kind: 'authenticated', message: { header, clear, inner, content } as unknown as AuthenticatedMessage }
  } catch (error) {
    if (error instanceof CodecError) return { kind: 'syntax-error', error }
    throw error
  }
}

function keysOf(protection: Protection, ofInitiator: boolean): { encryption: Uint8Array; integrity: Uint8Array } {
  const { skei, sker, skai, skar } = protection.keys
  return ofInitiator ? { encryption: skei, integrity: skai } : { encryption: sker, integrity: skar }
}

/** A counter for AEADs, unpredictable octets for CBC (RFC 7296 §3.14). */
function initializationVector(protection: Protection, random: RandomSource): Uint8Array {
  const { cipher } = protection
  if (cipher.integrityKeyLength > 0) return random(cipher.ivLength)
  const iv = new Uint8Array(cipher.ivLength)
  protection.sealed++
  iv.set(u32(Math.floor(protection.sealed / 2 ** 32)), 0)
  iv.set(u32(protection.sealed % 2 ** 32), 4)
  return iv
}

function padLength(length: number, blockLength: number): number {
  return blockLength <= 1 ? 0 : (blockLength - (length % blockLength)) % blockLength
}
