/**
 * The Encrypted payload (RFC 7296 §3.14): sealing what we send, opening what came. Only `openMessage` makes an
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
  const { cipher } = protection
  const { firstPayload, bytes: inner } = encodePayloads(payloads)
  const padding = padLength(inner.length + 1, cipher.blockLength)
  const plaintext = new Uint8Array(inner.length + padding + 1)
  plaintext.set(inner)
  plaintext[plaintext.length - 1] = padding
  const envelope = encodeEncryptedEnvelope(header, [], { firstPayload, bodyLength: cipher.ivLength + plaintext.length + cipher.icvLength })
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
  const { cipher } = protection
  if (encrypted?.type !== 'SK' || encrypted.body.length < cipher.ivLength + cipher.icvLength + 1) return { kind: 'unauthentic' }
  const fromInitiator = (message.header.flags & HeaderFlag.INITIATOR) !== 0
  const aad = octets.subarray(0, encryptedBodyOffset(octets, message))
  const plaintext = cipher.open(
    keysOf(protection, fromInitiator),
    encrypted.body.subarray(0, cipher.ivLength),
    aad,
    encrypted.body.subarray(cipher.ivLength),
  )
  if (!plaintext || plaintext.length === 0) return { kind: 'unauthentic' }
  try {
    // Any padding length is accepted, and its content is not looked at (§3.14).
    const padding = plaintext[plaintext.length - 1]!
    if (padding + 1 > plaintext.length) throw new CodecError('LENGTH_MISMATCH', 'SK.padLength', plaintext.length - 1)
    const inner = decodePayloads(encrypted.firstPayload, plaintext.subarray(0, plaintext.length - 1 - padding), 'SK')
    return {
      kind: 'authenticated',
      message: { header: message.header, clear: message.payloads.slice(0, -1), inner } as unknown as AuthenticatedMessage,
    }
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
