import { p256, p384, p521 } from '@noble/curves/nist.js'
import { expectLength, IkeCryptoError } from './error.ts'
import type { KeyExchange, RandomSource } from './key-exchange.ts'
import { concat, octetsToBigint } from './octets.ts'

/** Transform IDs of the groups of RFC 5903. */
export type EcpMethod = 19 | 20 | 21

/** ECDH on a NIST curve. KE data is x | y, the shared secret x alone, both of fixed length (RFC 5903 §7). */
export function ecp(method: EcpMethod, name: string): KeyExchange {
  const { curve, coordinateLength } = ECP_CURVES[method]
  const publicLength = 2 * coordinateLength
  const publicOf = (secret: Uint8Array): Uint8Array => curve.getPublicKey(secret, false).subarray(1)
  const complete = (secret: Uint8Array, peerPublic: Uint8Array): Uint8Array => {
    expectLength('secret', secret, coordinateLength)
    const point = checkEcpPublic(method, name, peerPublic)
    return curve.getSharedSecret(secret, point, true).subarray(1)
  }
  return {
    method,
    name,
    publicLength,
    responseLength: publicLength,
    isKem: false,
    initiate(random) {
      const secret = ecpSecret(method, name, random)
      return { publicValue: publicOf(secret), secret }
    },
    respond(random, peerPublic) {
      checkEcpPublic(method, name, peerPublic)
      const secret = ecpSecret(method, name, random)
      return { publicValue: publicOf(secret), sharedSecret: complete(secret, peerPublic) }
    },
    complete,
  }
}

/** Throws INVALID_PUBLIC_VALUE unless x and y are field elements of a point on the curve (RFC 6989 §2.3). Returns 0x04 | x | y (SEC1 §2.3.3). */
export function checkEcpPublic(method: EcpMethod, name: string, peerPublic: Uint8Array): Uint8Array {
  const { curve, coordinateLength } = ECP_CURVES[method]
  if (peerPublic.length !== 2 * coordinateLength) {
    throw new IkeCryptoError('INVALID_PUBLIC_VALUE', { method: name, reason: 'WRONG_LENGTH' })
  }
  const { p } = curve.Point.CURVE()
  const x = octetsToBigint(peerPublic.subarray(0, coordinateLength))
  const y = octetsToBigint(peerPublic.subarray(coordinateLength))
  if (x >= p || y >= p) throw new IkeCryptoError('INVALID_PUBLIC_VALUE', { method: name, reason: 'OUT_OF_RANGE' })
  // The cofactor is 1: every point on the curve is in the group. The point at infinity has no x | y form.
  try {
    curve.Point.fromAffine({ x, y }).assertValidity()
  } catch {
    throw new IkeCryptoError('INVALID_PUBLIC_VALUE', { method: name, reason: 'NOT_ON_CURVE' })
  }
  return concat(UNCOMPRESSED, peerPublic)
}

/** A private scalar in [1, n-1], big-endian, drawn again while out of range (SP 800-56A §5.6.1.2.2). */
export function ecpSecret(method: EcpMethod, name: string, random: RandomSource): Uint8Array {
  const { curve, coordinateLength, topMask } = ECP_CURVES[method]
  for (let attempt = 0; attempt < MAX_DRAWS; attempt++) {
    const secret = random(coordinateLength)
    if (secret.length !== coordinateLength) break
    const candidate = Uint8Array.from(secret)
    candidate[0]! &= topMask
    if (curve.utils.isValidSecretKey(candidate)) return candidate
  }
  throw new IkeCryptoError('RANDOM_SOURCE_FAILED', { method: name })
}

/** `coordinateLength` in octets; `topMask` keeps of the first octet what the field size leaves (521 = 65 · 8 + 1). */
const ECP_CURVES: Readonly<Record<EcpMethod, EcpCurve>> = {
  19: { curve: p256, coordinateLength: 32, topMask: 0xff },
  20: { curve: p384, coordinateLength: 48, topMask: 0xff },
  21: { curve: p521, coordinateLength: 66, topMask: 0x01 },
}

interface EcpCurve {
  readonly curve: typeof p256
  readonly coordinateLength: number
  readonly topMask: number
}

const UNCOMPRESSED: Uint8Array = Uint8Array.of(0x04)

/** A draw is out of range once in 2^32 at most (P-256): several in a row mean a broken source. */
const MAX_DRAWS = 8
