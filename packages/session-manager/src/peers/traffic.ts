/** What has gone through an IKE SA's tunnel so far, both ways: who watches a path compares two of these. */
import type { Core } from '../core.ts'
import type { IkeSa } from '../ike/ike-sa.ts'

export interface Traffic {
  readonly at: number
  readonly packetsIn: number
  readonly packetsOut: number
  readonly octetsIn: number
  readonly octetsOut: number
}

/** The dummy packets that only show a way are left out. */
export function trafficOf(core: Core, sa: IkeSa): Traffic {
  let [packetsIn, packetsOut, octetsIn, octetsOut] = [0, 0, 0, 0]
  for (const child of sa.children) {
    packetsIn += child.packetsIn
    octetsIn += child.octetsIn
    packetsOut += child.outbound.packets - child.dummiesOut
    octetsOut += child.outbound.octets
  }
  return { at: core.now, packetsIn, packetsOut, octetsIn, octetsOut }
}
