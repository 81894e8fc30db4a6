import { setFlagsFromString } from 'node:v8'
import type { AeadProvider } from '@underpass/esp-crypto'
import { describe, expect, it } from 'vitest'
import type { Endpoint, Input, Output, PacketBatch } from '../../src/index.ts'
import { batchOf, Network, type Node, seededRandom } from '../network.ts'
import { CLIENT_ADDRESS, clientPeer, GATEWAY_ADDRESS, gatewayPeer, ipv4Packet, sessionConfig, TCP, UDP } from '../pair.ts'

/** Batches of one measurement. */
const ROUNDS = 60
/** Measurements, of which the smallest counts: a compiler at work shows in the figure. */
const TRIES = 120
const FEW = 8
const MANY = 128
/** Of a packet, and of the room that a device leaves behind it. */
const LENGTH = 1_000
const TAILROOM = 64

// The heap figure of Bun is that of the last collection, and Deno's moves with what its own threads do.
const runtime = ['bun', 'deno'].find((name) => process.versions[name] !== undefined)

/*
 * What a function returns is an object wherever it is not inlined and is no small integer, and what is inlined differs from one start to the
 * next: nothing is here, so that every such object shows.
 */
if (runtime === undefined) for (const flag of ['--no-turbo-inlining', '--no-maglev-inlining']) setFlagsFromString(flag)

/** No cipher, so that what is counted is the core's; like libcrypto it takes the octets from where they are, and copies none. */
const transparent: AeadProvider = {
  name: 'transparent',
  supports: () => true,
  create: ({ ivLength, icvLength }) => ({
    ...{ ivLength, icvLength, seal: () => {}, open: () => true },
    sealFrom: (_iv, _aad, _aadLength, src, srcOffset, length, dst, dstOffset) => move(src, srcOffset, length, dst, dstOffset),
    openFrom: (_iv, _aad, _aadLength, src, srcOffset, length, dst, dstOffset) => move(src, srcOffset, length, dst, dstOffset),
  }),
}

/** What the receiver looks at: the IP header in front and the trailer behind. */
function move(src: Uint8Array, srcOffset: number, length: number, dst: Uint8Array, dstOffset: number): boolean {
  for (let i = 0; i < 40; i++) dst[dstOffset + i] = src[srcOffset + i]!
  for (let i = length - 20; i < length; i++) dst[dstOffset + i] = src[srcOffset + i]!
  return true
}

/** SPIs are its numbers of 4 octets: the large ones are no small integers. */
function withLargeSpis(seed: string): (length: number) => Uint8Array {
  const random = seededRandom(seed)
  return (length) => random(length).map((octet, i) => (length === 4 && i === 0 ? octet | 0x80 : octet))
}

/*
 * TUN → SPD → number, pad, seal → frame → deframe → SA → replay check, open → selectors → TUN, through two cores. A batch may cost some
 * objects (its inputs and outputs, views of the buffers); a packet more in it must cost none. The smallest that an object can be is 16 octets.
 */
describe.each([
  ['TCP', TCP],
  ['UDP', UDP],
])('no allocation per packet, over %s', (_name, transport) => {
  it.for(['client', 'gateway'] as const)('sent by the %s, received by the other', { timeout: 120_000 }, async (from, { skip }) => {
    if (runtime !== undefined) return skip(`${runtime} does not say exactly what its heap holds`)
    const line = new Line([transport], from)
    const fewPackets = line.batch(FEW)
    const manyPackets = line.batch(MANY)
    let [few, many] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
    for (let i = 0; i < TRIES; i++) {
      // Lets the compiler's thread have a turn, on a machine that is short of them.
      await new Promise((resolve) => setTimeout(resolve, 5))
      // The first are the interpreter's.
      if (i < TRIES / 2) {
        line.allocated(manyPackets)
        continue
      }
      few = Math.min(few, line.allocated(fewPackets))
      many = Math.min(many, line.allocated(manyPackets))
    }
    expect(Number.isFinite(few)).toBe(true)
    expect((many - few) / ROUNDS / (MANY - FEW)).toBeLessThan(2)
  })
})

/** Two cores with a tunnel, past the network's own bookkeeping: what one puts out is handed to the other as it is. */
class Line {
  readonly #network = new Network()
  readonly #sender: Node
  readonly #receiver: Node
  readonly #addresses: readonly [source: string, destination: string]
  readonly #tunInput: { kind: 'tun-packets'; batch: PacketBatch } = { kind: 'tun-packets', batch: batchOf([]) }
  readonly #streamInput: { kind: 'connection-bytes'; readonly connection: number; bytes: Uint8Array }
  readonly #datagramsInput: { kind: 'esp-datagrams'; readonly local: Endpoint; readonly remote: Endpoint; batch: PacketBatch }
  #arrived = 0

  constructor(transports: readonly (typeof TCP)[], from: 'client' | 'gateway') {
    const network = this.#network
    const gatewayConfig = { ...sessionConfig([gatewayPeer()], true), aeadProvider: transparent }
    const clientConfig = { ...sessionConfig([clientPeer(transports)], false), aeadProvider: transparent }
    const gateway = network.add('gateway', GATEWAY_ADDRESS, gatewayConfig, withLargeSpis('gateway'))
    const client = network.add('client', CLIENT_ADDRESS, clientConfig, withLargeSpis('client'))
    network.command(client, { kind: 'initiate', peer: 'gateway' })
    network.run(5_000, () => client.core.sad.size > 0 && gateway.core.sad.size > 0)
    network.run(200)
    // A clock's time is no small integer.
    network.now += 0.3
    for (const { core } of [gateway, client]) if (core.sad.keys()[0]! < 2 ** 31) throw new Error('a small SPI')
    const inner = [...client.core.ikeSas.values()][0]!.addresses[0]!.address
    this.#sender = from === 'client' ? client : gateway
    this.#receiver = from === 'client' ? gateway : client
    this.#addresses = from === 'client' ? [inner, '10.2.0.1'] : ['10.2.0.1', inner]
    const pipe = network.pipes[0]
    this.#streamInput = {
      kind: 'connection-bytes',
      connection: from === 'client' ? (pipe?.responderId ?? 0) : (pipe?.originatorId ?? 0),
      bytes: new Uint8Array(0),
    }
    const [local, remote] = [this.#receiver, this.#sender].map(({ address }) => ({ address, port: 4500 })) as [Endpoint, Endpoint]
    this.#datagramsInput = { kind: 'esp-datagrams', local, remote, batch: batchOf([]) }
  }

  batch(count: number): PacketBatch {
    const packet = ipv4Packet(...this.#addresses, LENGTH + TAILROOM)
    new DataView(packet.buffer).setUint16(2, LENGTH)
    const batch = batchOf(Array.from({ length: count }, () => packet))
    return { ...batch, lengths: batch.lengths.fill(LENGTH), tailroom: TAILROOM }
  }

  /** Octets that `ROUNDS` batches left on the heap; no figure where garbage was collected meanwhile. */
  allocated(batch: PacketBatch): number {
    this.#arrived = 0
    const before = process.memoryUsage().heapUsed
    for (let round = 0; round < ROUNDS; round++) this.#pass(batch)
    const after = process.memoryUsage().heapUsed
    if (this.#arrived !== ROUNDS * batch.count) throw new Error(`${this.#arrived} of ${ROUNDS * batch.count} packets arrived`)
    return after < before ? Number.POSITIVE_INFINITY : after - before
  }

  #pass(batch: PacketBatch): void {
    this.#tunInput.batch = batch
    this.#hand(this.#sender, this.#tunInput)
  }

  #hand(node: Node, input: Input): void {
    node.core.handleInput(input, this.#network.now)
    for (let output = node.core.pollOutput(); output.kind !== 'wait-until'; output = node.core.pollOutput()) this.#carry(output)
  }

  #carry(output: Output): void {
    if (output.kind === 'write-tun') this.#arrived += output.batch.count
    else if (output.kind === 'write-connection') {
      this.#streamInput.bytes = output.bytes
      this.#hand(this.#receiver, this.#streamInput)
    } else if (output.kind === 'send-esp-datagrams') {
      this.#datagramsInput.batch = output.batch
      this.#hand(this.#receiver, this.#datagramsInput)
    } else throw new Error(`unexpected while packets pass: ${output.kind}`)
  }
}
