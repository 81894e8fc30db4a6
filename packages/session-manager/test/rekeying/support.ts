/** A pair that is watched while it rekeys: whether every inner packet comes out once, and whether nothing is left behind. */
import type { ChildSa } from '../../src/child/child-sa.ts'
import type { IkeSa } from '../../src/ike/ike-sa.ts'
import { MeddledPair } from '../meddler.ts'
import type { Node } from '../network.ts'
import { ipv4Packet, type PairOptions } from '../pair.ts'

export class WatchedPair extends MeddledPair {
  readonly #sent = new Map<Node, string[]>()
  #number = 0

  constructor(options: PairOptions = {}) {
    super(options)
    for (const node of this.nodes) this.#sent.set(node, [])
  }

  /** The peer's name at this node. */
  rekey(node: Node, what: 'ike-sa' | 'child-sa'): void {
    this.command(node, { kind: 'rekey', what })
  }

  /** A numbered packet from each end, every `every` milliseconds. */
  runUnderTraffic(milliseconds: number, every = 5): void {
    for (const end = this.now + milliseconds; this.now < end; this.run(every)) for (const node of this.nodes) this.#sendNumbered(node)
    this.run(200)
  }

  /** What did not come out, or came out twice. */
  lostOf(node: Node): string[] {
    const came = new Map<string, number>()
    for (const text of this.other(node).received.map(textOf)) came.set(text, (came.get(text) ?? 0) + 1)
    return this.#sent.get(node)!.filter((text) => came.get(text) !== 1)
  }

  get currentOf(): (node: Node) => IkeSa {
    return (node) => [...node.core.ikeSas.values()].find((sa) => sa.isCurrent)!
  }

  childOf(node: Node): ChildSa {
    return [...this.currentOf(node).children][0]!
  }

  /** What is left beside one IKE SA and one Child SA at each end, that fit each other. Empty: all is well. */
  leftovers(): string[] {
    const problems: string[] = []
    for (const node of this.nodes) {
      if (node.core.ikeSas.size !== 1) problems.push(`${node.name}: ${node.core.ikeSas.size} IKE SAs`)
      if (node.core.sad.size !== 1) problems.push(`${node.name}: ${node.core.sad.size} Child SAs`)
      for (const sa of node.core.ikeSas.values()) {
        if (sa.creations.size > 0) problems.push(`${node.name}: ${sa.creations.size} creations`)
        // One is out now and then.
        if (sa.window.outstanding && sa.window.outstanding.plan.purpose !== 'liveness')
          problems.push(`${node.name}: ${sa.window.outstanding.plan.purpose} is out`)
        if (!sa.isCurrent || sa.series.members.size !== 1) problems.push(`${node.name}: the series has ${sa.series.members.size} members`)
      }
    }
    if (problems.length > 0) return problems
    const [ours, theirs] = [this.currentOf(this.client), this.currentOf(this.gateway)]
    if (ours.initiatorSpi !== theirs.initiatorSpi || ours.responderSpi !== theirs.responderSpi)
      problems.push('the IKE SAs are different ones')
    if (this.childOf(this.client).inboundSpi !== this.childOf(this.gateway).outboundSpi) problems.push('the Child SAs are different ones')
    return problems
  }

  #sendNumbered(node: Node): void {
    const [source, destination] = node === this.client ? [this.clientAddress, '10.2.0.1'] : ['10.2.0.1', this.clientAddress]
    const packet = ipv4Packet(source, destination, 60)
    this.#number++
    packet.set([this.#number >> 16, (this.#number >> 8) & 0xff, this.#number & 0xff], 40)
    this.#sent.get(node)!.push(textOf(packet))
    this.send(node, packet)
  }
}

/** Its number, where all else of it came out as it went in. */
function textOf(packet: Uint8Array): string {
  return `${packet.subarray(12, 20).join('.')} ${(packet[40]! << 16) | (packet[41]! << 8) | packet[42]!} ${packet.length}`
}
