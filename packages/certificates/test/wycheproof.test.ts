import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { AuthMethod, CertificateError, readPublicKey, verifyAuth } from '../src/index.ts'
import { encodeSignatureAlgorithm, type SignatureAlgorithm } from '../src/signature-algorithm.ts'

/**
 * A selection of Project Wycheproof's cases is in `vectors/wycheproof.json`. With WYCHEPROOF pointing at the folder testvectors_v1 of a checkout of
 * github.com/C2SP/wycheproof, or that as `../shared/wycheproof` beside the repository, it is all of them.
 */
const FOLDER = process.env['WYCHEPROOF'] ?? fileURLToPath(new URL('../../../../shared/wycheproof', import.meta.url))
const isWhole = existsSync(`${FOLDER}/ed25519_test.json`)
const SELECTION = JSON.parse(readFileSync(new URL('./vectors/wycheproof.json', import.meta.url), 'utf8')) as {
  readonly files: Readonly<Record<string, { readonly testGroups: readonly Group[] }>>
}

interface Group {
  readonly publicKeyDer: string
  readonly tests: readonly {
    readonly tcId: number
    readonly comment: string
    readonly msg: string
    readonly sig: string
    readonly result: 'valid' | 'invalid' | 'acceptable'
  }[]
}

const octets = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

const DIGITAL: readonly [string, SignatureAlgorithm][] = [
  ['ecdsa_secp256r1_sha256', { scheme: 'ecdsa', hash: 'sha256', saltLength: 0 }],
  ['ecdsa_secp384r1_sha384', { scheme: 'ecdsa', hash: 'sha384', saltLength: 0 }],
  ['ecdsa_secp521r1_sha512', { scheme: 'ecdsa', hash: 'sha512', saltLength: 0 }],
  ['ed25519', { scheme: 'Ed25519', hash: undefined, saltLength: 0 }],
  ['ed448', { scheme: 'Ed448', hash: undefined, saltLength: 0 }],
  ['rsa_pss_2048_sha256_mgf1_32', { scheme: 'rsa-pss', hash: 'sha256', saltLength: 32 }],
  ['rsa_pss_4096_sha384_mgf1_48', { scheme: 'rsa-pss', hash: 'sha384', saltLength: 48 }],
  ['rsa_pss_4096_sha512_mgf1_64', { scheme: 'rsa-pss', hash: 'sha512', saltLength: 64 }],
  ['rsa_signature_2048_sha256', { scheme: 'rsa-pkcs1', hash: 'sha256', saltLength: 0 }],
  ['rsa_signature_3072_sha384', { scheme: 'rsa-pkcs1', hash: 'sha384', saltLength: 0 }],
  ['rsa_signature_4096_sha512', { scheme: 'rsa-pkcs1', hash: 'sha512', saltLength: 0 }],
]

describe('Wycheproof', () => {
  // Bun knows no Ed448.
  it.each(DIGITAL.filter(([file]) => file !== 'ed448' || !('Bun' in globalThis)))(
    'RFC 7427 §3 (S-1): %s as AUTH method 14',
    (file, algorithm) => {
      const identifier = encodeSignatureAlgorithm(algorithm)
      const check = checker(file, AuthMethod.DIGITAL_SIGNATURE, (sig) => Uint8Array.from([identifier.length, ...identifier, ...sig]))
      expect(check).toEqual([])
    },
  )

  it.each([
    ['ecdsa_secp256r1_sha256_p1363', AuthMethod.ECDSA_SHA256_P256],
    ['ecdsa_secp384r1_sha384_p1363', AuthMethod.ECDSA_SHA384_P384],
    ['ecdsa_secp521r1_sha512_p1363', AuthMethod.ECDSA_SHA512_P521],
  ])('RFC 4754 §3: %s as AUTH method %i', (file, method) => {
    expect(checker(file, method, (sig) => sig)).toEqual([])
  })
})

/** The cases on which our verdict is another. */
function checker(file: string, method: number, data: (signature: Uint8Array) => Uint8Array): string[] {
  const { testGroups } = isWhole
    ? (JSON.parse(readFileSync(`${FOLDER}/${file}_test.json`, 'utf8')) as { testGroups: Group[] })
    : SELECTION.files[file]!
  return testGroups.flatMap(({ publicKeyDer, tests }) => {
    const key = readPublicKey(octets(publicKeyDer))
    return tests.flatMap(({ tcId, comment, msg, sig, result }) => {
      const isValid = isRight(() => verifyAuth(key, octets(msg), { method, data: data(octets(sig)) }))
      return result === 'acceptable' || isValid === (result === 'valid') ? [] : [`${file} ${tcId} (${comment}): we say ${isValid}`]
    })
  })
}

function isRight(verify: () => void): boolean {
  try {
    verify()
    return true
  } catch (error) {
    if (error instanceof CertificateError) return false
    throw error
  }
}
