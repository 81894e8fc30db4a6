/** What nobody may learn later is overwritten (RFC 7296 §2.12). Best effort: a garbage collector may have moved copies. */
import type { IkeSa, IkeSaState } from './ike-sa.ts'

export function eraseKeys(sa: IkeSa): void {
  for (const key of Object.values(sa.protection?.keys ?? {})) if (key instanceof Uint8Array) key.fill(0)
  sa.protection = undefined
}

/** All that an IKE SA which ends, in whatever state, still has of it. */
export function eraseSecrets(sa: IkeSa): void {
  eraseExchange(sa.state)
  for (const { secret } of sa.creations) secret?.fill(0)
  for (const key of Object.values(sa.withoutPpk ?? {})) key.fill(0)
  eraseKeys(sa)
}

/** What an exchange that goes no further has of it. */
export function eraseExchange(state: IkeSaState): void {
  const exchange = state.kind === 'KE_COMPLETE' ? state.sent : state
  if ('secret' in exchange) exchange.secret.fill(0)
  if ('machine' in state) state.machine.close()
  if ('proof' in state) state.proof.msk?.fill(0)
}
