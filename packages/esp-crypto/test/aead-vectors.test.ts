import { describe, expect, it } from 'vitest'
import { espTransform } from '../src/index.ts'
import { hex, octets, PROVIDERS, vectors } from './support.ts'

interface AeadVectors {
  readonly tests: readonly {
    readonly tcId: number
    readonly key: string
    readonly nonce: string
    readonly aad: string
    readonly plaintext: string
    readonly ciphertext: string
    readonly tag: string
    readonly valid: boolean
  }[]
}

interface HmacVectors {
  readonly tests: readonly {
    readonly tcId?: string
    readonly name?: string
    readonly integrity: number
    readonly key: string
    readonly message: string
    readonly icv: string
    readonly valid?: boolean
  }[]
}

const AEADS = [
  ['RFC 4106 AES-GCM', 'wycheproof-aes-gcm', 20],
  ['RFC 4309 AES-CCM', 'wycheproof-aes-ccm', 16],
  ['RFC 7634 ChaCha20-Poly1305', 'wycheproof-chacha20-poly1305', 28],
] as const

describe.each(PROVIDERS)('Wycheproof, $name', (provider) => {
  for (const [title, file, encryption] of AEADS) {
    const { tests } = vectors<AeadVectors>(file)
    const transformFor = (key: string) => espTransform(encryption, encryption === 28 ? undefined : key.length * 4, undefined)!
    // A runtime may have some key lengths only.
    const covered = tests.filter((test) => provider.supports(transformFor(test.key)))
    it.skipIf(covered.length === 0)(`${title}: ${covered.length} of ${tests.length} vectors`, () => {
      for (const test of covered) {
        const transform = transformFor(test.key)
        const saltDigits = transform.saltLength * 2
        const aead = provider.create(transform, octets(test.key + test.nonce.slice(0, saltDigits)))
        const iv = octets(test.nonce.slice(saltDigits))
        const aad = octets(test.aad)
        const length = test.plaintext.length / 2

        const sealed = octets(test.ciphertext + test.tag)
        const opened = aead.open(iv, aad, aad.length, sealed, 0, length)
        expect([test.tcId, opened]).toEqual([test.tcId, test.valid])
        if (!test.valid) continue
        expect([test.tcId, hex(sealed.subarray(0, length))]).toEqual([test.tcId, test.plaintext])

        // At an odd offset: nothing may depend on alignment.
        const buffer = new Uint8Array(length + 16 + 5)
        buffer.set(octets(test.plaintext), 3)
        aead.seal(iv, aad, aad.length, buffer, 3, length)
        expect([test.tcId, hex(buffer)]).toEqual([test.tcId, `000000${test.ciphertext}${test.tag}0000`])
      }
    })
  }

  it('HMAC with the key and ICV lengths of RFC 4868 and RFC 2404', () => {
    const { tests } = vectors<HmacVectors>('wycheproof-hmac')
    for (const test of tests) expect([test.tcId, icvVerifies(provider, test)]).toEqual([test.tcId, test.valid])
  })

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
