import { describe, expect, it } from 'vitest'
import { MODP_PRIMES } from '../src/modp-primes.ts'
import { hex, toHex } from './hex.ts'
import { METHODS, PROVIDERS } from './providers.ts'

const GROUPS = METHODS.filter(([, name]) => name.startsWith('MODP'))
const prime = (method: number): bigint => BigInt(`0x${MODP_PRIMES[method as keyof typeof MODP_PRIMES]}`)

describe('RFC 3526 §3–§7 the primes', () => {
  const pi = piTimes2To(8192n - 130n)
  it.each([
    [14, 2048n, 124476n],
    [15, 3072n, 1690314n],
    [16, 4096n, 240904n],
    [17, 6144n, 929484n],
    [18, 8192n, 4743158n],
  ])('group %i is 2^%d - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + %d)', (method, n, c) => {
    expect(prime(method)).toBe(2n ** n - 2n ** (n - 64n) - 1n + 2n ** 64n * ((pi >> (8192n - n)) + c))
  })
})

describe.each(PROVIDERS)('MODP over %s', (_, lookup) => {
  describe.each(GROUPS)('%i %s', (method, name, length) => {
    const exchange = lookup(method)!
    const p = prime(method)
    const value = (n: bigint): Uint8Array => hex(n.toString(16).padStart(2 * length, '0'))
    const smallest = (last: number) => (octets: number) => new Uint8Array(octets).fill(last, octets - 1)

    it.each([
      ['0', 0n],
      ['1', 1n],
      ['p-1', p - 1n],
      ['p', p],
      ['p+1', p + 1n],
      ['2^n-1', 2n ** BigInt(8 * length) - 1n],
    ])('RFC 6989 §2.1 (K-1): %s is refused on both sides', (_, bad) => {
      const { secret } = exchange.initiate(smallest(2))
      const invalid = expect.objectContaining({ code: 'INVALID_PUBLIC_VALUE', context: { method: name, reason: 'OUT_OF_RANGE' } })
      expect(() => exchange.complete(secret, value(bad))).toThrow(invalid)
      expect(() => exchange.respond(smallest(3), value(bad))).toThrow(invalid)
    })

    it('RFC 6989 §2.1 (K-1): 2 and p-2, the ends of the range, are taken', () => {
      const { secret } = exchange.initiate(smallest(3))
      expect(toHex(exchange.complete(secret, value(2n)))).toBe(toHex(value(8n)))
      expect(toHex(exchange.complete(secret, value(p - 2n)))).toBe(toHex(value(p - 8n)))
    })

    it('RFC 7296 §3.4, §2.14: KE data and g^ir are padded on the left to the length of the prime', () => {
      const initiator = exchange.initiate(smallest(2))
      expect(toHex(initiator.publicValue)).toBe(toHex(value(4n)))
      const responder = exchange.respond(smallest(3), initiator.publicValue)
      expect(toHex(responder.publicValue)).toBe(toHex(value(8n)))
      expect(toHex(responder.sharedSecret)).toBe(toHex(value(64n)))
      expect(toHex(exchange.complete(initiator.secret, responder.publicValue))).toBe(toHex(value(64n)))
    })

    it('RFC 3526 §8: the exponent has the larger size of the table, in whole octets', () => {
      const bits = { 14: 320, 15: 420, 16: 480, 17: 540, 18: 620 }[method as 14]
      expect(exchange.initiate(smallest(2)).secret).toHaveLength(Math.ceil(bits / 8))
    })

    it('a full-size exponentiation agrees with square and multiply', () => {
      const secret = exchange.initiate((octets) => Uint8Array.from({ length: octets }, (_, i) => 251 - i)).secret
      const base = 2n ** BigInt(8 * length - 3) + 12345n
      expect(toHex(exchange.complete(secret, value(base)))).toBe(toHex(value(squareAndMultiply(base, secret, p))))
    })

    it('an exponent of zero means a broken random source', () => {
      expect(() => exchange.initiate((octets) => new Uint8Array(octets))).toThrow(expect.objectContaining({ code: 'RANDOM_SOURCE_FAILED' }))
    })
  })
})

function squareAndMultiply(base: bigint, exponent: Uint8Array, modulus: bigint): bigint {
  let result = 1n
  for (let rest = BigInt(`0x${toHex(exponent)}`), square = base; rest > 0n; rest >>= 1n, square = (square * square) % modulus) {
    if (rest & 1n) result = (result * square) % modulus
  }
  return result
}

/** floor(2^bits * pi) by Machin's formula, with guard bits. */
function piTimes2To(bits: bigint): bigint {
  const one = 1n << (bits + 64n)
  const arccot = (x: bigint): bigint => {
    let sum = 0n
    for (let term = one / x, n = 1n, sign = 1n; term > 0n; term /= x * x, n += 2n, sign = -sign) sum += (sign * term) / n
    return sum
  }
  return (4n * (4n * arccot(5n) - arccot(239n))) >> 64n
}
