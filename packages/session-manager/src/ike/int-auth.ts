import { concat } from '@underpass/ike-crypto'
import { u32 } from '../octets.ts'
import type { InitRecord } from './ike-sa.ts'

/** What of IKE_INTERMEDIATE goes into AUTH: IntAuth_iN | IntAuth_rN | IKE_AUTH_MID, nothing where there was none (RFC 9242 §3.3.2). */
export function intAuth({ intermediate }: InitRecord): Uint8Array {
  if (!intermediate) return new Uint8Array(0)
  // Message IDs go on from IKE_SA_INIT's 0.
  return concat(intermediate.initiator, intermediate.responder, u32(intermediate.exchanges + 1))
}
