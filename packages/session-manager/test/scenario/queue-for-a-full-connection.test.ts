import { Deframer } from '@underpass/tcp-framing'
import { describe, expect, it } from 'vitest'
import { batchOf } from '../network.ts'
import { ipv4Packet, Pair, type PairOptions } from '../pair.ts'

const BULK = 1_000
const PING = 84
const ECT_0 = 2
const CE = 3

describe('RFC 8290 §4.2 what waits for a connection whose socket is full', () => {
  it('a ping that comes when a bulk flow has filled the queue is among the first to leave, and nothing is lost', () => {
    const { pair, blocked, drained } = session()
    blocked()
    for (let number = 0; number < 100; number++) pair.send(pair.gateway, bulk(pair, number))
    pair.send(pair.gateway, ping(pair))
    const written = pair.pipe.fromResponder.length
    drained(5_000)
    const [firstBurst] = [pair.pipe.fromResponder.length - written]
    // What the socket has room for, and the end of the packet that used it up.
    expect(firstBurst).toBeGreaterThanOrEqual(5_000)
    expect(firstBurst).toBeLessThan(5_000 + BULK + 100)
    // The network answers each `report-flow`.
    pair.settle()
    const order = pair.client.received.map((packet) => (packet.length === PING ? 'ping' : numberOf(packet)))
    expect(order.indexOf('ping')).toBeLessThan(3)
    expect(order.filter((what) => what !== 'ping')).toEqual(Array.from({ length: 100 }, (_, number) => number))
    expect(pair.gateway.core.inspect(pair.now).connections[0]!.queuedOctets).toBe(0)
  })

  it('a socket that says it has no room gets one packet at a time, and takes all in the end', () => {
    const { pair, blocked, drained } = session()
    blocked()
    for (let number = 0; number < 5; number++) pair.send(pair.gateway, bulk(pair, number))
    const written = pair.pipe.fromResponder.length
    drained(0)
    expect(pair.pipe.fromResponder.length - written).toBeLessThan(BULK + 100)
    pair.settle()
    expect(pair.client.received.map(numberOf)).toEqual([0, 1, 2, 3, 4])
  })

  it('an SA that is deleted meanwhile takes its packets with it: counted, and none is sealed', () => {
    const { pair, blocked, drained } = session()
    blocked()
    for (let number = 0; number < 7; number++) pair.send(pair.gateway, bulk(pair, number))
    pair.command(pair.client, { kind: 'delete-child', peer: 'gateway' })
    pair.settle()
    expect(pair.gateway.core.sad.size).toBe(0)
    const written = pair.pipe.fromResponder.length
    drained()
    pair.settle()
    expect(sequenceNumbersIn(pair.pipe.fromResponder.slice(written))).toEqual([])
    expect(pair.counter(pair.gateway, 'tun-no-policy')).toBe(7)
    expect(pair.gateway.core.inspect(pair.now).connections[0]!.queuedOctets).toBe(0)
  })

  it.each([
    { what: 'all of', thinsAcks: false, arrive: 20 },
    { what: 'RFC 3449 §5.2.1 with `thinsAcks` the last of', thinsAcks: true, arrive: 1 },
  ])('$what the acknowledgements of a connection that wait behind each other are sent', ({ thinsAcks, arrive }) => {
    const { pair, blocked, drained } = session({ thinsAcks })
    blocked()
    const acks = Array.from({ length: 20 }, (_, i) => acknowledgement(pair, 1_000 * (i + 1)))
    for (const ack of acks) pair.send(pair.gateway, ack)
    drained(100_000)
    pair.settle()
    expect(pair.client.received).toEqual(acks.slice(-arrive))
    expect(pair.counter(pair.gateway, 'queue-thinned')).toBe(20 - arrive)
  })

  it('a connection that breaks takes them with it too, and they are counted; the next one begins with an empty queue', () => {
    const { pair, blocked } = session()
    blocked()
    for (let number = 0; number < 7; number++) pair.send(pair.gateway, bulk(pair, number))
    pair.cut(pair.pipe)
    expect(pair.counter(pair.gateway, 'queue-lost')).toBe(7)
    pair.run(2_000)
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.counter(pair.gateway, 'queue-lost')).toBe(7)
    expect(pair.client.received).toHaveLength(1)
  })

  it('`maxSendQueues`: a client that does not read leaves the others their room', () => {
    const { pair, blocked } = session({ gatewayLimits: { maxSendQueues: 1 << 20, maxSendQueue: 1 << 20 } })
    const other = pair.addClient('other', '192.0.2.20')
    pair.command(other, { kind: 'initiate', peer: 'gateway' })
    pair.run(2_000)
    const second = pair.pipe.responderId
    blocked()
    for (let number = 0; number < 2_000; number++) pair.send(pair.gateway, bulk(pair, number))
    const [first] = pair.gateway.core.inspect(pair.now).connections
    expect(first!.queuedOctets).toBeLessThan((1 << 20) / 8)
    pair.input(pair.gateway, { kind: 'connection-flow', connection: second, state: 'blocked' })
    for (let number = 0; number < 50; number++) pair.send(pair.gateway, withNumber(ipv4Packet('10.2.0.1', '10.8.0.11', BULK), number))
    pair.input(pair.gateway, { kind: 'connection-flow', connection: second, state: 'drained' })
    pair.settle()
    expect(other.received.map(numberOf)).toEqual(Array.from({ length: 50 }, (_, number) => number))
  })
})

describe('RFC 8289 §5 a connection that takes less than what comes', () => {
  it('packets that stood longer than the interval are dropped one by one, before they have a Sequence Number', () => {
    const { pair } = session()
    const link = new SlowLink(pair)
    for (let number = 0; number < 3_000; number += 2) link.pass(bulk(pair, number), bulk(pair, number + 1))
    const received = link.received.map(numberOf)
    const dropped = pair.counter(pair.gateway, 'queue-dropped')
    expect(dropped).toBeGreaterThan(20)
    expect(pair.counter(pair.gateway, 'queue-marked')).toBe(0)
    expect(received).toEqual(received.toSorted((a, b) => a - b))
    // Each is there, was dropped by CoDel or for want of room, or waits.
    const waits = pair.gateway.core.inspect(pair.now).connections[0]!.queuedOctets / BULK
    expect(received.length + dropped + pair.counter(pair.gateway, 'limit-maxSendQueue') + waits).toBe(3_000)
    expect(link.sequenceNumbers).toEqual(Array.from({ length: received.length }, (_, i) => link.sequenceNumbers[0]! + i))
    expect([...pair.gateway.core.sad.values()][0]!.status()).toMatchObject({ packetsOut: received.length })
  })

  it('a burst that is gone within the interval loses none', () => {
    const { pair } = session()
    const link = new SlowLink(pair)
    link.pass(...Array.from({ length: 90 }, (_, number) => bulk(pair, number)))
    for (let i = 0; i < 100; i++) link.pass()
    expect(link.received.map(numberOf)).toEqual(Array.from({ length: 90 }, (_, number) => number))
    expect(pair.counter(pair.gateway, 'queue-dropped')).toBe(0)
  })

  it('RFC 3168 §5: those of ends that know of ECN are marked instead, and arrive', () => {
    const { pair } = session()
    const link = new SlowLink(pair)
    const capable = (number: number): Uint8Array => {
      const packet = bulk(pair, number)
      packet[1] = ECT_0
      return packet
    }
    for (let number = 0; number < 1_000; number += 2) link.pass(capable(number), capable(number + 1))
    for (let i = 0; i < 510; i++) link.pass()
    expect(link.received.map(numberOf)).toEqual(Array.from({ length: 1_000 }, (_, number) => number))
    const marked = link.received.filter((packet) => (packet[1]! & 3) === CE).length
    expect(marked).toBeGreaterThan(5)
    expect(pair.counter(pair.gateway, 'queue-marked')).toBe(marked)
    expect(pair.counter(pair.gateway, 'queue-dropped')).toBe(0)
  })

  it('a sparse flow beside one that stands loses nothing and hardly waits', () => {
    const { pair } = session()
    const link = new SlowLink(pair)
    const waits: number[] = []
    for (let now = 0; now < 2_000; now++) {
      const packets = [bulk(pair, 2 * now), bulk(pair, 2 * now + 1)]
      if (now % 50 === 0) packets.push(withNumber(ping(pair), now))
      link.pass(...packets)
      for (const packet of link.latest) if (packet.length === PING) waits.push(now - numberOf(packet))
    }
    expect(waits).toHaveLength(40)
    expect(Math.max(...waits)).toBeLessThan(5)
  })
})

function session(options: PairOptions = {}): { pair: Pair; blocked: () => void; drained: (room?: number) => void } {
  const pair = new Pair(options)
  pair.connect()
  const connection = pair.pipe.responderId
  return {
    pair,
    blocked: () => pair.input(pair.gateway, { kind: 'connection-flow', connection, state: 'blocked' }),
    drained: (room) =>
      pair.input(pair.gateway, { kind: 'connection-flow', connection, state: 'drained', ...(room !== undefined && { room }) }),
  }
}

/** From the gateway to the client: the socket takes one bulk packet each millisecond, and is full in between. */
class SlowLink {
  readonly #pair: Pair
  readonly sequenceNumbers: number[] = []
  /** What came out at the client by the last `pass`. */
  latest: readonly Uint8Array[] = []

  constructor(pair: Pair) {
    this.#pair = pair
    this.#flow('blocked')
  }

  get received(): readonly Uint8Array[] {
    return this.#pair.client.received
  }

  /** One millisecond, at whose beginning these packets come. */
  pass(...packets: readonly Uint8Array[]): void {
    const before = this.received.length
    if (packets.length > 0) this.#hand({ kind: 'tun-packets', batch: batchOf(packets) })
    this.#flow('drained')
    this.#flow('blocked')
    this.latest = this.received.slice(before)
    this.#pair.now++
  }

  #flow(state: 'blocked' | 'drained'): void {
    const connection = this.#pair.pipe.responderId
    this.#hand(
      state === 'blocked' ? { kind: 'connection-flow', connection, state } : { kind: 'connection-flow', connection, state, room: 1 },
    )
  }

  /** Past the network, which would say at once that the socket is empty. */
  #hand(input: Parameters<Pair['input']>[1]): void {
    const { core } = this.#pair.gateway
    core.handleInput(input, this.#pair.now)
    for (let output = core.pollOutput(); output.kind !== 'wait-until'; output = core.pollOutput()) {
      if (output.kind !== 'write-connection') continue
      this.sequenceNumbers.push(...sequenceNumbersIn(output.bytes))
      this.#pair.inject(this.#pair.pipe, this.#pair.client, output.bytes.slice())
    }
  }
}

/** RFC 4303 §2.2, of the ESP packets in whole frames. */
function sequenceNumbersIn(stream: Iterable<number>): number[] {
  const deframer = new Deframer('rfc9329', { role: 'originator' })
  deframer.push(Uint8Array.from(stream))
  const numbers: number[] = []
  for (let kind = deframer.next(); kind !== 'need-more' && kind !== 'fatal'; kind = deframer.next())
    if (kind === 'esp') numbers.push(new DataView(deframer.buffer.buffer, deframer.buffer.byteOffset + deframer.offset).getUint32(4))
  return numbers
}

function bulk(pair: Pair, number: number): Uint8Array {
  return withNumber(ipv4Packet('10.2.0.1', pair.clientAddress, BULK), number)
}

function ping(pair: Pair): Uint8Array {
  const packet = ipv4Packet('10.2.0.1', pair.clientAddress, PING)
  packet[9] = 1
  return packet
}

/** A TCP header without options, ACK alone (RFC 9293 §3.1): Acknowledgment Number, Data Offset, flags. */
function acknowledgement(pair: Pair, number: number): Uint8Array {
  const packet = ipv4Packet('10.2.0.1', pair.clientAddress, 40)
  packet[9] = 6
  packet[32] = 0x50
  packet[33] = 0x10
  return withNumber(packet, number)
}

/** Behind what tells flows apart. */
function withNumber(packet: Uint8Array, number: number): Uint8Array {
  new DataView(packet.buffer).setUint32(28, number)
  return packet
}

function numberOf(packet: Uint8Array): number {
  return new DataView(packet.buffer, packet.byteOffset).getUint32(28)
}
