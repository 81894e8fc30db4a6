import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { IkeCryptoError, type Prf, prf, prfPlus } from '../src/index.ts'
import { hex, seeded, toHex } from './hex.ts'
import rfc4868 from './vectors/rfc4868.json' with { type: 'json' }

const NODE_HASH: Readonly<Record<number, string>> = { 2: 'sha1', 5: 'sha256', 6: 'sha384', 7: 'sha512' }

describe('RFC 4868 §2.7.1, RFC 4231 §4 HMAC as PRF', () => {
  for (const { name, key, data, ...answers } of rfc4868.prf) {
    it.each([
      [5, answers.sha256],
      [6, answers.sha384],
      [7, answers.sha512],
    ])(`${name} with PRF %i`, (id, answer) => {
      expect(toHex(prf(id)!.compute(hex(key), hex(data)))).toBe(answer)
    })
  }

  it.each([2, 5, 6, 7])('PRF %i joins its data arguments', (id) => {
    const [key, data] = [seeded(id)(33), seeded(id + 1)(50)]
    const whole = prf(id)!.compute(key, data)
    expect(prf(id)!.compute(key, data.subarray(0, 7), new Uint8Array(0), data.subarray(7))).toEqual(whole)
    expect(toHex(whole)).toBe(createHmac(NODE_HASH[id]!, key).update(data).digest('hex'))
  })
})

describe('RFC 7296 §3.3.2 the table of PRFs', () => {
  it.each([
    [2, 'PRF_HMAC_SHA1', 20],
    [5, 'PRF_HMAC_SHA2_256', 32],
    [6, 'PRF_HMAC_SHA2_384', 48],
    [7, 'PRF_HMAC_SHA2_512', 64],
  ])('§2.13: PRF %i is %s, whose preferred key is as long as its output, %i octets', (id, name, length) => {
    expect(prf(id)).toMatchObject({ id, name, outputLength: length, keyLength: length })
    expect(prf(id)!.compute(new Uint8Array(1), new Uint8Array(1))).toHaveLength(length)
  })

  it.each([0, 1, 3, 99])('RFC 8247 §2.2: PRF %i is not there', (id) => {
    expect(prf(id)).toBeUndefined()
  })
})

describe('RFC 7296 §2.13 prf+', () => {
  it.each([2, 5, 6, 7])('chains T1 | T2 | … with PRF %i', (id) => {
    const [key, seed] = [seeded(id)(40), seeded(id + 9)(48)]
    expect(prfPlus(prf(id)!, key, seed, 250)).toEqual(independentPrfPlus(NODE_HASH[id]!, key, seed, 250))
  })

  it('gives a prefix of the same stream for every shorter length', () => {
    const stream = prfPlus(prf(5)!, hex('00'), hex('01'), 100)
    for (const length of [0, 1, 31, 32, 33, 64, 99]) expect(prfPlus(prf(5)!, hex('00'), hex('01'), length)).toEqual(stream.slice(0, length))
  })

  it('runs to 255 blocks and not one octet further', () => {
    const sha1 = prf(2) as Prf
    const all = prfPlus(sha1, hex('aa'), hex('bb'), 255 * 20)
    expect(all).toEqual(independentPrfPlus('sha1', hex('aa'), hex('bb'), 255 * 20))
    const overrun = (): Uint8Array => prfPlus(sha1, hex('aa'), hex('bb'), 255 * 20 + 1)
    expect(overrun).toThrow(IkeCryptoError)
    expect(overrun).toThrow(expect.objectContaining({ code: 'OUTPUT_TOO_LONG', context: { requested: 5101, maximum: 5100 } }))
  })
})

function independentPrfPlus(hash: string, key: Uint8Array, seed: Uint8Array, length: number): Uint8Array {
  const out: number[] = []
  for (let n = 1, last: number[] = []; out.length < length; n++) {
    last = [
      ...createHmac(hash, key)
        .update(Uint8Array.from([...last, ...seed, n]))
        .digest(),
    ]
    out.push(...last)
  }
  return Uint8Array.from(out.slice(0, length))
}
