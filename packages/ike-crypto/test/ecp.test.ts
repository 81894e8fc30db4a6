import { p256, p384, p521 } from '@noble/curves/nist.js'
import { describe, expect, it } from 'vitest'
import { fixed, hex, seeded, toHex } from './hex.ts'
import { METHODS, PROVIDERS } from './providers.ts'
import rfc5903 from './vectors/rfc5903.json' with { type: 'json' }

const GROUPS = METHODS.filter(([, name]) => name.startsWith('ECP'))
const CURVES: Readonly<Record<number, typeof p256>> = { 19: p256, 20: p384, 21: p521 }

describe.each(PROVIDERS)('RFC 5903 ECP groups over %s', (_, lookup) => {
  describe.each(rfc5903.cases)('§$section group $method (K-4)', ({ method, i, KEi, r, KEr, girx }) => {
    const exchange = lookup(method)!
    const data = (payload: string): string => payload.slice(16)

    it('the KE payloads', () => {
      const body = exchange.initiate(fixed(i)).publicValue
      const head = [0, 0, 0, 8 + body.length, 0, method, 0, 0]
      expect(toHex(Uint8Array.from([...head, ...body]))).toBe(KEi)
      expect(toHex(exchange.initiate(fixed(r)).publicValue)).toBe(data(KEr))
    })

    it('the shared secret is girx', () => {
      expect(toHex(exchange.respond(fixed(r), hex(data(KEi))).sharedSecret)).toBe(girx)
      expect(toHex(exchange.complete(hex(i), hex(data(KEr))))).toBe(girx)
    })
  })

  describe.each(GROUPS)('%i %s refuses (K-1)', (method, name, publicLength) => {
    const exchange = lookup(method)!
    const size = publicLength / 2
    const { p, b } = CURVES[method]!.Point.CURVE()
    const encode = (x: bigint, y: bigint): Uint8Array =>
      hex(x.toString(16).padStart(2 * size, '0') + y.toString(16).padStart(2 * size, '0'))
    const good = CURVES[method]!.Point.BASE.multiply(12345n).toAffine()
    const fits = 2n ** BigInt(8 * size)
    const refuse = (bad: Uint8Array, reason: string): void => {
      const { secret } = exchange.initiate(seeded(6))
      const invalid = expect.objectContaining({ code: 'INVALID_PUBLIC_VALUE', context: { method: name, reason } })
      expect(() => exchange.complete(secret, bad)).toThrow(invalid)
      expect(() => exchange.respond(seeded(7), bad)).toThrow(invalid)
    }

    it('but takes a point of the curve', () => {
      expect(exchange.complete(exchange.initiate(seeded(6)).secret, encode(good.x, good.y))).toHaveLength(size)
    })

    it.each([
      ['a point with y off by one', good.x, good.y + 1n],
      ['a point with x off by one', good.x + 1n, good.y],
      ['x and y exchanged', good.y, good.x],
      ['(0, 0), of order 2 on the curve with b = 0', 0n, 0n],
      ['(1, 0), of order 2 on the curve with b = 2', 1n, 0n],
      ['(2, 1), on the curve with b = -1', 2n, 1n],
    ])('%s', (_, x, y) => refuse(encode(x, y), 'NOT_ON_CURVE'))

    it('a point of the quadratic twist', () => {
      // The twist holds an x for which x^3 - 3x + b has no root; whatever y is sent, the point is not on the curve.
      let x = 1n
      while (isSquare(x ** 3n - 3n * x + b, p)) x++
      for (const y of [0n, 1n, x, p - 1n]) refuse(encode(x, y), 'NOT_ON_CURVE')
    })

    it('coordinates that are not reduced', () => {
      refuse(encode(p, good.y), 'OUT_OF_RANGE')
      refuse(encode(good.x, p), 'OUT_OF_RANGE')
      refuse(encode(fits - 1n, fits - 1n), 'OUT_OF_RANGE')
      // The same point, spelled with x + p: for P-521 there is room for every x.
      if (good.x + p < fits) refuse(encode(good.x + p, good.y), 'OUT_OF_RANGE')
    })

    it('compressed and SEC1 forms, which are not KE data', () => {
      const point = CURVES[method]!.Point.fromAffine(good)
      refuse(point.toBytes(true), 'WRONG_LENGTH')
      refuse(point.toBytes(false), 'WRONG_LENGTH')
    })

    it('a random source stuck at zero or at all ones', () => {
      const stuck = (octet: number) => () => exchange.initiate((length) => new Uint8Array(length).fill(octet))
      expect(stuck(0x00)).toThrow(expect.objectContaining({ code: 'RANDOM_SOURCE_FAILED' }))
      expect(stuck(0xff)).toThrow(expect.objectContaining({ code: 'RANDOM_SOURCE_FAILED' }))
    })
  })
})

/** Euler's criterion. */
function isSquare(value: bigint, p: bigint): boolean {
  let result = 1n
  let base = ((value % p) + p) % p
  for (let e = (p - 1n) / 2n; e > 0n; e >>= 1n, base = (base * base) % p) if (e & 1n) result = (result * base) % p
  return result === 1n
}
