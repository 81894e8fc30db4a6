import { describe, expect, it } from 'vitest'
import { IkeCryptoError, keyExchange } from '../src/index.ts'
import { nodeKeyExchange } from '../src/node.ts'
import { seeded } from './hex.ts'
import { METHODS, PROVIDERS } from './providers.ts'

describe.each(PROVIDERS)('key exchange methods over %s', (_, lookup) => {
  it.each([0, 1, 2, 5, 22, 23, 24, 27, 38, 4711])('RFC 8247 §2.4: method %i is not there', (method) => {
    expect(lookup(method)).toBeUndefined()
  })

  describe.each(METHODS)('%i %s', (method, name, publicLength, sharedLength) => {
    const exchange = lookup(method)!

    it('has its names and lengths', () => {
      expect(exchange).toMatchObject({ method, name, publicLength, isKem: false })
    })

    it('RFC 7296 §2.14: both sides compute the same g^ir, of fixed length', () => {
      const random = seeded(method)
      for (let run = 0; run < 2; run++) {
        const initiator = exchange.initiate(random)
        const responder = exchange.respond(random, initiator.publicValue)
        expect(initiator.publicValue).toHaveLength(publicLength)
        expect(responder.publicValue).toHaveLength(publicLength)
        expect(responder.publicValue).not.toEqual(initiator.publicValue)
        expect(responder.sharedSecret).toHaveLength(sharedLength)
        expect(exchange.complete(initiator.secret, responder.publicValue)).toEqual(responder.sharedSecret)
      }
    })

    it('results are plain Uint8Arrays', () => {
      const { publicValue, secret } = exchange.initiate(seeded(1))
      const { sharedSecret } = exchange.respond(seeded(2), publicValue)
      for (const octets of [publicValue, secret, sharedSecret]) expect(Object.getPrototypeOf(octets)).toBe(Uint8Array.prototype)
    })

    it('depends on the random source alone', () => {
      expect(exchange.initiate(seeded(method))).toEqual(exchange.initiate(seeded(method)))
      expect(exchange.initiate(seeded(method)).publicValue).not.toEqual(exchange.initiate(seeded(method + 1)).publicValue)
    })

    it('RFC 6989 §2 (K-1, K-4): a public value of another length is refused', () => {
      const { publicValue, secret } = exchange.initiate(seeded(3))
      const lengths = [publicValue.subarray(1), publicValue.subarray(0, -1), Uint8Array.from([0, ...publicValue]), new Uint8Array(0)]
      const invalid = expect.objectContaining({ code: 'INVALID_PUBLIC_VALUE', context: { method: name, reason: 'WRONG_LENGTH' } })
      for (const bad of lengths) {
        expect(() => exchange.complete(secret, bad)).toThrow(invalid)
        expect(() => exchange.respond(seeded(4), bad)).toThrow(invalid)
      }
      expect(() => exchange.complete(secret, new Uint8Array(0))).toThrow(IkeCryptoError)
    })

    it('a secret of another length is the caller’s fault', () => {
      const { publicValue, secret } = exchange.initiate(seeded(5))
      expect(() => exchange.complete(secret.subarray(1), publicValue)).toThrow(expect.objectContaining({ code: 'INVALID_LENGTH' }))
    })

    it('a random source that returns too little is reported', () => {
      expect(() => exchange.initiate((length) => new Uint8Array(length - 1).fill(1))).toThrow(
        expect.objectContaining({ code: 'RANDOM_SOURCE_FAILED', context: { method: name } }),
      )
    })
  })
})

describe.each(METHODS)('the two implementations of %i %s are interchangeable', (method) => {
  const [noble, node] = [keyExchange(method)!, nodeKeyExchange(method)!]

  it('same random octets, same values; the secret of one completes the other’s exchange', () => {
    const initiator = noble.initiate(seeded(method))
    expect(node.initiate(seeded(method))).toEqual(initiator)
    const responder = node.respond(seeded(method + 50), initiator.publicValue)
    expect(noble.respond(seeded(method + 50), initiator.publicValue)).toEqual(responder)
    expect(node.complete(initiator.secret, responder.publicValue)).toEqual(responder.sharedSecret)
    expect(noble.complete(initiator.secret, responder.publicValue)).toEqual(responder.sharedSecret)
  })
})
