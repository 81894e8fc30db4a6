import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { childKeymat, intermediateAuth, mixPpk, prf, prfPlus, rekeySkeyseed, signedOctets } from '../src/index.ts'
import { seeded, toHex } from './hex.ts'

const PRFS = [
  [5, 'sha256', 32],
  [6, 'sha384', 48],
  [7, 'sha512', 64],
] as const

describe.each(PRFS)('PRF %i, %s', (id, hash, length) => {
  const random = seeded(id)
  const [skd, ni, nr, first, second, third] = [random(length), random(32), random(40), random(32), random(32), random(32)]
  const hmac = (key: Uint8Array, ...parts: Uint8Array[]): Uint8Array => {
    const mac = createHmac(hash, key)
    for (const part of parts) mac.update(part)
    return Uint8Array.from(mac.digest())
  }

  it('RFC 9370 §2.2.2: SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr)', () => {
    expect(rekeySkeyseed(prf(id)!, skd, second, ni, nr)).toEqual(hmac(skd, second, ni, nr))
  })

  it('RFC 9370 §2.2.4: SKEYSEED = prf(SK_d, SK(0) | Ni | Nr | SK(1) | ... SK(n))', () => {
    expect(rekeySkeyseed(prf(id)!, skd, first, ni, nr, [second, third])).toEqual(hmac(skd, first, ni, nr, second, third))
  })

  it('RFC 9370 §2.2.4: KEYMAT = prf+ (SK_d, SK(0) | Ni | Nr | SK(1) | ... SK(n))', () => {
    const block = hmac(skd, first, ni, nr, second, third, Uint8Array.of(1))
    const keymat = childKeymat(prf(id)!, skd, ni, nr, 2 * length, first, [second, third])
    expect(toHex(keymat)).toBe(toHex(block) + toHex(hmac(skd, block, first, ni, nr, second, third, Uint8Array.of(2))))
    expect(childKeymat(prf(id)!, skd, ni, nr, 100, first, [])).toEqual(childKeymat(prf(id)!, skd, ni, nr, 100, first))
  })

  it('RFC 9242 §3.3.2: IntAuth_i1 = prf(SK_pi1, A | P), IntAuth_i2 = prf(SK_pi2, IntAuth_i1 | A | P), and at the end of the signed octets', () => {
    const one = intermediateAuth(prf(id)!, skd, new Uint8Array(0), Uint8Array.from([...first, ...second]))
    expect(one).toEqual(hmac(skd, first, second))
    expect(intermediateAuth(prf(id)!, skd, one, Uint8Array.from([...second, ...third]))).toEqual(hmac(skd, one, second, third))
    expect(signedOctets(prf(id)!, first, nr, skd, second, one).subarray(-length)).toEqual(one)
  })

  it("RFC 8784 §3: SK_d = prf+ (PPK, SK_d'), one block of the PRF: prf (PPK, SK_d' | 0x01)", () => {
    expect(mixPpk(prf(id)!, first, skd)).toEqual(hmac(first, skd, Uint8Array.of(1)))
    expect(mixPpk(prf(id)!, first, skd)).toEqual(prfPlus(prf(id)!, first, skd, length))
  })
})
