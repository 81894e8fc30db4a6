import { describe, expect, it } from 'vitest'
import { Network } from '../network.ts'
import { Host } from './host.ts'
import { Internet } from './internet.ts'
import type { LinkConditions } from './link.ts'
import { segment } from './one-hop.ts'
import { icmpFor, type Segment } from './packet.ts'
import { Tap } from './tap.ts'
import type { StreamHandlers, TcpSocket } from './tcp.ts'

const SERVER = '198.51.100.1'
const CLIENT = '192.0.2.10'
const PORT = 443
const MSS = 1_460

describe('RFC 9293 §3.5: establishing a connection', () => {
  it('three segments, and one and a half round trips until both know', () => {
    const { client, server, tap } = linked()
    const near = client.dial()
    client.run(200)
    expect(tap.passages.map(({ direction, packet: { body } }) => [direction, shortOf(body as Segment)])).toEqual([
      ['out', 'syn'],
      ['in', 'syn, ack'],
      ['out', 'ack'],
    ])
    expect([near.openedAt, server.accepted[0]!.openedAt]).toEqual([20, 30])
  })

  it('§3.10.7.1: nobody listens: RST, and the attempt has failed', () => {
    const { client } = linked()
    const near = client.dial(9)
    client.run(200)
    expect(near.ends).toEqual(['failed: connection refused'])
    expect(near.openedAt).toBeUndefined()
  })

  it('RFC 6298 §2.1, §5.5: a SYN is repeated after one second, and then after twice as long each time', () => {
    const { client, tap } = linked()
    tap.loses = () => true
    const near = client.dial()
    client.run(1_000_000)
    expect(tap.segments('out').map(({ at }) => at)).toEqual([0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000])
    expect(near.ends).toEqual(['failed: timed out'])
    expect(client.host.stack.size).toBe(0)
  })

  it('§3.10.7.4: a SYN that comes again is answered, and opens no second connection', () => {
    const { client, server, tap } = linked()
    let count = 0
    tap.loses = (_, direction) => direction === 'in' && count++ === 0
    const near = client.dial()
    client.run(5_000)
    expect(near.openedAt).toBeGreaterThan(1_000)
    expect(server.accepted).toHaveLength(1)
    expect(server.host.stack.size).toBe(1)
  })

  it('RFC 5461 §4: an ICMP error ends an attempt, and no connection that is open', () => {
    const { client, tap } = linked()
    const attempt = client.dial()
    client.run(5)
    client.host.receiveError(icmpFor(tap.passages[0]!.packet, 'port unreachable').body as never)
    expect(attempt.ends).toEqual(['failed: port unreachable'])
    const open = client.dial()
    client.run(100)
    client.host.receiveError(icmpFor(tap.passages.at(-1)!.packet, 'administratively prohibited').body as never)
    expect(open.ends).toEqual([])
  })
})

describe('RFC 9293 §3.4, §3.8: octets in order', () => {
  it.each<[string, Partial<LinkConditions>]>([
    ['a good link', {}],
    ['loss', { loss: 0.1 }],
    ['bursts of loss', { bursts: { begin: 0.02, end: 0.3, loss: 0.9 } }],
    ['reordering', { reordering: 0.3, heldBack: 30 }],
    ['jitter', { jitter: 50 }],
    ['a narrow link with a short queue', { rate: 100, queue: 6_000 }],
    ['a small MTU, told', { mtu: 600 }],
    ['all of it', { loss: 0.05, reordering: 0.1, jitter: 20, mtu: 900, rate: 200, queue: 10_000 }],
  ])('%s: a quarter of a megabyte each way comes whole, and the connection closes', (_, conditions) => {
    const { client, server } = linked(conditions)
    const near = client.dial()
    client.run(60_000)
    const far = server.accepted[0]!
    const [up, down] = [octetsOf(250_000, 1), octetsOf(250_000, 2)]
    near.socket.write(up)
    far.socket.write(down)
    client.run(600_000)
    expect([near.has(down), far.has(up)]).toEqual([true, true])
    near.socket.end()
    client.run(300_000)
    far.socket.end()
    client.run(300_000)
    expect([client.host.stack.size, server.host.stack.size]).toEqual([0, 0])
  })

  it('RFC 9293 §3.7.1: no segment is longer than the MSS', () => {
    const { client, tap } = linked()
    client.dial().socket.write(octetsOf(10_000, 1))
    client.run(1_000)
    expect(Math.max(...tap.segments('out').map(({ bytes }) => bytes.length))).toBe(MSS)
  })

  it('RFC 1191 §3: told of a smaller MTU it cuts what is under way anew; §5 has the connection go on', () => {
    const { client, server, tap } = linked({ mtu: 600 })
    client.dial().socket.write(octetsOf(5_000, 1))
    client.run(1_000)
    expect(server.accepted[0]!.has(octetsOf(5_000, 1))).toBe(true)
    const lengths = tap.segments('out').map(({ bytes }) => bytes.length)
    expect(Math.max(...lengths)).toBe(MSS)
    expect(Math.max(...lengths.slice(-5))).toBe(560)
  })

  it('RFC 2923 §2.1: where nothing tells of it, a connection hangs that opened well', () => {
    const { client, server } = linked({ mtu: 600, tooBig: 'lost' })
    const near = client.dial()
    near.socket.write(octetsOf(5_000, 1))
    client.run(60_000)
    expect(near.openedAt).toBe(20)
    expect(server.accepted[0]!.received()).toHaveLength(0)
  })
})

describe('RFC 6298: retransmission', () => {
  it('§5.5: the time doubles, and after a quarter of an hour and more the connection has failed', () => {
    const { client, tap } = linked()
    const near = client.dial()
    client.run(1_000)
    tap.loses = () => true
    const from = tap.passages.length
    near.socket.write(octetsOf(100, 1))
    client.run(3_000_000)
    const times = tap.passages.slice(from).map(({ at }) => at)
    const waits = times.slice(1).map((at, i) => at - times[i]!)
    expect(waits.slice(0, 9)).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200])
    expect(Math.max(...waits)).toBeLessThanOrEqual(120_000)
    expect(near.ends).toEqual(['reset: timed out'])
    expect(client.network.now - 1_000).toBeGreaterThan(900_000)
  })

  it('RFC 5681 §3.2: three acknowledgements of the same bring back one lost segment before its timer', () => {
    const { client, server, tap } = linked({ delay: 200 })
    const near = client.dial()
    client.run(1_000)
    const from = client.network.now
    let isLost = false
    tap.loses = ({ body }, direction) => {
      const loses = direction === 'out' && !isLost && body.protocol === 'tcp' && body.bytes.length > 0
      isLost ||= loses
      return loses
    }
    near.socket.write(octetsOf(8 * MSS, 1))
    client.run(5_000)
    expect(server.accepted[0]!.has(octetsOf(8 * MSS, 1))).toBe(true)
    // The link's round trip, and half of one.
    expect(server.accepted[0]!.lastAt - from).toBe(600)
  })

  it('RFC 5681 §3.1, RFC 6928 §2: ten segments at first, and twice as many after a round trip', () => {
    const { client, tap } = linked({ delay: 100 })
    const near = client.dial()
    client.run(1_000)
    const from = client.network.now
    near.socket.write(octetsOf(120_000, 1))
    client.run(2_000)
    const sent = tap.segments('out').filter(({ at, bytes }) => at >= from && bytes.length > 0)
    const [first, second, third] = [0, 200, 400].map((after) => sent.filter(({ at }) => at - from === after).length)
    expect([first, second, third]).toEqual([10, 20, 40])
  })

  it('RFC 5681 §3.1: after a timeout it begins with one', () => {
    const { client, tap } = linked({ delay: 100 })
    const near = client.dial()
    client.run(1_000)
    tap.loses = () => true
    near.socket.write(octetsOf(50_000, 1))
    client.run(100)
    tap.loses = () => false
    const from = client.network.now
    client.run(700)
    const times = tap.segments('out').filter(({ at, bytes }) => at > from && bytes.length > 0)
    expect(times.filter(({ at }) => at === times[0]!.at)).toHaveLength(1)
  })
})

describe('RFC 9293 §3.6: closing a connection', () => {
  it('FIN from one end: what the other has still to say was not asked for, and its FIN ends it', () => {
    const { client, server, tap } = linked()
    const near = client.dial()
    client.run(100)
    near.socket.write(octetsOf(3_000, 1))
    near.socket.end()
    client.run(100)
    const far = server.accepted[0]!
    expect(far.has(octetsOf(3_000, 1))).toBe(true)
    expect(far.ends).toEqual(['end: closed by the other end'])
    far.socket.end()
    client.run(100)
    expect(tap.segments('in').some(({ flag }) => flag === 'fin')).toBe(true)
    expect([client.host.stack.size, server.host.stack.size]).toEqual([0, 0])
    expect(near.ends).toEqual([])
  })

  it('RFC 1122 §4.2.2.13: octets for one who has closed bring a RST', () => {
    const { client, server } = linked()
    const near = client.dial()
    client.run(100)
    const far = server.accepted[0]!
    near.socket.end()
    client.run(100)
    far.socket.write(octetsOf(10, 1))
    client.run(100)
    expect(far.ends).toEqual(['end: closed by the other end', 'reset: connection reset by peer'])
  })

  it('§3.6 FIN-WAIT-2: the other end never closes: after a minute the connection is forgotten', () => {
    const { client } = linked()
    const near = client.dial()
    client.run(100)
    near.socket.end()
    client.run(50_000)
    expect(client.host.stack.size).toBe(1)
    client.run(20_000)
    expect(client.host.stack.size).toBe(0)
  })
})

describe('RFC 9293 §3.5.2, §3.10.7.4: RST', () => {
  it('the other end hears of it at once', () => {
    const { client, server } = linked()
    const near = client.dial()
    client.run(100)
    near.socket.reset()
    client.run(10)
    expect(server.accepted[0]!.ends).toEqual(['reset: connection reset by peer'])
  })

  it.each([
    ['before the window', -1, false],
    ['the next', 0, true],
    ['beyond the window', 70_000, false],
  ])('its number is %s: %s', (_, offset, isHeeded) => {
    const { client, tap } = linked()
    const near = client.dial()
    client.run(100)
    const { seq } = tap.segments('in').at(-1)!
    const { local, remote } = near.socket
    const rst = segment(`${remote.address} ${remote.port}`, `${local.address} ${local.port}`, { flag: 'rst', seq: seq + 1 + offset })
    client.host.receive(rst)
    expect(near.ends.length > 0).toBe(isHeeded)
  })

  it('§3.5.1: an end that has lost its memory answers what comes with a RST', () => {
    const { client, server } = linked()
    const near = client.dial()
    client.run(100)
    server.host.stack.forgetAll()
    client.run(100)
    expect(near.ends).toEqual([])
    near.socket.write(octetsOf(10, 1))
    client.run(100)
    expect(near.ends).toEqual(['reset: connection reset by peer'])
  })

  it('a machine without power says nothing, whatever comes', () => {
    const { client, server, tap } = linked()
    const near = client.dial()
    client.run(100)
    server.host.isOff = true
    const from = tap.segments('in').length
    near.socket.write(octetsOf(10, 1))
    client.run(60_000)
    expect(tap.segments('in').slice(from)).toEqual([])
    expect(near.ends).toEqual([])
  })
})

describe('what a program sees of a full buffer', () => {
  it('RFC 9293 §3.9.1.2: it is told that there is no room, and then that there is', () => {
    const { client, server } = linked({ rate: 100 })
    const near = client.dial()
    client.run(100)
    expect(near.socket.write(octetsOf(100_000, 1))).toBe(true)
    expect(near.socket.write(octetsOf(100_000, 2))).toBe(false)
    expect(near.socket.room).toBe(0)
    expect(near.drains).toBe(0)
    client.run(60_000)
    expect(near.drains).toBe(1)
    expect(near.socket.room).toBeGreaterThan(100_000)
    expect(server.accepted[0]!.received()).toHaveLength(200_000)
  })
})

/** A connection as a program has it, and all that it was told. */
class Program implements StreamHandlers {
  socket!: TcpSocket
  readonly ends: string[] = []
  openedAt: number | undefined
  lastAt = 0
  drains = 0
  readonly #network: Network
  readonly #received: Uint8Array[] = []

  constructor(network: Network) {
    this.#network = network
  }

  onOpen(): void {
    this.openedAt = this.#network.now
  }

  onBytes(bytes: Uint8Array): void {
    this.lastAt = this.#network.now
    this.#received.push(bytes.slice())
  }

  onDrain(): void {
    this.drains++
  }

  onClose(reason: string, detail: string): void {
    this.ends.push(`${reason}: ${detail}`)
  }

  /** It got these octets, and no others. */
  has(octets: Uint8Array): boolean {
    const received = this.received()
    return received.length === octets.length && received.every((octet, i) => octet === octets[i])
  }

  received(): Uint8Array {
    const all = new Uint8Array(this.#received.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const bytes of this.#received) {
      all.set(bytes, at)
      at += bytes.length
    }
    return all
  }
}

interface Ends {
  readonly client: { host: Host; network: Network; dial(port?: number): Program; run(milliseconds: number): void }
  readonly server: { host: Host; accepted: Program[] }
  /** Between the client and the link. */
  readonly tap: Tap
}

function linked(conditions: Partial<LinkConditions> = {}): Ends {
  const network = new Network()
  const internet = new Internet(network, 'tcp')
  const tap = new Tap(network)
  const client = new Host(internet, CLIENT, { hops: [tap, internet.link({ delay: 10, ...conditions })] })
  const server = new Host(internet, SERVER, { hops: [] })
  internet.hosts.push(client, server)
  const accepted: Program[] = []
  server.listeners.set(PORT, (socket) => {
    const program = new Program(network)
    program.socket = socket
    accepted.push(program)
    return program
  })
  const dial = (port = PORT): Program => {
    const program = new Program(network)
    program.socket = client.connect({ address: SERVER, port }, program)
    return program
  }
  return {
    client: { host: client, network, dial, run: (milliseconds) => network.run(milliseconds) },
    server: { host: server, accepted },
    tap,
  }
}

function octetsOf(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed) & 0xff)
}

function shortOf({ flag, ack }: Segment): string {
  return [...(flag === 'none' ? [] : [flag]), ...(ack === undefined ? [] : ['ack'])].join(', ')
}
