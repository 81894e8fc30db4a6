/** What a gateway's tokens are made of (RFC 6290 §5.1): random octets in a file of its own, kept from one process to the next. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { HostError, reasonOf } from '../host-error.ts'
import { statePath } from '../state-path.ts'

const OCTETS = 32

/**
 * Of the gateway with this control socket, so that two on one machine have one each: a secret that they shared would let one say what is a token
 * of the other's (RFC 6290 §9.2).
 */
export function crashSecretPath(env: Readonly<Record<string, string | undefined>>, controlPath: string): string {
  const name = createHash('sha256').update(controlPath).digest('hex').slice(0, 16)
  return statePath(env, `crash-secret-${name}`)
}

/** Read, or made where there is none. Throws `HostError` CRASH_SECRET_UNUSABLE. */
export function crashSecret(file: string): Uint8Array {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    if (!existsSync(file)) writeFileSync(file, randomBytes(OCTETS), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    throw unusable(file, `cannot be written: ${reasonOf(error)}`)
  }
  return read(file)
}

function read(file: string): Uint8Array {
  let octets: Uint8Array
  try {
    if ((statSync(file).mode & 0o077) !== 0) throw unusable(file, `can be read by others; remove it, and a new one is made`)
    octets = new Uint8Array(readFileSync(file))
  } catch (error) {
    throw error instanceof HostError ? error : unusable(file, `cannot be read: ${reasonOf(error)}`)
  }
  if (octets.length !== OCTETS) throw unusable(file, `has ${octets.length} octets and not ${OCTETS}; remove it, and a new one is made`)
  return octets
}

function unusable(file: string, reason: string): HostError<'CRASH_SECRET_UNUSABLE'> {
  return new HostError('CRASH_SECRET_UNUSABLE', `${file}, which keeps the secret of quick crash detection, ${reason}`, { file, reason })
}
