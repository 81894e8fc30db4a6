/** What nobody may learn later is overwritten (RFC 7296 §2.12). Best effort: a garbage collector may have moved copies. */
import type { IkeSa } from './ike-sa.ts'

export function eraseKeys(sa: IkeSa): void {
  for (const key of Object.values(sa.protection?.keys ?? {})) if (key instanceof Uint8Array) key.fill(0)
  sa.protection = undefined
}

/** All that an IKE SA which ends, in whatever state, still has of it. */
export function eraseSecrets(sa: IkeSa): void {
  const { state } = sa
  const exchange = state.kind === 'KE_COMPLETE' ? state.sent : state
  if ('secret' in exchange) exchange.secret.fill(0)
  for (const { secret } of sa.creations) secret?.fill(0)
  for (const key of Object.values(sa.withoutPpk ?? {})) key.fill(0)
  eraseKeys(sa)
}
