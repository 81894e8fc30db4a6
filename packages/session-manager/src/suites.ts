/** Algorithm sets as users write them: 'aes256gcm16-prfsha256-x25519', 'aes256-sha256-modp2048'. */

import { espTransform } from '@underpass/esp-crypto'
import { EncryptionId, IntegrityId, KeyExchangeMethod, PrfId } from '@underpass/ike-codec'
import { keyExchange, prf, skCipher } from '@underpass/ike-crypto'
import { whyNotHere } from './algorithm-levels.ts'
import type { EspSuite, IkeSuite } from './config.ts'
import { SessionError } from './session-error.ts'

/** An IKE suite. Without a PRF word the PRF is that of the integrity algorithm (RFC 7296 §3.3.2 has no default). Throws `SessionError` 'INVALID_SUITE'. */
export function parseIkeSuite(text: string): IkeSuite {
  const words = readWords(text)
  const { encryption, keyLength, aead } = words.encryption ?? refuse(text, 'it names no encryption algorithm')
  if (encryption === EncryptionId.ENCR_NULL || encryption === EncryptionId.ENCR_NULL_AUTH_AES_GMAC)
    refuse(text, 'an IKE SA cannot go without encryption (RFC 7296 §5)')
  if (aead && words.integrity !== undefined) refuse(text, 'an AEAD takes no integrity algorithm; name the PRF as "prfsha256"')
  if (!aead && words.integrity === undefined) refuse(text, 'it names no integrity algorithm, such as "sha256"')
  const prf =
    words.prf ??
    (words.integrity === undefined ? refuse(text, 'it names no PRF, such as "prfsha256"') : PRF_OF_INTEGRITY.get(words.integrity)!)
  return {
    encryption,
    keyLength,
    integrity: words.integrity,
    prf,
    keyExchange: words.keyExchange ?? refuse(text, 'it names no key exchange, such as "x25519"'),
  }
}

/** An ESP suite: encryption, and integrity where the cipher is no AEAD. Throws `SessionError` 'INVALID_SUITE'. */
export function parseEspSuite(text: string): EspSuite {
  const words = readWords(text)
  const { encryption, keyLength, aead } = words.encryption ?? refuse(text, 'it names no encryption algorithm')
  if (words.prf !== undefined) refuse(text, 'ESP takes no PRF')
  if (words.keyExchange !== undefined)
    refuse(text, 'a key exchange for ESP (PFS) is not supported yet; the first Child SA takes none (RFC 7296 §1.2)')
  if (aead && words.integrity !== undefined) refuse(text, 'an AEAD takes no integrity algorithm')
  if (!aead && words.integrity === undefined) refuse(text, 'it names no integrity algorithm, such as "sha256" (RFC 4303 §3.2)')
  return { encryption, keyLength, integrity: words.integrity }
}

export function describeIkeSuite(suite: IkeSuite): string {
  const encryption = describeEncryption(suite.encryption, suite.keyLength)
  const integrity = suite.integrity === undefined ? [] : [nameIn(INTEGRITY, suite.integrity)]
  const prf = suite.integrity !== undefined && PRF_OF_INTEGRITY.get(suite.integrity) === suite.prf ? [] : [nameIn(PRF, suite.prf)]
  return [encryption, ...integrity, ...prf, nameIn(KEY_EXCHANGE, suite.keyExchange)].join('-')
}

export function describeEspSuite(suite: EspSuite): string {
  const encryption = describeEncryption(suite.encryption, suite.keyLength)
  return suite.integrity === undefined ? encryption : `${encryption}-${nameIn(INTEGRITY, suite.integrity)}`
}

/** Whether a suite can be done, with encryption and integrity (RFC 7296 §5, C-35). */
export function isIkeSuite(suite: IkeSuite): boolean {
  const isNull = suite.encryption === EncryptionId.ENCR_NULL || suite.encryption === EncryptionId.ENCR_NULL_AUTH_AES_GMAC
  const cipher = isNull ? undefined : skCipher(suite.encryption, suite.keyLength, suite.integrity)
  return cipher !== undefined && prf(suite.prf) !== undefined && keyExchange(suite.keyExchange) !== undefined
}

/** Whether a suite can be done, with integrity at least (RFC 4303 §3.2, E-6). */
export function isEspSuite(suite: EspSuite): boolean {
  return espTransform(suite.encryption, suite.keyLength, suite.integrity) !== undefined
}

/** Conformance §4: what is offered where the configuration names nothing. */
export const DEFAULT_IKE_SUITES: readonly string[] = [
  'aes256gcm16-prfsha512-x25519',
  'aes256gcm16-prfsha256-x25519',
  'aes128gcm16-prfsha256-x25519',
  'chacha20poly1305-prfsha256-x25519',
  'aes256gcm16-prfsha256-ecp256',
  'aes256gcm16-prfsha384-ecp384',
  'aes256-sha256-x25519',
  'aes256-sha256-ecp256',
  'aes256gcm16-prfsha256-modp3072',
  'aes256-sha256-modp2048',
  'aes128-sha256-modp2048',
]

export const DEFAULT_ESP_SUITES: readonly string[] = ['aes256gcm16', 'aes128gcm16', 'chacha20poly1305', 'aes256-sha256', 'aes128-sha256']

/** For peers that are too old for the above; with SHA-1, which is about to go (RFC 8247 §2.2 and §2.3). Only where it is asked for by name. */
export const LEGACY_IKE_SUITES: readonly string[] = [
  'aes256-sha1-modp2048',
  'aes128-sha1-modp2048',
  'aes256-sha1-ecp256',
  'aes128-sha1-ecp256',
]

export const LEGACY_ESP_SUITES: readonly string[] = ['aes256-sha1', 'aes128-sha1']

interface EncryptionWord {
  readonly encryption: number
  readonly keyLength: number | undefined
  readonly aead: boolean
}

const ENCRYPTION: ReadonlyMap<string, EncryptionWord> = new Map(encryptionWords())

function* encryptionWords(): Generator<[string, EncryptionWord]> {
  const aead = true
  for (const keyLength of [128, 192, 256]) {
    yield [`aes${keyLength}`, { encryption: EncryptionId.ENCR_AES_CBC, keyLength, aead: false }]
    yield [`aes${keyLength}gcm8`, { encryption: EncryptionId.ENCR_AES_GCM_8, keyLength, aead }]
    yield [`aes${keyLength}gcm12`, { encryption: EncryptionId.ENCR_AES_GCM_12, keyLength, aead }]
    yield [`aes${keyLength}gcm16`, { encryption: EncryptionId.ENCR_AES_GCM_16, keyLength, aead }]
    yield [`aes${keyLength}ccm8`, { encryption: EncryptionId.ENCR_AES_CCM_8, keyLength, aead }]
    yield [`aes${keyLength}ccm12`, { encryption: EncryptionId.ENCR_AES_CCM_12, keyLength, aead }]
    yield [`aes${keyLength}ccm16`, { encryption: EncryptionId.ENCR_AES_CCM_16, keyLength, aead }]
    yield [`aes${keyLength}gmac`, { encryption: EncryptionId.ENCR_NULL_AUTH_AES_GMAC, keyLength, aead }]
  }
  yield ['chacha20poly1305', { encryption: EncryptionId.ENCR_CHACHA20_POLY1305, keyLength: undefined, aead }]
  yield ['null', { encryption: EncryptionId.ENCR_NULL, keyLength: undefined, aead: false }]
}

const INTEGRITY: ReadonlyMap<string, number> = new Map([
  ['sha1', IntegrityId.AUTH_HMAC_SHA1_96],
  ['sha256', IntegrityId.AUTH_HMAC_SHA2_256_128],
  ['sha384', IntegrityId.AUTH_HMAC_SHA2_384_192],
  ['sha512', IntegrityId.AUTH_HMAC_SHA2_512_256],
])

const PRF: ReadonlyMap<string, number> = new Map([
  ['prfsha1', PrfId.PRF_HMAC_SHA1],
  ['prfsha256', PrfId.PRF_HMAC_SHA2_256],
  ['prfsha384', PrfId.PRF_HMAC_SHA2_384],
  ['prfsha512', PrfId.PRF_HMAC_SHA2_512],
])

const PRF_OF_INTEGRITY: ReadonlyMap<number, number> = new Map([...INTEGRITY].map(([word, id]) => [id, PRF.get(`prf${word}`)!]))

const KEY_EXCHANGE: ReadonlyMap<string, number> = new Map([
  ['x25519', KeyExchangeMethod.CURVE25519],
  ['curve25519', KeyExchangeMethod.CURVE25519],
  ['x448', KeyExchangeMethod.CURVE448],
  ['curve448', KeyExchangeMethod.CURVE448],
  ['ecp256', KeyExchangeMethod.ECP_256],
  ['ecp384', KeyExchangeMethod.ECP_384],
  ['ecp521', KeyExchangeMethod.ECP_521],
  ['modp2048', KeyExchangeMethod.MODP_2048],
  ['modp3072', KeyExchangeMethod.MODP_3072],
  ['modp4096', KeyExchangeMethod.MODP_4096],
  ['modp6144', KeyExchangeMethod.MODP_6144],
  ['modp8192', KeyExchangeMethod.MODP_8192],
])

function readWords(text: string): { encryption?: EncryptionWord; integrity?: number; prf?: number; keyExchange?: number } {
  const found: { encryption?: EncryptionWord; integrity?: number; prf?: number; keyExchange?: number } = {}
  for (const word of text.toLowerCase().split('-')) {
    const encryption = ENCRYPTION.get(word)
    const integrity = INTEGRITY.get(word)
    const prf = PRF.get(word)
    const keyExchange = KEY_EXCHANGE.get(word)
    if (encryption !== undefined && found.encryption === undefined) found.encryption = encryption
    else if (integrity !== undefined && found.integrity === undefined) found.integrity = integrity
    else if (prf !== undefined && found.prf === undefined) found.prf = prf
    else if (keyExchange !== undefined && found.keyExchange === undefined) found.keyExchange = keyExchange
    else
      refuse(
        text,
        `"${word}" ${whyUnknown(word)}; known are ${[...ENCRYPTION.keys(), ...INTEGRITY.keys(), ...PRF.keys(), ...KEY_EXCHANGE.keys()].join(', ')}`,
      )
  }
  return found
}

function whyUnknown(word: string): string {
  const row = whyNotHere(word)
  return row === undefined ? 'is not an algorithm known here, or the second of its kind' : `is not done here: ${row}`
}

function refuse(text: string, why: string): never {
  throw new SessionError('INVALID_SUITE', 'caller', `"${text}" is not an algorithm suite: ${why}`)
}

function describeEncryption(encryption: number, keyLength: number | undefined): string {
  for (const [word, row] of ENCRYPTION) if (row.encryption === encryption && row.keyLength === keyLength) return word
  return `encr${encryption}${keyLength === undefined ? '' : `/${keyLength}`}`
}

function nameIn(words: ReadonlyMap<string, number>, id: number): string {
  for (const [word, value] of words) if (value === id) return word
  return String(id)
}
