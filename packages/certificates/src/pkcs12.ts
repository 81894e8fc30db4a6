/** PKCS#12 files (RFC 7292) as today's tools make them: PBES2 (RFC 8018) with AES and PBKDF2, and an HMAC over all of it. */
import { createDecipheriv, createHash, createHmac, type KeyObject, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import { type ContentInfo, EncryptedContentInfo } from '@peculiar/asn1-cms'
import {
  AuthenticatedSafe,
  CertBag,
  id_certBag,
  id_keyBag,
  id_pkcs8ShroudedKeyBag,
  id_x509Certificate,
  PFX,
  SafeContents,
} from '@peculiar/asn1-pfx'
import { AsnProp, AsnPropTypes, OctetString } from '@peculiar/asn1-schema'
import { AlgorithmIdentifier } from '@peculiar/asn1-x509'
import { CertificateError } from './certificate-error.ts'
import { decode, octetsOf } from './der.ts'
import { fromDer } from './private-key.ts'

export interface Pkcs12 {
  readonly key: KeyObject | undefined
  /** DER, in the order of the file. */
  readonly certificates: readonly Uint8Array[]
}

const MAX_LENGTH = 1_048_576
const MAX_ITERATIONS = 10_000_000

const DATA = '1.2.840.113549.1.7.1'
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6'
const PBES2 = '1.2.840.113549.1.5.13'
const PBKDF2 = '1.2.840.113549.1.5.12'

const CIPHERS: Readonly<Record<string, { readonly name: string; readonly keyLength: number }>> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyLength: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyLength: 24 },
  '2.16.840.1.101.3.4.1.42': { name: 'aes-256-cbc', keyLength: 32 },
}

const HMACS: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
}

const DIGESTS: Readonly<Record<string, { readonly name: string; readonly length: number; readonly block: number }>> = {
  '1.3.14.3.2.26': { name: 'sha1', length: 20, block: 64 },
  '2.16.840.1.101.3.4.2.1': { name: 'sha256', length: 32, block: 64 },
  '2.16.840.1.101.3.4.2.2': { name: 'sha384', length: 48, block: 128 },
  '2.16.840.1.101.3.4.2.3': { name: 'sha512', length: 64, block: 128 },
}

/** Throws `CertificateError`: 'WRONG_PASSPHRASE', 'MALFORMED', 'UNSUPPORTED' for the ciphers of old (RC2, 3DES) and for files without a MAC. */
export function readPkcs12(der: Uint8Array, passphrase: string): Pkcs12 {
  if (der.length > MAX_LENGTH) throw new CertificateError('LIMIT_EXCEEDED', `a PKCS#12 file of ${der.length} octets`)
  const file = decode(der, PFX, 'PKCS#12')
  if (file.authSafe.contentType !== DATA)
    throw new CertificateError('UNSUPPORTED', 'PKCS#12: only files that a passphrase protects are read')
  const content = octetsOf(decode(octetsOf(file.authSafe.content), OctetString, 'PKCS#12').buffer)
  checkMac(file, content, passphrase)
  const bags = [...decode(content, AuthenticatedSafe, 'AuthenticatedSafe')].flatMap((info) => [
    ...decode(safeContents(info, passphrase), SafeContents, 'SafeContents'),
  ])
  const octetsIn = (bag: (typeof bags)[number]): Uint8Array => octetsOf(bag.bagValue)
  const shrouded = bags.find(({ bagId }) => bagId === id_pkcs8ShroudedKeyBag)
  const plain = bags.find(({ bagId }) => bagId === id_keyBag)
  const certificates = bags
    .filter(({ bagId }) => bagId === id_certBag)
    .map((bag) => decode(octetsIn(bag), CertBag, 'CertBag'))
    .filter(({ certId }) => certId === id_x509Certificate)
    .map(({ certValue }) => octetsOf(decode(octetsOf(certValue), OctetString, 'CertBag').buffer))
  return { key: shrouded ? fromDer(octetsIn(shrouded), passphrase) : plain && fromDer(octetsIn(plain)), certificates }
}

/** EncryptedData (RFC 5652 §8), which the schemas of CMS leave out. */
class EncryptedData {
  version = 0
  encryptedContentInfo: EncryptedContentInfo = new EncryptedContentInfo()
}
AsnProp({ type: AsnPropTypes.Integer })(EncryptedData.prototype, 'version')
AsnProp({ type: EncryptedContentInfo })(EncryptedData.prototype, 'encryptedContentInfo')

/** PBES2-params (RFC 8018 A.4). */
class Pbes2Parameters {
  keyDerivationFunc: AlgorithmIdentifier = new AlgorithmIdentifier()
  encryptionScheme: AlgorithmIdentifier = new AlgorithmIdentifier()
}
AsnProp({ type: AlgorithmIdentifier })(Pbes2Parameters.prototype, 'keyDerivationFunc')
AsnProp({ type: AlgorithmIdentifier })(Pbes2Parameters.prototype, 'encryptionScheme')

/** PBKDF2-params (RFC 8018 A.2) with a salt that is given. */
class Pbkdf2Parameters {
  salt: OctetString = new OctetString()
  iterationCount = 0
  keyLength?: number
  prf: AlgorithmIdentifier = new AlgorithmIdentifier({ algorithm: '1.2.840.113549.2.7' })
}
AsnProp({ type: OctetString })(Pbkdf2Parameters.prototype, 'salt')
AsnProp({ type: AsnPropTypes.Integer })(Pbkdf2Parameters.prototype, 'iterationCount')
AsnProp({ type: AsnPropTypes.Integer, optional: true })(Pbkdf2Parameters.prototype, 'keyLength')
AsnProp({ type: AlgorithmIdentifier, optional: true })(Pbkdf2Parameters.prototype, 'prf')

function safeContents(info: ContentInfo, passphrase: string): Uint8Array {
  if (info.contentType === DATA) return octetsOf(decode(octetsOf(info.content), OctetString, 'SafeContents').buffer)
  if (info.contentType !== ENCRYPTED_DATA) throw new CertificateError('UNSUPPORTED', `PKCS#12: contents of the type ${info.contentType}`)
  const { contentEncryptionAlgorithm, encryptedContent } = decode(
    octetsOf(info.content),
    EncryptedData,
    'EncryptedData',
  ).encryptedContentInfo
  const ciphertext = encryptedContent?.value ? octetsOf(encryptedContent.value.buffer) : undefined
  if (!ciphertext) throw new CertificateError('UNSUPPORTED', 'PKCS#12: contents in pieces')
  return decrypt(contentEncryptionAlgorithm, ciphertext, passphrase)
}

function decrypt({ algorithm, parameters }: AlgorithmIdentifier, ciphertext: Uint8Array, passphrase: string): Uint8Array {
  if (algorithm !== PBES2 || !parameters)
    throw new CertificateError(
      'UNSUPPORTED',
      `PKCS#12: encrypted in an old way (${algorithm}); make the file anew with PBES2, as openssl 3 does`,
    )
  const { keyDerivationFunc, encryptionScheme } = decode(octetsOf(parameters), Pbes2Parameters, 'PBES2-params')
  const cipher = CIPHERS[encryptionScheme.algorithm]
  if (keyDerivationFunc.algorithm !== PBKDF2 || !keyDerivationFunc.parameters || !cipher || !encryptionScheme.parameters)
    throw new CertificateError('UNSUPPORTED', `PKCS#12: PBES2 with ${keyDerivationFunc.algorithm} and ${encryptionScheme.algorithm}`)
  const { salt, iterationCount, prf } = decode(octetsOf(keyDerivationFunc.parameters), Pbkdf2Parameters, 'PBKDF2-params')
  const hash = HMACS[prf.algorithm]
  if (hash === undefined) throw new CertificateError('UNSUPPORTED', `PKCS#12: PBKDF2 with ${prf.algorithm}`)
  const key = pbkdf2Sync(passphrase, octetsOf(salt.buffer), checkedIterations(iterationCount), cipher.keyLength, hash)
  const iv = octetsOf(decode(octetsOf(encryptionScheme.parameters), OctetString, 'AES-IV').buffer)
  try {
    const decipher = createDecipheriv(cipher.name, key, iv)
    return new Uint8Array(Buffer.concat([decipher.update(ciphertext), decipher.final()]))
  } catch {
    throw new CertificateError('WRONG_PASSPHRASE', 'the PKCS#12 file cannot be decrypted with this passphrase')
  }
}

function checkMac({ macData }: PFX, content: Uint8Array, passphrase: string): void {
  const digest = macData && DIGESTS[macData.mac.digestAlgorithm.algorithm]
  if (!digest) throw new CertificateError('UNSUPPORTED', 'PKCS#12: without a MAC, or with one by a hash that is not known here')
  const key = macKey(digest, passphrase, octetsOf(macData.macSalt.buffer), checkedIterations(macData.iterations))
  const expected = createHmac(digest.name, key).update(content).digest()
  const found = octetsOf(macData.mac.digest.buffer)
  if (found.length !== expected.length || !timingSafeEqual(found, expected))
    throw new CertificateError('WRONG_PASSPHRASE', 'the PKCS#12 file has another passphrase, or was changed')
}

/** RFC 7292 Appendix B.2 with ID 3, for keys no longer than the digest. */
function macKey({ name, length, block }: (typeof DIGESTS)[string], passphrase: string, salt: Uint8Array, iterations: number): Uint8Array {
  const password = Uint8Array.from(
    [...`${passphrase}\0`].flatMap((character) => [character.charCodeAt(0) >> 8, character.charCodeAt(0) & 0xff]),
  )
  const filled = (octets: Uint8Array): Uint8Array =>
    Uint8Array.from({ length: block * Math.ceil(octets.length / block) }, (_, index) => octets[index % octets.length]!)
  let key = Buffer.concat([new Uint8Array(block).fill(3), filled(salt), filled(password)])
  for (let i = 0; i < iterations; i++) key = createHash(name).update(key).digest()
  return key.subarray(0, length)
}

function checkedIterations(iterations: number): number {
  if (iterations >= 1 && iterations <= MAX_ITERATIONS) return Number(iterations)
  throw new CertificateError('LIMIT_EXCEEDED', `PKCS#12: ${iterations} iterations`)
}
