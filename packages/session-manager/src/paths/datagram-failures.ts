/**
 * What the network says of datagrams that did not get there. Anybody can write an ICMP message (RFC 7296 §2.4, C-8), so it ends no IKE
 * SA: an initiator that waits for its first answer goes on to its next transport sooner, an IKE SA that is up asks its peer.
 */
import type { Input } from '../contract.ts'
import type { Core } from '../core.ts'
import { doubtPath } from '../ike/liveness.ts'
import { isToward } from './path.ts'

/** Each costs a walk over the IKE SAs. */
const HEEDED_PER_SECOND = 10

export class DatagramFailures {
  #second = 0
  #heeded = 0

  heed(core: Core, { remote, reason }: Extract<Input, { kind: 'datagram-failed' }>): void {
    core.count('datagram-failures')
    for (const initiator of core.initiators.values()) initiator.datagramFailed(core, remote, reason)
    // Where it is not said whom it is about, all peers would be asked for one that is gone.
    if (remote === undefined || this.#isOverTheRate(core.now)) return
    for (const sa of core.ikeSas.values()) if (sa.initiator === undefined && isToward(sa.path, remote)) doubtPath(core, sa)
  }

  #isOverTheRate(now: number): boolean {
    const second = Math.floor(now / 1000)
    if (this.#second !== second) this.#heeded = 0
    this.#second = second
    return this.#heeded++ >= HEEDED_PER_SECOND
  }
}
