/** Which key exchanges a Child SA that comes after the first may have (RFC 7296 §1.3.1, §2.17). */
import type { PeerConfig } from '../../config.ts'
import type { IkeSa } from '../ike-sa.ts'
import { NO_KEY_EXCHANGE } from '../proposals.ts'

/** In order of preference: that of the IKE SA first, which the peer is known to have. */
export function keyExchangeMethods({ suite }: IkeSa, { pfs, ikeProposals }: PeerConfig): number[] {
  if (pfs === 'none') return [NO_KEY_EXCHANGE]
  const methods = [...(suite ? [suite.keyExchange] : []), ...ikeProposals.map(({ keyExchange }) => keyExchange)]
  return [...new Set(pfs === 'required' ? methods : [...methods, NO_KEY_EXCHANGE])]
}
