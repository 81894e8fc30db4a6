/**
 * Rooms "TUN to wire" (RFC 4301 §5.1, RFC 4303 §3.3), in the packet's order: SPD lookup → number, pad, seal behind headroom →
 * fill Length → one write for a run of packets that leave by the same path. Packets are sealed side by side from the TUN's buffer into
 * one that is lent out run by run and used again at the next input, so that nothing is allocated for a packet and nothing is copied.
 */
import { NextHeader } from '@underpass/esp-crypto'
import { espFrameOverhead, writeEspFrameHeader } from '@underpass/tcp-framing'
import type { ChildSa } from '../child/child-sa.ts'
import { isIpPacket } from '../child/packet-selector.ts'
import type { PacketBatch } from '../contract.ts'
import type { Core } from '../core.ts'
import { deleteIkeSa } from '../ike/ike-sa-life.ts'
import type { Connection } from '../paths/connection.ts'
import type { Path } from '../paths/path.ts'

/** Several times the longest message. */
const SLAB = 524_288
const MAX_RUN = 256

export class Outbound {
  readonly #slabs = [new Uint8Array(SLAB)]
  #slab = this.#slabs[0]!
  #inUse = 0
  #at = 0
  /** The run in hand: packets for one path, from `#runStart` on. */
  #path: Path | undefined
  #runStart = 0
  #runCount = 0
  readonly #offsets = new Uint32Array(MAX_RUN)
  readonly #lengths = new Uint32Array(MAX_RUN)

  /** The packets that one TUN wake-up brought. What was lent out before is free again. */
  send(core: Core, batch: PacketBatch): void {
    this.#use(0)
    const tailroom = batch.tailroom ?? 0
    for (let i = 0; i < batch.count; i++) this.#sendPacket(core, batch.buffer, batch.offsets[i]!, batch.lengths[i]!, tailroom)
    this.#flush(core)
  }

  #sendPacket(core: Core, buffer: Uint8Array, offset: number, length: number, tailroom: number): void {
    if (!isIpPacket(buffer, offset, length)) return core.count('tun-malformed')
    const child = core.spd.lookup(buffer, offset, length)
    if (child === undefined) return core.count('tun-no-policy')
    const path = child.ikeSa.path
    if (path === undefined || (path.transport === 'tcp' && !path.connection.isOpen)) return core.count('esp-no-path')
    if (path !== this.#path || this.#runCount === MAX_RUN) this.#beginRun(core, path)
    this.#seal(core, child, path, buffer, offset, length, tailroom)
  }

  #seal(core: Core, child: ChildSa, path: Path, buffer: Uint8Array, offset: number, length: number, tailroom: number): void {
    const header = path.transport === 'tcp' ? espFrameOverhead(path.connection.framing) : 0
    const espLength = length + child.outbound.overhead(length)
    // T-FRM-2, T-FRM-3: what is longer than a message may be is not for this tunnel.
    if (espLength > core.config.limits.maxMessageLength) return core.count('esp-too-long')
    // Dropped before it has a Sequence Number and before it costs a seal.
    if (path.transport === 'tcp' && this.#at - this.#runStart + header + espLength > path.connection.espRoom)
      return refuseForFullQueue(core, path.connection)
    if (this.#at + header + espLength > SLAB) this.#nextSlab(core, path)
    const nextHeader = buffer[offset]! >> 4 === 4 ? NextHeader.IPV4 : NextHeader.IPV6
    const written = child.outbound.encapsulate(buffer, offset, length, nextHeader, this.#slab, this.#at + header, 0, tailroom)
    if (written < 0) return endExhausted(core, child)
    if (path.transport === 'tcp') writeEspFrameHeader(path.connection.framing, this.#slab, this.#at, written)
    this.#offsets[this.#runCount] = this.#at - this.#runStart
    this.#lengths[this.#runCount] = header + written
    this.#runCount++
    this.#at += header + written
  }

  #beginRun(core: Core, path: Path): void {
    this.#flush(core)
    this.#path = path
    this.#runStart = this.#at
  }

  #nextSlab(core: Core, path: Path): void {
    this.#flush(core)
    this.#use(this.#inUse + 1)
    this.#path = path
    this.#runStart = 0
  }

  #use(index: number): void {
    this.#inUse = index
    this.#slabs[index] ??= new Uint8Array(SLAB)
    this.#slab = this.#slabs[index]!
    this.#at = 0
  }

  #flush(core: Core): void {
    const path = this.#path
    const count = this.#runCount
    this.#path = undefined
    this.#runCount = 0
    if (path === undefined || count === 0) return
    const bytes = this.#slab.subarray(this.#runStart, this.#at)
    if (path.transport === 'tcp') return path.connection.sendEsp(bytes, core.emit)
    const batch = { buffer: bytes, offsets: this.#offsets.slice(0, count), lengths: this.#lengths.slice(0, count), count }
    core.emit({ kind: 'send-esp-datagrams', local: path.local, remote: path.remote, batch })
  }
}

/** E-1: Sequence Numbers never cycle. There is no rekeying yet, so the way on is a new IKE SA, which the initiator makes. */
function endExhausted(core: Core, child: ChildSa): void {
  core.count('esp-sequence-exhausted')
  deleteIkeSa(core, child.ikeSa, 'the ESP sequence numbers are used up')
}

function refuseForFullQueue(core: Core, connection: Connection): void {
  core.count('limit-maxSendQueue')
  if (connection.noteFull()) core.event({ kind: 'limit-reached', limit: 'maxSendQueue', remote: connection.remote })
}
