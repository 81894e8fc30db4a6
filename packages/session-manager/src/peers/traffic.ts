/** What has gone through an IKE SA's tunnel so far, both ways: who watches a path compares two of these. */
import { Traffic } from '../child/traffic.ts'
import type { Core } from '../core.ts'
import type { IkeSa } from '../ike/ike-sa.ts'

export type Look = Pick<Traffic, 'packetsIn' | 'packetsOut' | 'octetsIn' | 'octetsOut'> & { readonly at: number }

/** By all Child SAs, those that rekeying replaced, too. The dummy packets that only show a way are left out. */
export function trafficOf(core: Core, sa: IkeSa): Look {
  const traffic = Object.assign(new Traffic(), sa.series.past)
  for (const child of [...sa.children, ...sa.draining]) traffic.add(child)
  return { ...traffic, at: core.now }
}
