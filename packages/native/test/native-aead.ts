/** What holds for a NativeAead, whichever library it is of. */
import { expect, it } from 'vitest'
import { type AeadAlgorithm, type NativeAead, NativeError } from '../src/index.ts'

/** In the caller's `describe`. */
export function testAead(
  algorithm: AeadAlgorithm,
  keyLength: number,
  createAead: (algorithm: AeadAlgorithm, key: Uint8Array) => NativeAead,
): void {
  const { tagLength, nonceLength } = algorithm
  const key = Uint8Array.from({ length: keyLength }, (_, i) => i * 7)
  const create = (): NativeAead => createAead(algorithm, key)

  it('opens what it sealed, for every length, many packets to one context', () => {
    const aead = create()
    const aad = new Uint8Array(12)
    for (const length of [0, 1, 15, 16, 17, 64, 1400, 65_000]) {
      const nonce = Uint8Array.from({ length: nonceLength }, (_, i) => i + length)
      const plaintext = Uint8Array.from({ length }, (_, i) => i)
      const sealed = seal(aead, nonce, aad, plaintext, tagLength)
      expect(open(aead, nonce, aad, sealed, tagLength)).toEqual(plaintext)
    }
    aead.free()
  })

  it('reports a changed octet in data, tag, AAD or nonce, and goes on working after it', () => {
    const aead = create()
    const nonce = new Uint8Array(nonceLength).fill(1)
    const aad = new Uint8Array(8).fill(2)
    const plaintext = new Uint8Array(100).fill(3)
    const sealed = seal(aead, nonce, aad, plaintext, tagLength)
    const flip = (bytes: Uint8Array, at: number): Uint8Array => Uint8Array.from(bytes, (octet, i) => (i === at ? octet ^ 1 : octet))
    expect(open(aead, nonce, aad, flip(sealed, 0), tagLength)).toBeUndefined()
    expect(open(aead, nonce, aad, flip(sealed, sealed.length - 1), tagLength)).toBeUndefined()
    expect(open(aead, nonce, flip(aad, 7), sealed, tagLength)).toBeUndefined()
    expect(open(aead, flip(nonce, nonceLength - 1), aad, sealed, tagLength)).toBeUndefined()
    expect(open(aead, nonce, aad, sealed, tagLength)).toEqual(plaintext)
    aead.free()
  })

  it('authenticates an AAD of any length, from any place', () => {
    const aead = create()
    const nonce = new Uint8Array(nonceLength)
    const long = Uint8Array.from({ length: 3000 }, (_, i) => i)
    const tags = new Set<string>()
    for (const aad of [long.subarray(0, 0), long.subarray(3, 4), long.subarray(3, 83), long.subarray(3, 84), long.subarray(5)]) {
      const sealed = seal(aead, nonce, aad, hex('0102'), tagLength)
      tags.add(toHex(sealed.subarray(2)))
      expect(open(aead, nonce, aad.slice(), sealed, tagLength)).toEqual(hex('0102'))
    }
    expect(tags.size).toBe(5)
    aead.free()
  })

  it('refuses a wrong key length, an out-of-range buffer, and use after free', () => {
    expect(codeOf(() => createAead(algorithm, new Uint8Array(keyLength + 1)))).toBe('CRYPTO')
    const aead = create()
    const nonce = new Uint8Array(nonceLength)
    const buffer = new Uint8Array(100)
    expect(codeOf(() => aead.seal(nonce, buffer, 8, buffer, 50, 51 - tagLength, buffer, 50))).toBe('ARGUMENT')
    expect(codeOf(() => aead.seal(nonce, buffer, 8, buffer, -1, 10, buffer, 0))).toBe('ARGUMENT')
    expect(codeOf(() => aead.seal(nonce.subarray(1), buffer, 8, buffer, 0, 10, buffer, 0))).toBe('ARGUMENT')
    expect(codeOf(() => aead.open(nonce, buffer, 101, buffer, 0, 10, buffer, 0))).toBe('ARGUMENT')
    expect(codeOf(() => aead.seal(nonce, buffer, 8, buffer, 50, 50 - tagLength, buffer, 50))).toBeUndefined()
    aead.free()
    aead.free()
    expect(codeOf(() => aead.seal(nonce, buffer, 8, buffer, 0, 10, buffer, 0))).toBe('CRYPTO')
  })
}

export const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], (octet) => Number.parseInt(octet, 16))
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** seal() in a larger buffer at an odd offset, so that offsets matter. */
export function seal(aead: NativeAead, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, tagLength: number): Uint8Array {
  const buffer = new Uint8Array(7 + plaintext.length + tagLength + 5).fill(0xee)
  buffer.set(plaintext, 7)
  aead.seal(nonce, aad, aad.length, buffer, 7, plaintext.length, buffer, 7)
  expect(toHex(buffer.subarray(0, 7))).toBe('ee'.repeat(7))
  expect(toHex(buffer.subarray(buffer.length - 5))).toBe('ee'.repeat(5))
  return buffer.slice(7, 7 + plaintext.length + tagLength)
}

export function open(aead: NativeAead, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, tagLength: number): Uint8Array | undefined {
  const buffer = new Uint8Array(3 + sealed.length)
  buffer.set(sealed, 3)
  const length = sealed.length - tagLength
  return aead.open(nonce, aad, aad.length, buffer, 3, length, buffer, 3) ? buffer.slice(3, 3 + length) : undefined
}

export function codeOf(work: () => unknown): string | undefined {
  try {
    work()
  } catch (error) {
    if (error instanceof NativeError) return error.code
    throw error
  }
  return undefined
}
