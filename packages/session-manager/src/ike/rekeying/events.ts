/** What people and apps hear of rekeying. */
import { type ChildSa, formatEspSpi } from '../../child/child-sa.ts'
import type { Core } from '../../core.ts'
import type { IkeSa } from '../ike-sa.ts'

export function tellRekeyed(core: Core, sa: IkeSa, former: ChildSa, child: ChildSa, by: 'us' | 'peer'): void {
  core.event({
    kind: 'child-sa-rekeyed',
    ikeSa: sa.id,
    peer: sa.peerName,
    by,
    formerInboundSpi: formatEspSpi(former.inboundSpi),
    inboundSpi: formatEspSpi(child.inboundSpi),
  })
}
