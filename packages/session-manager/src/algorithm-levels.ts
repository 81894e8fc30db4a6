/**
 * What RFC 8247 (IKE), RFC 8221 (ESP) and RFC 9395 ask of the algorithms of a suite, where that is less than MAY. `check-config` tells it, and a
 * configuration has to name its set `legacy` before it may use one of them.
 */
import { EncryptionId, IntegrityId, PrfId } from '@underpass/ike-codec'
import type { EspSuite, IkeSuite } from './config.ts'

/** A row of the tables of those RFCs. */
export interface AlgorithmRow {
  /** By its name in the registry. */
  readonly algorithm: string
  readonly level: 'MUST-' | 'SHOULD NOT' | 'MUST NOT' | 'deprecated'
  /** 'RFC 8247 §2.3'. */
  readonly section: string
}

/** The rows that a suite of an IKE SA breaks, or that are about to go; none for what is fine. */
export function rowsBrokenByIke(suite: IkeSuite): AlgorithmRow[] {
  return [
    ...(isNull(suite.encryption) ? [row('ENCR_NULL', 'MUST NOT', 'RFC 8247 §2.1')] : []),
    ...(suite.prf === PrfId.PRF_HMAC_SHA1 ? [row('PRF_HMAC_SHA1', 'MUST-', 'RFC 8247 §2.2')] : []),
    ...(suite.integrity === IntegrityId.AUTH_HMAC_SHA1_96 ? [row('AUTH_HMAC_SHA1_96', 'MUST-', 'RFC 8247 §2.3')] : []),
  ]
}

/** The same for ESP, where ENCR_NULL is no breach: who names it wants it. */
export function rowsBrokenByEsp(suite: EspSuite): AlgorithmRow[] {
  return suite.integrity === IntegrityId.AUTH_HMAC_SHA1_96 ? [row('AUTH_HMAC_SHA1_96', 'MUST-', 'RFC 8221 §6')] : []
}

/** 'AUTH_HMAC_SHA1_96 is MUST- (RFC 8247 §2.3)'. */
export function describeRow({ algorithm, level, section }: AlgorithmRow): string {
  return `${algorithm} is ${level} (${section})`
}

/** Why a word that other implementations know is none here; `undefined` for one that means nothing. */
export function whyNotHere(word: string): string | undefined {
  const known = NOT_HERE.get(word)
  return known && describeRow(known)
}

const NOT_HERE: ReadonlyMap<string, AlgorithmRow> = new Map([
  ['3des', row('ENCR_3DES', 'SHOULD NOT', 'RFC 8221 §5')],
  ['des', row('ENCR_DES', 'MUST NOT', 'RFC 8247 §2.1')],
  ['blowfish', row('ENCR_BLOWFISH', 'deprecated', 'RFC 9395 §5')],
  ['cast128', row('ENCR_CAST', 'deprecated', 'RFC 9395 §5')],
  ['md5', row('AUTH_HMAC_MD5_96', 'MUST NOT', 'RFC 8247 §2.3')],
  ['prfmd5', row('PRF_HMAC_MD5', 'MUST NOT', 'RFC 8247 §2.2')],
  ['modp768', row('768-bit MODP', 'MUST NOT', 'RFC 8247 §2.4')],
  ['modp1024', row('1024-bit MODP', 'SHOULD NOT', 'RFC 8247 §2.4')],
  ['modp1536', row('1536-bit MODP', 'SHOULD NOT', 'RFC 8247 §2.4')],
  ['modp1024s160', row('1024-bit MODP with a 160-bit subgroup', 'MUST NOT', 'RFC 8247 §2.4')],
  ['modp2048s224', row('2048-bit MODP with a 224-bit subgroup', 'SHOULD NOT', 'RFC 8247 §2.4')],
  ['modp2048s256', row('2048-bit MODP with a 256-bit subgroup', 'SHOULD NOT', 'RFC 8247 §2.4')],
])

function isNull(encryption: number): boolean {
  return encryption === EncryptionId.ENCR_NULL || encryption === EncryptionId.ENCR_NULL_AUTH_AES_GMAC
}

function row(algorithm: string, level: AlgorithmRow['level'], section: string): AlgorithmRow {
  return { algorithm, level, section }
}
