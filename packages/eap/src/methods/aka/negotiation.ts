/** What EAP-AKA' agrees on beside keys (RFC 9048 §3.1, §3.2), and the words of notifications (RFC 4187 §10.19). */
import { EapError } from '../../eap-error.ts'

/** CK' and IK' (RFC 9048 §3.2). */
export const KDF_PRIMED = 1

export type KdfJudgement =
  /** `expected`: what a later challenge has to have. */
  | { readonly kind: 'take'; readonly expected: readonly number[] }
  | { readonly kind: 'ask'; readonly kdf: number; readonly expected: readonly number[] }
  /** As if AUTN had been wrong. */
  | { readonly kind: 'reject'; readonly reason: string }

/** `expected`: of the challenge before. @throws EapError where it is not what was to come: as if AT_MAC had been wrong */
export function judgeKdf(offered: readonly number[], expected: readonly number[] | undefined): KdfJudgement {
  if (offered.length === 0) throw new EapError('AT_KDF is missing', 0)
  if (expected) {
    if (offered.length !== expected.length || offered.some((kdf, i) => kdf !== expected[i]))
      throw new EapError(`AT_KDF ${offered.join(', ')}, and ${expected.join(', ')} had to come`, 0)
    return { kind: 'take', expected }
  }
  if (new Set(offered).size < offered.length) return { kind: 'reject', reason: `AT_KDF ${offered.join(', ')}: one stands twice` }
  if (offered[0] === KDF_PRIMED) return { kind: 'take', expected: offered }
  if (!offered.includes(KDF_PRIMED)) return { kind: 'reject', reason: `AT_KDF ${offered.join(', ')}: ${KDF_PRIMED} is what is known here` }
  return { kind: 'ask', kdf: KDF_PRIMED, expected: [KDF_PRIMED, ...offered] }
}

/** Field by field between colons, as many as both have (RFC 9048 §3.1). */
export function isSameNetwork(theirs: string, ours: string | undefined): boolean {
  if (ours === undefined) return true
  const [a, b] = [theirs.split(':'), ours.split(':')]
  return a.slice(0, b.length).every((field, i) => field === b[i])
}

export const NOTIFICATIONS: Readonly<Record<number, string>> = {
  0: 'a general failure after the authentication',
  1026: 'denied for the time being',
  1031: 'not subscribed to this service',
  16384: 'a general failure',
}
