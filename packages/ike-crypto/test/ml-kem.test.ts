import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fixed, hex, seeded, toHex } from './hex.ts'
import { PROVIDERS } from './providers.ts'

interface VectorSet {
  readonly method: number
  readonly decaps: readonly { readonly tcId: number; readonly seed: string; readonly ek: string; readonly c: string; readonly K: string }[]
  readonly encaps: readonly { readonly tcId: number; readonly m: string; readonly ek: string; readonly c: string; readonly K: string }[]
  readonly modulusOverflow: readonly { readonly tcId: number; readonly ek: string }[]
}

const { sets } = JSON.parse(readFileSync(new URL('./vectors/wycheproof-ml-kem.json', import.meta.url), 'utf8')) as { sets: VectorSet[] }

/** Transform ID, name, octets of an encapsulation key and of a ciphertext (FIPS 203 §8, Table 3). */
const METHODS = [
  [35, 'ML_KEM_512', 800, 768],
  [36, 'ML_KEM_768', 1184, 1088],
  [37, 'ML_KEM_1024', 1568, 1568],
] as const

describe.each(PROVIDERS)('draft-ietf-ipsecme-ikev2-mlkem over %s', (_, lookup) => {
  describe.each(METHODS)('%i %s', (method, name, publicLength, responseLength) => {
    const exchange = lookup(method)!
    const vectors = sets.find((one) => one.method === method)!

    it('FIPS 203 §8: has its name and lengths, and is a KEM', () => {
      expect(exchange).toMatchObject({ method, name, publicLength, responseLength, isKem: true })
    })

    it('draft-ietf-ipsecme-ikev2-mlkem §2.2: both ends have the same secret of 32 octets', () => {
      const initiator = exchange.initiate(seeded(1))
      const responder = exchange.respond(seeded(2), initiator.publicValue)
      expect(initiator.publicValue).toHaveLength(publicLength)
      expect(responder.publicValue).toHaveLength(responseLength)
      expect(responder.sharedSecret).toHaveLength(32)
      expect(exchange.complete(initiator.secret, responder.publicValue)).toEqual(responder.sharedSecret)
    })

    it('FIPS 203 §7.1, §7.3: published keys and what they decapsulate', () => {
      for (const { tcId, seed, ek, c, K } of vectors.decaps) {
        const { publicValue, secret } = exchange.initiate(fixed(seed))
        expect(toHex(publicValue), `tcId ${tcId}`).toBe(ek)
        expect(toHex(exchange.complete(secret, hex(c))), `tcId ${tcId}`).toBe(K)
      }
    })

    it('FIPS 203 §7.2: published ciphertexts', () => {
      for (const { tcId, m, ek, c, K } of vectors.encaps) {
        const { publicValue, sharedSecret } = exchange.respond(fixed(m), hex(ek))
        expect([toHex(publicValue), toHex(sharedSecret)], `tcId ${tcId}`).toEqual([c, K])
      }
    })

    it('FIPS 203 §7.2 (K-2): an encapsulation key whose coefficients are not reduced is refused', () => {
      const refused = expect.objectContaining({ code: 'INVALID_PUBLIC_VALUE', context: { method: name, reason: 'OUT_OF_RANGE' } })
      for (const { ek } of vectors.modulusOverflow) expect(() => exchange.respond(seeded(3), hex(ek))).toThrow(refused)
    })

    it('FIPS 203 §7.2, §7.3 (K-2): keys and ciphertexts of another length are refused', () => {
      const refused = expect.objectContaining({ code: 'INVALID_PUBLIC_VALUE', context: { method: name, reason: 'WRONG_LENGTH' } })
      const { secret } = exchange.initiate(seeded(4))
      for (const length of [0, 1, publicLength - 1, publicLength + 1])
        expect(() => exchange.respond(seeded(5), new Uint8Array(length))).toThrow(refused)
      for (const length of [0, 1, responseLength - 1, responseLength + 1])
        expect(() => exchange.complete(secret, new Uint8Array(length))).toThrow(refused)
    })

    it('FIPS 203 §6.3: a ciphertext that was changed gives another secret, always the same, and no error', () => {
      const initiator = exchange.initiate(seeded(6))
      const { publicValue, sharedSecret } = exchange.respond(seeded(7), initiator.publicValue)
      const changed = publicValue.slice()
      changed[9]! ^= 1
      const rejected = exchange.complete(initiator.secret, changed)
      expect(rejected).toHaveLength(32)
      expect(rejected).not.toEqual(sharedSecret)
      expect(exchange.complete(initiator.secret, changed)).toEqual(rejected)
    })

    it('a secret of another length is the caller’s fault, a random source that returns too little is reported', () => {
      const { secret, publicValue } = exchange.initiate(seeded(8))
      const short = (length: number): Uint8Array => new Uint8Array(length - 1)
      expect(() => exchange.complete(secret.subarray(1), new Uint8Array(responseLength))).toThrow(
        expect.objectContaining({ code: 'INVALID_LENGTH' }),
      )
      for (const draw of [() => exchange.initiate(short), () => exchange.respond(short, publicValue)])
        expect(draw).toThrow(expect.objectContaining({ code: 'RANDOM_SOURCE_FAILED', context: { method: name } }))
    })
  })
})
