/** The inner packets of a walk: what was sent, and that nothing else comes, nothing twice, and nothing out of order over one stream. */

import type { Node } from '../network.ts'
import { ipv4Packet, type Pair } from '../pair.ts'

interface Entry {
  readonly packet: Uint8Array
  readonly to: Node
  readonly at: number
  /** The connection that its sender used; `undefined`: none, or datagrams. */
  readonly stream: string | undefined
}

const GATEWAY_INNER = '10.2.0.1'
/** Nothing is on its way for so many milliseconds. */
const LONGEST = 1_200_000

export class Ledger {
  readonly #pair: Pair
  readonly #sent = new Map<number, Entry>()
  /** By stream, the last that came. */
  readonly #last = new Map<string, number>()
  #next = 1
  arrived = 0

  constructor(pair: Pair) {
    this.#pair = pair
  }

  /** Answers its number. */
  send(from: Node, length: number): number {
    const { client, gateway } = this.#pair
    const isUp = from === client
    const number = this.#next++
    const inner = this.#pair.clientAddress
    const packet = isUp ? ipv4Packet(inner, GATEWAY_INNER, length) : ipv4Packet(GATEWAY_INNER, inner, length)
    new DataView(packet.buffer).setUint32(28, number)
    this.#sent.set(number, { packet: packet.slice(), to: isUp ? gateway : client, at: this.#pair.now, stream: streamOf(from) })
    this.#pair.send(from, packet)
    return number
  }

  hasArrived(number: number): boolean {
    return !this.#sent.has(number)
  }

  /** Takes what came; throws at the first that should not have. */
  check(): void {
    for (const node of [this.#pair.client, this.#pair.gateway]) for (const packet of node.received.splice(0)) this.#take(node, packet)
    for (const [number, { at }] of this.#sent) {
      if (this.#pair.now - at < LONGEST) break
      this.#sent.delete(number)
    }
  }

  #take(node: Node, packet: Uint8Array): void {
    const number = packet.length < 32 ? 0 : new DataView(packet.buffer, packet.byteOffset).getUint32(28)
    const entry = this.#sent.get(number)
    if (entry === undefined) throw new Error(`${node.name} got packet ${number}, which was never sent or came before`)
    if (entry.to !== node) throw new Error(`${node.name} got packet ${number}, which it sent itself`)
    if (entry.packet.join() !== packet.join()) throw new Error(`packet ${number} came changed`)
    this.#sent.delete(number)
    this.arrived++
    const { stream } = entry
    if (stream === undefined) return
    const last = this.#last.get(stream) ?? 0
    if (number < last) throw new Error(`packet ${number} came after ${last} over one stream (${stream})`)
    this.#last.set(stream, number)
  }
}

const CORES = new Map<object, number>()

/** Where the node has one IKE SA, and so only one way. */
function streamOf(node: Node): string | undefined {
  const sas = [...node.core.ikeSas.values()]
  const path = sas.length === 1 ? sas[0]!.path : undefined
  if (path?.transport !== 'tcp') return undefined
  if (!CORES.has(node.core)) CORES.set(node.core, CORES.size)
  return `${node.name} ${CORES.get(node.core)}, connection ${path.connection.id}`
}
