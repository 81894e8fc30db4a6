/** Shared secrets (RFC 7296 §2.15): text, hex, or a file that holds either. Nothing in this file puts a secret into a message. */
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import * as z from 'zod'
import { reasonOf } from '../host-error.ts'

/** The keys of a table that names a secret. */
export const SECRET_KEYS: { readonly [K in 'psk' | 'psk_file']: z.ZodType<string | undefined> } = {
  psk: z.string({ error: 'is not text' }).optional(),
  psk_file: z.string({ error: 'is not text' }).optional(),
}

/** The check of a table that must name a secret. */
export function requireSecret({ psk, psk_file }: WrittenSecret, context: Pick<z.RefinementCtx, 'addIssue'>): void {
  if (psk === undefined && psk_file === undefined) context.addIssue({ code: 'custom', path: ['psk'], message: REQUIRED })
}

export interface WrittenSecret {
  readonly psk?: string | undefined
  readonly psk_file?: string | undefined
}

export type ReadSecret =
  | { readonly kind: 'secret'; readonly octets: Uint8Array; readonly warnings: readonly SecretWarning[] }
  | { readonly kind: 'refused'; readonly key: 'psk' | 'psk_file'; readonly message: string }

interface SecretWarning {
  readonly key: 'psk' | 'psk_file'
  readonly message: string
}

/** What the table names, as octets: the text's UTF-8 without a terminator, or what '0x…' spells. A file's last line end does not count. */
export function readSecret(written: WrittenSecret, configFile: string): ReadSecret {
  if (written.psk !== undefined && written.psk_file !== undefined) return refused('psk_file', 'cannot stand beside psk; use one of them')
  if (written.psk !== undefined) return secretOf(written.psk, 'psk', worldReadable(configFile, 'it', configFile))
  if (written.psk_file === undefined) return refused('psk', REQUIRED)
  const file = resolve(dirname(configFile), written.psk_file)
  try {
    return secretOf(readFileSync(file, 'utf8').replace(/\r?\n$/, ''), 'psk_file', worldReadable(file, written.psk_file, file))
  } catch (error) {
    return refused('psk_file', `cannot be read: ${reasonOf(error)}`)
  }
}

const REQUIRED = 'is required (or psk_file)'

/** Below this many octets a secret is guessable at leisure by anyone who recorded one handshake as a man in the middle (RFC 7296 §2.15, §5). */
const SHORT_SECRET = 16

function secretOf(text: string, key: 'psk' | 'psk_file', warnings: readonly string[]): ReadSecret {
  if (text === '') return refused(key, 'is empty')
  const isHex = text.startsWith('0x')
  if (isHex && !/^0x([0-9a-fA-F]{2})+$/.test(text)) return refused(key, 'begins with 0x but is not hex of whole octets')
  const octets = isHex ? Uint8Array.from(text.slice(2).match(/../g)!, (pair) => Number.parseInt(pair, 16)) : new TextEncoder().encode(text)
  const short =
    octets.length < SHORT_SECRET ? [`has ${octets.length} octets; use at least ${SHORT_SECRET} random ones (RFC 7296 §2.15)`] : []
  return { kind: 'secret', octets, warnings: [...warnings, ...short].map((message) => ({ key, message })) }
}

function worldReadable(file: string, what: string, toChange: string): string[] {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat && (stat.mode & 0o004) !== 0 ? [`everyone on this machine can read ${what}; chmod 600 ${toChange}`] : []
}

function refused(key: 'psk' | 'psk_file', message: string): ReadSecret {
  return { kind: 'refused', key, message }
}
