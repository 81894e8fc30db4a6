import { describe, expect, it } from 'vitest'
import { fixed, hex, seeded, toHex } from './hex.ts'
import { PROVIDERS } from './providers.ts'
import rfc7748 from './vectors/rfc7748.json' with { type: 'json' }
import rfc8031 from './vectors/rfc8031.json' with { type: 'json' }

const PRIMES: Readonly<Record<number, bigint>> = { 31: 2n ** 255n - 19n, 32: 2n ** 448n - 2n ** 224n - 1n }

describe.each(PROVIDERS)('X25519 and X448 over %s', (_, lookup) => {
  it('RFC 8031 Appendix A', () => {
    const x25519 = lookup(31)!
    expect(toHex(x25519.initiate(fixed(rfc8031.d_i)).publicValue)).toBe(rfc8031.pub_i)
    const responder = x25519.respond(fixed(rfc8031.d_r), hex(rfc8031.pub_i))
    expect(toHex(responder.publicValue)).toBe(rfc8031.pub_r)
    expect(toHex(responder.sharedSecret)).toBe(rfc8031.SHARED_SECRET)
    expect(toHex(x25519.complete(hex(rfc8031.d_i), hex(rfc8031.pub_r)))).toBe(rfc8031.SHARED_SECRET)
  })

  describe.each(rfc7748.methods)('RFC 7748 $name', ({ method, functions, iterated, diffieHellman: dh }) => {
    const exchange = lookup(method)!
    const length = exchange.publicLength
    const p = PRIMES[method]!
    const littleEndian = (n: bigint): Uint8Array => hex(n.toString(16).padStart(2 * length, '0')).reverse()
    const refuse = (bad: Uint8Array): void => {
      const invalid = expect.objectContaining({
        code: 'INVALID_PUBLIC_VALUE',
        context: { method: exchange.name, reason: 'ALL_ZERO_SECRET' },
      })
      expect(() => exchange.complete(seeded(8)(length), bad)).toThrow(invalid)
      expect(() => exchange.respond(seeded(9), bad)).toThrow(invalid)
    }

    it.each(functions)('§5.2 scalar $scalar', ({ scalar, u, output }) => {
      expect(toHex(exchange.complete(hex(scalar), hex(u)))).toBe(output)
    })

    it('§5.2 iterated: once, and a thousand times where that is quick', () => {
      let [k, u] = [littleEndian(method === 31 ? 9n : 5n), littleEndian(method === 31 ? 9n : 5n)]
      const rounds = method === 31 ? 1000 : 1
      for (let round = 0; round < rounds; round++) {
        ;[k, u] = [exchange.complete(k, u), k]
        if (round === 0) expect(toHex(k)).toBe(iterated.one)
      }
      if (rounds === 1000) expect(toHex(k)).toBe(iterated.thousand)
    })

    it('§6 Diffie-Hellman', () => {
      expect(toHex(exchange.initiate(fixed(dh.a)).publicValue)).toBe(dh.KA)
      const bob = exchange.respond(fixed(dh.b), hex(dh.KA))
      expect(toHex(bob.publicValue)).toBe(dh.KB)
      expect(toHex(bob.sharedSecret)).toBe(dh.K)
      expect(toHex(exchange.complete(hex(dh.a), hex(dh.KB)))).toBe(dh.K)
    })

    it('§6.1, §6.2 (K-3): values of small order, canonical or not, lead to zero and are refused', () => {
      for (const u of [0n, 1n, p - 1n, p, p + 1n]) refuse(littleEndian(u))
    })

    it('§5 (K-3): non-canonical values are reduced', () => {
      const secret = seeded(10)(length)
      for (const u of [2n, 3n, 9n])
        expect(exchange.complete(secret, littleEndian(p + u))).toEqual(exchange.complete(secret, littleEndian(u)))
    })
  })

  it('RFC 7748 §5 (K-3): X25519 ignores the top bit of a received value', () => {
    const x25519 = lookup(31)!
    const secret = seeded(11)(32)
    const masked = hex(rfc8031.pub_i)
    masked[31]! |= 0x80
    expect(x25519.complete(secret, masked)).toEqual(x25519.complete(secret, hex(rfc8031.pub_i)))
  })

  it.each([
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880',
    '0000000000000000000000000000000000000000000000000000000000000080',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  ])('RFC 7748 §6.1 (K-3): X25519 refuses %s, of order 1, 2, 4 or 8', (u) => {
    const x25519 = lookup(31)!
    expect(() => x25519.complete(seeded(12)(32), hex(u))).toThrow(
      expect.objectContaining({ code: 'INVALID_PUBLIC_VALUE', context: { method: 'CURVE25519', reason: 'ALL_ZERO_SECRET' } }),
    )
  })
})
