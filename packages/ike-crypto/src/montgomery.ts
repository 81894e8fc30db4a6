import { x448 as nobleX448 } from '@noble/curves/ed448.js'
import { x25519 as nobleX25519 } from '@noble/curves/ed25519.js'
import { expectLength, IkeCryptoError } from './error.ts'
import type { KeyExchange, RandomSource } from './key-exchange.ts'

/** X25519 (RFC 8031 §2, RFC 7748 §5): the top bit of a received value is ignored, non-canonical values are reduced. */
export const x25519: KeyExchange = montgomery(31, 'CURVE25519', nobleX25519)

/** X448 (RFC 8031 §2, RFC 7748 §5). */
export const x448: KeyExchange = montgomery(32, 'CURVE448', nobleX448)

/** Throws INVALID_PUBLIC_VALUE unless the value has the length of a u-coordinate (RFC 8031 §3.2). */
export function checkMontgomeryPublic(exchange: { readonly name: string; readonly publicLength: number }, peerPublic: Uint8Array): void {
  if (peerPublic.length !== exchange.publicLength) {
    throw new IkeCryptoError('INVALID_PUBLIC_VALUE', { method: exchange.name, reason: 'WRONG_LENGTH' })
  }
}

/** The raw scalar; RFC 7748 §5 clamps it where it is used. */
export function montgomerySecret(exchange: { readonly name: string; readonly publicLength: number }, random: RandomSource): Uint8Array {
  const secret = random(exchange.publicLength)
  if (secret.length !== exchange.publicLength) throw new IkeCryptoError('RANDOM_SOURCE_FAILED', { method: exchange.name })
  return secret
}

/** The error for a peer's point of small order (RFC 7748 §6.1, §6.2). */
export function allZeroSecret(method: string): IkeCryptoError {
  return new IkeCryptoError('INVALID_PUBLIC_VALUE', { method, reason: 'ALL_ZERO_SECRET' })
}

function montgomery(method: number, name: string, curve: typeof nobleX25519): KeyExchange {
  const publicLength = curve.lengths.publicKey!
  const exchange = { name, publicLength }
  const complete = (secret: Uint8Array, peerPublic: Uint8Array): Uint8Array => {
    expectLength('secret', secret, publicLength)
    checkMontgomeryPublic(exchange, peerPublic)
    try {
      return curve.getSharedSecret(secret, peerPublic)
    } catch {
      // Both lengths are right by now: noble refuses only values that lead to the all-zero secret.
      throw allZeroSecret(name)
    }
  }
  return {
    method,
    name,
    publicLength,
    responseLength: publicLength,
    isKem: false,
    initiate(random) {
      const secret = montgomerySecret(exchange, random)
      return { publicValue: curve.getPublicKey(secret), secret }
    },
    respond(random, peerPublic) {
      const secret = montgomerySecret(exchange, random)
      const sharedSecret = complete(secret, peerPublic)
      return { publicValue: curve.getPublicKey(secret), sharedSecret }
    },
    complete,
  }
}
