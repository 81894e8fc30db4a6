import { expectLength, IkeCryptoError } from './error.ts'
import type { KeyExchange, RandomSource } from './key-exchange.ts'
import { MODP_PRIMES } from './modp-primes.ts'
import { bigintToOctets, octetsToBigint } from './octets.ts'

/** Transform IDs of the groups of RFC 3526 that are still in use. */
export type ModpMethod = keyof typeof MODP_PRIMES

/** Sizes of a group in octets, and its prime. */
export interface ModpGroup {
  readonly prime: bigint
  readonly publicLength: number
  readonly secretLength: number
}

/** Diffie-Hellman in a group of RFC 3526. KE data and g^ir are as long as the prime, zeros on the left (RFC 7296 §3.4, §2.14). */
export function modp(method: ModpMethod, name: string): KeyExchange {
  const publicLength = MODP_PRIMES[method].length / 2
  const publicOf = (secret: Uint8Array): Uint8Array => bigintToOctets(power(2n, secret, modpGroup(method).prime), publicLength)
  const complete = (secret: Uint8Array, peerPublic: Uint8Array): Uint8Array => {
    const group = modpGroup(method)
    expectLength('secret', secret, group.secretLength)
    return bigintToOctets(power(checkModpPublic(group, name, peerPublic), secret, group.prime), publicLength)
  }
  return {
    method,
    name,
    publicLength,
    responseLength: publicLength,
    isKem: false,
    initiate(random) {
      const secret = modpSecret(modpGroup(method), name, random)
      return { publicValue: publicOf(secret), secret }
    },
    respond(random, peerPublic) {
      checkModpPublic(modpGroup(method), name, peerPublic)
      const secret = modpSecret(modpGroup(method), name, random)
      return { publicValue: publicOf(secret), sharedSecret: complete(secret, peerPublic) }
    },
    complete,
  }
}

/** The group of a method; its prime is parsed at first use. */
export function modpGroup(method: ModpMethod): ModpGroup {
  let group = GROUPS.get(method)
  if (group === undefined) {
    const hex = MODP_PRIMES[method]
    group = { prime: BigInt(`0x${hex}`), publicLength: hex.length / 2, secretLength: SECRET_LENGTHS[method] }
    GROUPS.set(method, group)
  }
  return group
}

/** Throws INVALID_PUBLIC_VALUE unless the value fills the prime's length and 1 < r < p-1 (RFC 6989 §2.1). */
export function checkModpPublic(group: ModpGroup, name: string, peerPublic: Uint8Array): bigint {
  if (peerPublic.length !== group.publicLength) {
    throw new IkeCryptoError('INVALID_PUBLIC_VALUE', { method: name, reason: 'WRONG_LENGTH' })
  }
  const value = octetsToBigint(peerPublic)
  if (value <= 1n || value >= group.prime - 1n) {
    throw new IkeCryptoError('INVALID_PUBLIC_VALUE', { method: name, reason: 'OUT_OF_RANGE' })
  }
  return value
}

/** A private exponent, big-endian. Zero, whose public value no peer would take, counts as a broken random source. */
export function modpSecret(group: ModpGroup, name: string, random: RandomSource): Uint8Array {
  const secret = random(group.secretLength)
  if (secret.length !== group.secretLength || secret.every((octet) => octet === 0)) {
    throw new IkeCryptoError('RANDOM_SOURCE_FAILED', { method: name })
  }
  return secret
}

/** Octets: the larger exponent sizes of RFC 3526 §8 (320, 420, 480, 540, 620 bits), rounded up. In a safe-prime group they suffice. */
const SECRET_LENGTHS: Readonly<Record<ModpMethod, number>> = { 14: 40, 15: 53, 16: 60, 17: 68, 18: 78 }

const GROUPS: Map<ModpMethod, ModpGroup> = new Map()

/**
 * base^exponent mod modulus by fixed windows of four bits. The sequence of operations depends on the exponent's length alone,
 * but `bigint` arithmetic itself is not constant-time.
 */
function power(base: bigint, exponent: Uint8Array, modulus: bigint): bigint {
  const table = [1n, base]
  for (let i = 2; i < 16; i++) table.push((table[i - 1]! * base) % modulus)
  let result = 1n
  for (const octet of exponent) {
    for (const window of [octet >>> 4, octet & 0x0f]) {
      result = (result * result) % modulus
      result = (result * result) % modulus
      result = (result * result) % modulus
      result = (result * result) % modulus
      result = (result * table[window]!) % modulus
    }
  }
  return result
}
