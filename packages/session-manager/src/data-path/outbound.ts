/**
 * Rooms "TUN to wire" (RFC 4301 §5.1, RFC 4303 §3.3), in the packet's order: SPD lookup → wait, where the connection is full → number, pad,
 * seal behind headroom → fill Length → one write for a run of packets that leave by the same path. Packets are sealed side by side from
 * the TUN's buffer into one that is lent out run by run and used again at the next input, so that nothing is allocated for a packet and,
 * but for those that wait, nothing is copied.
 */
import { NextHeader } from '@underpass/esp-crypto'
import { espFrameOverhead, writeEspFrameHeader } from '@underpass/tcp-framing'
import type { ChildSa } from '../child/child-sa.ts'
import { isIpPacket } from '../child/packet-selector.ts'
import type { PacketBatch } from '../contract.ts'
import type { Core } from '../core.ts'
import { deleteIkeSa } from '../ike/ike-sa-life.ts'
import { wearChildSa } from '../ike/rekeying/timers.ts'
import type { Connection } from '../paths/connection.ts'
import type { Path } from '../paths/path.ts'
import type { PacketHandle } from '../queue/packet-store.ts'
import { UnmatchedPackets } from './unmatched-packets.ts'
import { WaitingRoom } from './waiting-room.ts'

/** Several times the longest message. */
const SLAB = 524_288
const MAX_RUN = 256
/** SPI and Sequence Number. */
const ESP_HEADER = 8

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
  #turn = 0
  readonly #waitingRoom = new WaitingRoom()
  readonly #unmatched = new UnmatchedPackets()

  /** The packets that one TUN wake-up brought. What was lent out before is free again. */
  send(core: Core, batch: PacketBatch, isHandedOver: boolean): void {
    this.#use(0)
    this.#turn++
    const tailroom = batch.tailroom ?? 0
    this.#unmatched.begin(core, batch, isHandedOver)
    for (let i = 0; i < batch.count; i++) this.#sendPacket(core, batch.buffer, batch.offsets[i]!, batch.lengths[i]!, tailroom)
    this.#flush(core)
    this.#waitingRoom.askForFlow(core)
    this.#unmatched.flush(core)
  }

  /** The connection's socket has taken all that it was given: as much of what waits as may leave in one go. */
  drain(core: Core, connection: Connection, room: number): void {
    connection.drained(room, core.emit)
    const { waiting } = connection
    if (waiting === undefined || waiting.isEmpty) return
    this.#use(0)
    const { store } = this.#waitingRoom
    while (connection.hasRoom) {
      const packet = waiting.dequeue(core.now)
      if (packet === undefined) break
      const child = inUse(store.ownerOf(packet))
      if (!isInstalled(core, child)) core.count('tun-no-policy')
      else if (child.ikeSa.path !== connection.path) core.count('esp-no-path')
      else if (store.tailroomOf(packet) >= 0)
        this.#seal(
          core,
          child,
          connection.path,
          store.bufferOf(packet),
          store.positionIn(packet),
          store.lengthOf(packet),
          store.tailroomOf(packet),
        )
      else this.#sealInPieces(core, child, connection, packet)
      store.free(packet)
    }
    this.#flush(core)
    if (!waiting.isEmpty) this.#waitingRoom.awaitFlow(core, connection)
  }

  #sendPacket(core: Core, buffer: Uint8Array, offset: number, length: number, tailroom: number): void {
    if (!isIpPacket(buffer, offset, length)) return core.count('tun-malformed')
    const child = core.spd.lookup(buffer, offset, length)
    if (child === undefined) return this.#unmatched.add(core, offset, length)
    const { path, routability } = child.ikeSa
    if (routability.isEspHeld) return core.count('esp-unroutable')
    if (path === undefined || (path.transport === 'tcp' && !path.connection.isOpen)) return core.count('esp-no-path')
    // T-FRM-2, T-FRM-3: what is longer than a message may be is not for this tunnel.
    if (length + child.outbound.overhead(length) > core.config.limits.maxMessageLength) return core.count('esp-too-long')
    // Not sealed before its turn comes: it may still be dropped, and then has no Sequence Number.
    if (path.transport === 'tcp' && path.connection.mustWait(this.#turn))
      return this.#waitingRoom.enter(core, path.connection, child, buffer, offset, length)
    this.#seal(core, child, path, buffer, offset, length, tailroom)
  }

  #seal(core: Core, child: ChildSa, path: Path, buffer: Uint8Array, offset: number, length: number, tailroom: number): void {
    const header = headerLengthOf(path)
    this.#makeRoom(core, path, header + length + child.outbound.overhead(length))
    const nextHeader = nextHeaderOf(buffer, offset)
    const written = child.outbound.encapsulate(buffer, offset, length, nextHeader, this.#slab, this.#at + header, 0, tailroom)
    this.#append(core, child, path, header, written)
  }

  /** One that lies in several pieces is sealed where it is copied to. */
  #sealInPieces(core: Core, child: ChildSa, { path }: Connection, packet: PacketHandle): void {
    const { store } = this.#waitingRoom
    const { outbound } = child
    const header = headerLengthOf(path)
    const length = store.lengthOf(packet)
    this.#makeRoom(core, path, header + length + outbound.overhead(length))
    const payload = this.#at + header + ESP_HEADER + outbound.transform.ivLength
    store.copyTo(packet, this.#slab, payload)
    const written = outbound.encapsulate(this.#slab, payload, length, nextHeaderOf(this.#slab, payload), this.#slab, this.#at + header)
    this.#append(core, child, path, header, written)
  }

  /** The next packet belongs to a run for `path` and has room there. */
  #makeRoom(core: Core, path: Path, octets: number): void {
    if (path !== this.#path || this.#runCount === MAX_RUN) this.#beginRun(core, path)
    if (this.#at + octets > SLAB) this.#nextSlab(core, path)
  }

  #append(core: Core, child: ChildSa, path: Path, header: number, written: number): void {
    if (written < 0) return endExhausted(core, child)
    if (child.isWorn) wearChildSa(core, child)
    if (path.transport === 'tcp') {
      writeEspFrameHeader(path.connection.framing, this.#slab, this.#at, written)
      path.connection.spend(header + written)
    }
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

/** Octets in front of an ESP packet. */
function headerLengthOf(path: Path): number {
  return path.transport === 'tcp' ? espFrameOverhead(path.connection.framing) : 0
}

function nextHeaderOf(packet: Uint8Array, offset: number): number {
  return packet[offset]! >> 4 === 4 ? NextHeader.IPV4 : NextHeader.IPV6
}

/** While a packet waited its SA may have been replaced. */
function inUse(child: ChildSa): ChildSa {
  let inUse = child
  while (inUse.successor && !inUse.successor.awaitsTraffic) inUse = inUse.successor
  return inUse
}

/** While a packet waited its SA may have been deleted. */
function isInstalled(core: Core, child: ChildSa): boolean {
  return core.sad.get(child.inboundSpi) === child
}

/** E-1: Sequence Numbers never cycle. It was not rekeyed in time, so the way on is a new IKE SA, which the initiator makes. */
function endExhausted(core: Core, child: ChildSa): void {
  core.count('esp-sequence-exhausted')
  deleteIkeSa(core, child.ikeSa, 'the ESP sequence numbers are used up')
}
