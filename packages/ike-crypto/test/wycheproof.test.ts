import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { IkeCryptoError, prf, type SkCipher, skCipher } from '../src/index.ts'
import { fixed, hex, toHex } from './hex.ts'
import { PROVIDERS } from './providers.ts'

/**
 * Project Wycheproof is not part of this repository. Point WYCHEPROOF at the folder testvectors_v1 of a checkout of
 * github.com/C2SP/wycheproof, or have it as `../shared/wycheproof` beside the repository, and these tests run; else they are skipped.
 */
const FOLDER = process.env['WYCHEPROOF'] ?? fileURLToPath(new URL('../../../../shared/wycheproof', import.meta.url))
const available = existsSync(`${FOLDER}/x25519_test.json`)

interface Case {
  readonly tcId: number
  readonly comment: string
  readonly flags: readonly string[]
  readonly result: 'valid' | 'invalid' | 'acceptable'
  readonly [field: string]: unknown
}

describe.skipIf(!available)('Wycheproof', () => {
  describe.each(PROVIDERS)('key exchange over %s', (_, lookup) => {
    it.each([
      [19, 'ecdh_secp256r1_ecpoint'],
      [20, 'ecdh_secp384r1_ecpoint'],
      [21, 'ecdh_secp521r1_ecpoint'],
    ])('RFC 5903 (K-1): group %i, %s', (method, file) => {
      const exchange = lookup(method)!
      const size = exchange.publicLength / 2
      const counts = { agreed: 0, refused: 0 }
      for (const { tcId, result, ...test } of cases(file)) {
        const secret = (test['private'] as string).replace(/^(00)+/, '').padStart(2 * size, '0')
        const point = hex(test['public'] as string)
        // KE data has no form octet: only uncompressed points can be spelled, and the others would have a wrong length.
        const data = point[0] === 4 ? point.subarray(1) : point
        if (result === 'invalid' || point[0] !== 4) {
          expect(() => exchange.complete(hex(secret), data), `tcId ${tcId}`).toThrow(IkeCryptoError)
          expect(() => exchange.respond(fixed(secret), data), `tcId ${tcId}`).toThrow(IkeCryptoError)
          counts.refused++
        } else {
          expect(toHex(exchange.complete(hex(secret), data)), `tcId ${tcId}`).toBe(test['shared'])
          counts.agreed++
        }
      }
      expect(counts.agreed).toBeGreaterThan(100)
      expect(counts.refused).toBeGreaterThan(5)
    })

    it.each([
      [31, 'x25519', 500],
      [32, 'x448', 500],
    ])('RFC 7748 (K-3): method %i, %s', (method, file, atLeast) => {
      const exchange = lookup(method)!
      let checked = 0
      for (const { tcId, result, flags, ...test } of cases(file)) {
        const complete = (): Uint8Array => exchange.complete(hex(test['private'] as string), hex(test['public'] as string))
        const zero = /^(00)*$/.test(test['shared'] as string)
        if (zero || result === 'invalid') expect(complete, `tcId ${tcId}`).toThrow(IkeCryptoError)
        else expect(toHex(complete()), `tcId ${tcId} ${flags}`).toBe(test['shared'])
        checked++
      }
      expect(checked).toBeGreaterThan(atLeast)
    })
  })

  it.each([
    ['aes_gcm', 4, (bits: number, icv: number) => skCipher({ 64: 18, 96: 19, 128: 20 }[icv]!, bits, undefined)],
    ['aes_ccm', 3, (bits: number, icv: number) => skCipher({ 64: 14, 96: 15, 128: 16 }[icv]!, bits, undefined)],
    ['chacha20_poly1305', 4, (_: number, icv: number) => (icv === 128 ? skCipher(28, undefined, undefined) : undefined)],
  ] as const)('RFC 5282, RFC 7634: %s with nonces of salt and IV', (file, saltLength, cipherOf) => {
    let checked = 0
    for (const { tcId, result, group, ...test } of cases(file)) {
      const nonce = hex(test['iv'] as string)
      const cipher: SkCipher | undefined = cipherOf(group['keySize'] as number, group['tagSize'] as number)
      if (cipher === undefined || nonce.length !== saltLength + 8) continue
      const keys = { encryption: hex((test['key'] as string) + toHex(nonce.subarray(0, saltLength))), integrity: hex('') }
      const [iv, aad, sealed] = [nonce.subarray(saltLength), hex(test['aad'] as string), `${test['ct']}${test['tag']}`]
      const opened = cipher.open(keys, iv, aad, hex(sealed))
      if (result === 'valid') {
        expect(toHex(opened!), `tcId ${tcId}`).toBe(test['msg'])
        expect(toHex(cipher.seal(keys, iv, aad, hex(test['msg'] as string))), `tcId ${tcId}`).toBe(sealed)
      } else {
        expect(opened, `tcId ${tcId}`).toBeUndefined()
      }
      checked++
    }
    expect(checked).toBeGreaterThan(15)
  })

  it.each([
    ['hmac_sha1', 2],
    ['hmac_sha256', 5],
    ['hmac_sha384', 6],
    ['hmac_sha512', 7],
  ])('RFC 4868: %s', (file, id) => {
    let checked = 0
    for (const { tcId, result, ...test } of cases(file)) {
      const tag = toHex(prf(id)!.compute(hex(test['key'] as string), hex(test['msg'] as string)))
      expect(tag.startsWith(test['tag'] as string), `tcId ${tcId}`).toBe(result === 'valid')
      checked++
    }
    expect(checked).toBeGreaterThan(100)
  })
})

function cases(file: string): (Case & { readonly group: Readonly<Record<string, unknown>> })[] {
  const { testGroups } = JSON.parse(readFileSync(`${FOLDER}/${file}_test.json`, 'utf8')) as { testGroups: { tests: Case[] }[] }
  return testGroups.flatMap(({ tests, ...group }) => tests.map((test) => ({ ...test, group })))
}
