/** `ppk = { id, psk, required }` of a peer: a post-quantum preshared key beside what authenticates (RFC 8784). */
import type { PeerConfig } from '@underpass/session-manager'
import * as z from 'zod'
import { EVEN_IF_WRONG, table } from './fields.ts'
import type { Findings } from './load.ts'
import { requireSecret, SECRET_KEYS, type WrittenSecret } from './secrets.ts'

export interface WrittenPpk extends WrittenSecret {
  readonly id: string
  readonly required?: boolean | undefined
}

export const ppkTable: z.ZodType<WrittenPpk> = table({
  id: z.string().min(1),
  required: z.boolean().optional(),
  ...SECRET_KEYS,
}).superRefine(requireSecret, EVEN_IF_WRONG)

export function readPpk(
  path: Parameters<Findings['secret']>[0],
  written: WrittenPpk | undefined,
  findings: Findings,
): Pick<PeerConfig, 'ppk'> {
  if (!written) return {}
  return { ppk: { id: new TextEncoder().encode(written.id), key: findings.secret(path, written), isRequired: written.required ?? false } }
}
