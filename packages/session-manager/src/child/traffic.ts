/** What passed, inner packets and octets, by one Child SA or by many. */
import type { ChildSa } from './child-sa.ts'

export class Traffic {
  packetsIn = 0
  packetsOut = 0
  octetsIn = 0
  octetsOut = 0

  add(child: ChildSa): void {
    this.packetsIn += child.packetsIn
    this.octetsIn += child.octetsIn
    this.packetsOut += child.outbound.packets - child.dummiesOut
    this.octetsOut += child.outbound.octets
  }
}
