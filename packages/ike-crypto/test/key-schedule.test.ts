import { describe, expect, it } from 'vitest'
import { childKeymat, ikeKeys, prf, prfPlus, rekeySkeyseed, skCipher, skeyseed } from '../src/index.ts'
import { hex, seeded, toHex } from './hex.ts'
import nist from './vectors/nist-ikev2-kdf.json' with { type: 'json' }

const joined = (keys: object): string => Object.values(keys).map(toHex).join('')

describe('RFC 7296 §2.14 SKEYSEED, NIST SP 800-135 cases', () => {
  it.each([...nist.complete, ...nist.skeyseed])('prf $prf', ({ prf: id, Ni, Nr, gir, SKEYSEED }) => {
    expect(toHex(skeyseed(prf(id)!, hex(Ni), hex(Nr), hex(gir)))).toBe(SKEYSEED)
  })
})

describe('RFC 7296 §2.14, §2.17, §2.18, the complete NIST SP 800-135 case', () => {
  for (const c of nist.complete) {
    const [p, ni, nr] = [prf(c.prf)!, hex(c.Ni), hex(c.Nr)]
    const [spii, spir] = [BigInt(`0x${c.SPIi}`), BigInt(`0x${c.SPIr}`)]
    // 3·20 + 2·20 + 2·16 octets: just the DKM's length, so the seven keys cover it.
    const keys = ikeKeys(p, skCipher(12, 128, 2)!, hex(c.SKEYSEED), ni, nr, spii, spir)

    it('§2.14: SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr are the DKM', () => {
      expect(Object.keys(keys)).toEqual(['skd', 'skai', 'skar', 'skei', 'sker', 'skpi', 'skpr'])
      expect(Object.values(keys).map((key) => key.length)).toEqual([20, 20, 20, 16, 16, 20, 20])
      expect(joined(keys)).toBe(c.DKM)
    })

    it('§2.17: KEYMAT of a Child SA, without and with a new key exchange', () => {
      expect(toHex(childKeymat(p, keys.skd, ni, nr, 132))).toBe(c.childDKM)
      expect(toHex(childKeymat(p, keys.skd, ni, nr, 132, hex(c.girNew)))).toBe(c.childDKMwithDH)
    })

    it('§2.18: SKEYSEED of a rekeyed IKE SA', () => {
      expect(toHex(rekeySkeyseed(p, keys.skd, hex(c.girNew), ni, nr))).toBe(c.rekeySKEYSEED)
    })
  }
})

describe('RFC 5282 §7.1 keys for an AEAD', () => {
  it('SK_a is empty, and SK_e carries the salt', () => {
    const random = seeded(7)
    const [seed, ni, nr] = [random(64), random(32), random(32)]
    const keys = ikeKeys(prf(7)!, skCipher(20, 256, undefined)!, seed, ni, nr, 1n, 0xfedcba9876543210n)
    expect(Object.values(keys).map((key) => key.length)).toEqual([64, 0, 0, 36, 36, 64, 64])
    const spis = hex('0000000000000001 fedcba9876543210')
    expect(joined(keys)).toBe(toHex(prfPlus(prf(7)!, seed, Uint8Array.from([...ni, ...nr, ...spis]), 3 * 64 + 2 * 36)))
  })

  it('keys are separate buffers: erasing one leaves the others', () => {
    const keys = ikeKeys(prf(5)!, skCipher(28, undefined, undefined)!, new Uint8Array(32), new Uint8Array(32), new Uint8Array(32), 1n, 2n)
    const skpr = toHex(keys.skpr)
    keys.skpi.fill(0)
    expect(toHex(keys.skpr)).toBe(skpr)
    expect(new Set(Object.values(keys).map((key) => key.buffer)).size).toBe(7)
  })
})
