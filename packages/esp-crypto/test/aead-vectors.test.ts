import { describe, expect, it } from 'vitest'
import { espTransform } from '../src/index.ts'
import { hex, octets, PROVIDERS, vectors } from './support.ts'
import { aeadCases, hasWycheproof, hmacCases } from './wycheproof.ts'

interface HmacVectors {
  readonly tests: readonly {
    readonly name?: string
    readonly integrity: number
    readonly key: string
    readonly message: string
    readonly icv: string
  }[]
}

const AEADS = [
  ['RFC 4106 AES-GCM', 'aes_gcm', 20, 96],
  ['RFC 4309 AES-CCM', 'aes_ccm', 16, 88],
  ['RFC 7634 ChaCha20-Poly1305', 'chacha20_poly1305', 28, 96],
] as const

const HMACS = [
  ['hmac_sha1', 2, 160, 12],
  ['hmac_sha256', 12, 256, 16],
  ['hmac_sha384', 13, 384, 24],
  ['hmac_sha512', 14, 512, 32],
] as const

describe.skipIf(!hasWycheproof).each(PROVIDERS)('Wycheproof, $name', (provider) => {
  it.each(AEADS)('%s', (_title, file, encryption, nonceBits) => {
    const transformFor = (key: string) => espTransform(encryption, encryption === 28 ? undefined : key.length * 4, undefined)
    // ESP has no other key lengths, and a runtime may have some of them only.
    const covered = aeadCases(file, nonceBits).filter(({ key }) => {
      const transform = transformFor(key)
      return transform !== undefined && provider.supports(transform)
    })
    for (const test of covered) {
      const transform = transformFor(test.key)!
      const saltDigits = transform.saltLength * 2
      const aead = provider.create(transform, octets(test.key + test.iv.slice(0, saltDigits)))
      const iv = octets(test.iv.slice(saltDigits))
      const aad = octets(test.aad)
      const length = test.msg.length / 2
      const isValid = test.result === 'valid'

      const sealed = octets(test.ct + test.tag)
      const opened = aead.open(iv, aad, aad.length, sealed, 0, length)
      expect([test.tcId, opened]).toEqual([test.tcId, isValid])
      if (!isValid) continue
      expect([test.tcId, hex(sealed.subarray(0, length))]).toEqual([test.tcId, test.msg])

      // At an odd offset: nothing may depend on alignment.
      const buffer = new Uint8Array(length + 16 + 5)
      buffer.set(octets(test.msg), 3)
      aead.seal(iv, aad, aad.length, buffer, 3, length)
      expect([test.tcId, hex(buffer)]).toEqual([test.tcId, `000000${test.ct}${test.tag}0000`])
    }
  })

  it.each(HMACS)('%s, cut to the ICV length of RFC 4868 and RFC 2404', (file, integrity, bits, icvLength) => {
    const valid = hmacCases(file, bits).filter(({ result }) => result === 'valid')
    expect(valid.length).toBeGreaterThan(0)
    for (const { tcId, key, msg, tag } of valid) {
      const icv = tag.slice(0, 2 * icvLength)
      const other = (Number.parseInt(icv.slice(-1), 16) ^ 1).toString(16)
      expect([tcId, icvVerifies(provider, { integrity, key, message: msg, icv })]).toEqual([tcId, true])
      expect([tcId, icvVerifies(provider, { integrity, key, message: msg, icv: icv.slice(0, -1) + other })]).toEqual([tcId, false])
    }
  })
})

describe.each(PROVIDERS)('HMAC, $name', (provider) => {
  it('RFC 4868 §2.7.2', () => {
    const { tests } = vectors<HmacVectors>('rfc4868-hmac')
    for (const test of tests) {
      expect([test.name, icvVerifies(provider, test)]).toEqual([test.name, true])
      const last = Number.parseInt(test.icv.slice(-1), 16) ^ 1
      expect([test.name, icvVerifies(provider, { ...test, icv: test.icv.slice(0, -1) + last.toString(16) })]).toEqual([test.name, false])
    }
  })
})

/** NULL with HMAC covers the associated data and the payload: the message is split between the two. */
function icvVerifies(provider: (typeof PROVIDERS)[number], test: HmacVectors['tests'][number]): boolean {
  const transform = espTransform(11, undefined, test.integrity)!
  const aead = provider.create(transform, octets(test.key))
  const message = octets(test.message)
  const aad = message.subarray(0, Math.min(8, message.length))
  const rest = message.subarray(aad.length)
  const buffer = new Uint8Array([...rest, ...octets(test.icv)])
  return aead.open(new Uint8Array(0), aad, aad.length, buffer, 0, rest.length)
}
