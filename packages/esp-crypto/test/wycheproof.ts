/**
 * Project Wycheproof's vectors, read from where they are: they are not part of this repository. WYCHEPROOF names the folder
 * testvectors_v1 of a checkout of github.com/C2SP/wycheproof; without it `../shared/wycheproof` beside the repository is looked at.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = process.env['WYCHEPROOF'] ?? fileURLToPath(new URL('../../../../shared/wycheproof', import.meta.url))

export const hasWycheproof: boolean = existsSync(`${FOLDER}/aes_gcm_test.json`)

export interface AeadCase {
  readonly tcId: number
  readonly key: string
  readonly iv: string
  readonly aad: string
  readonly msg: string
  readonly ct: string
  readonly tag: string
  readonly result: 'valid' | 'invalid' | 'acceptable'
}

export interface HmacCase {
  readonly tcId: number
  readonly key: string
  readonly msg: string
  readonly tag: string
  readonly result: 'valid' | 'invalid' | 'acceptable'
}

interface File<Case> {
  readonly testGroups: readonly {
    readonly ivSize?: number
    readonly keySize: number
    readonly tagSize: number
    readonly tests: readonly Case[]
  }[]
}

/** The cases with ESP's nonce length (salt and IV together, in bits) and a tag of 128 bits. */
export function aeadCases(name: string, nonceBits: number): AeadCase[] {
  return read<AeadCase>(name)
    .testGroups.filter(({ ivSize, tagSize }) => ivSize === nonceBits && tagSize === 128)
    .flatMap(({ tests }) => tests)
}

/** The cases with a key of the hash's own length (RFC 4868 §2.1.1) and an uncut tag. */
export function hmacCases(name: string, bits: number): HmacCase[] {
  return read<HmacCase>(name)
    .testGroups.filter(({ keySize, tagSize }) => keySize === bits && tagSize === bits)
    .flatMap(({ tests }) => tests)
}

function read<Case>(name: string): File<Case> {
  return JSON.parse(readFileSync(`${FOLDER}/${name}_test.json`, 'utf8')) as File<Case>
}
