import { Deframer } from '@underpass/tcp-framing'
import { describe, expect, it } from 'vitest'
import type { Output, TransportOption } from '../../src/index.ts'
import { doWork, Node, type RawConnection } from '../network.ts'
import { clientPeer, identity, ipv4Packet, Pair, sessionConfig } from '../pair.ts'

const PAULY: TransportOption = { transport: 'tcp', port: 4500, framing: 'pauly-03' }

describe('draft-pauly-ipsecme-tcp-encaps-03', () => {
  it('a session in its framing: 32-bit Length, no prefix', () => {
    const pair = new Pair({ transports: [PAULY] })
    pair.connect()
    expect(pair.pipe.fromOriginator.slice(0, 2)).toEqual([0, 0])
    expect(pair.passesTraffic()).toBe(true)
    pair.cut(pair.pipe)
    pair.run(2_000)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('two IKE SAs share one connection; when one is deleted the other goes on', () => {
    const pair = new Pair()
    const shared = pair.dialRaw(pair.gateway, '192.0.2.77', { framing: 'pauly-03' })
    const users = ['one', 'two'].map((name) => new Sharer(pair, shared, name))
    for (const user of users) user.command({ kind: 'initiate', peer: 'gateway' })
    pump(pair, users)
    expect(pair.gateway.core.sad.size).toBe(2)
    expect(pair.gateway.core.connections.size).toBe(1)
    expect(pair.gateway.core.inspect(pair.now).connections[0]!.ikeSas).toHaveLength(2)
    const addresses = users.map((user) => [...user.node.core.ikeSas.values()][0]!.addresses[0]!.address)
    pair.send(pair.gateway, ...addresses.map((address, index) => ipv4Packet('10.2.0.1', address, 100 + index)))
    pump(pair, users)
    expect(users.map((user) => user.node.received.map((packet) => packet.length))).toEqual([[100], [101]])
    users[0]!.command({ kind: 'terminate' })
    pump(pair, users)
    pair.run(10_000)
    expect(pair.gateway.core.ikeSas.size).toBe(1)
    expect(shared.isClosed()).toBe(false)
    pair.send(pair.gateway, ipv4Packet('10.2.0.1', addresses[1]!, 150))
    pump(pair, users)
    expect(users[1]!.node.received.map((packet) => packet.length)).toEqual([101, 150])
    users[1]!.command({ kind: 'terminate' })
    pump(pair, users)
    pair.run(10_000)
    expect(shared.isClosed()).toBe(true)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
  })

  it('a message that cannot be parsed closes at once (its MUST), and keeps the SA', () => {
    const pair = new Pair({ transports: [PAULY] })
    pair.connect()
    pair.inject(pair.pipe, pair.gateway, Uint8Array.of(0, 0, 0, 8, 0, 0, 0, 0))
    expect(pair.gateway.core.connections.size).toBe(0)
    expect(pair.counter(pair.gateway, 'connection-unparsable')).toBe(1)
    expect(pair.gateway.core.ikeSas.size).toBe(1)
  })

  it('a connection on which nothing comes is closed after `timers.prefix`', () => {
    const pair = new Pair()
    const stranger = pair.dialRaw(pair.gateway, '192.0.2.77', { framing: 'pauly-03' })
    pair.run(5_001)
    expect(stranger.isClosed()).toBe(true)
  })
})

/** A client core whose connection is one that others use too: what its peers get it sees as well. */
class Sharer {
  readonly node: Node
  readonly #pair: Pair
  readonly #shared: RawConnection
  readonly #deframer = new Deframer('pauly-03', { role: 'originator' })
  #taken = 0
  #connection = 0

  constructor(pair: Pair, shared: RawConnection, name: string) {
    this.node = new Node(name, '192.0.2.77', sessionConfig([{ ...clientPeer([PAULY]), localId: identity(`@${name}`) }], false))
    this.#pair = pair
    this.#shared = shared
  }

  command(command: Parameters<Pair['command']>[1]): void {
    this.#hand(() => this.node.core.handleInput({ kind: 'command', command }, this.#pair.now))
  }

  /** Hands in what came since, frame by frame, where the frame is for this client's SPIs. */
  read(): void {
    const stream = this.#shared.read()
    const bytes = stream.slice(this.#taken)
    this.#taken = stream.length
    this.#deframer.push(bytes)
    for (let kind = this.#deframer.next(); kind === 'ike' || kind === 'esp'; kind = this.#deframer.next()) {
      const { buffer, offset, length } = this.#deframer
      const message = buffer.slice(offset, offset + length)
      const spi = kind === 'ike' ? message.subarray(0, 8) : message.subarray(0, 4)
      const number = [...spi].reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n)
      if (kind === 'ike' ? !this.node.core.ikeSas.has(number) : !this.node.core.sad.has(Number(number))) continue
      const body = kind === 'ike' ? [0, 0, 0, 0, ...message] : [...message]
      const frame = Uint8Array.from([0, 0, (body.length + 4) >> 8, (body.length + 4) & 0xff, ...body])
      this.#hand(() => this.node.core.handleInput({ kind: 'connection-bytes', connection: this.#connection, bytes: frame }, this.#pair.now))
    }
  }

  #hand(act: () => void): void {
    act()
    const outputs: Output[] = []
    for (let output = this.node.core.pollOutput(); output.kind !== 'wait-until'; output = this.node.core.pollOutput()) {
      if (output.kind === 'write-tun')
        for (let i = 0; i < output.batch.count; i++)
          this.node.received.push(output.batch.buffer.slice(output.batch.offsets[i]!, output.batch.offsets[i]! + output.batch.lengths[i]!))
      else outputs.push(output)
    }
    const { core } = this.node
    const now = this.#pair.now
    for (const output of outputs) {
      if (output.kind === 'write-connection') this.#shared.write(output.bytes)
      else if (output.kind === 'crypto-job')
        this.#hand(() => core.handleInput({ kind: 'crypto-result', job: output.job, result: doWork(output.work) }, now))
      else if (output.kind === 'open-connection') {
        this.#connection = output.connection
        const [local, remote] = [{ address: '192.0.2.77', port: 5_000 }, output.remote]
        const { connection, framing } = output
        this.#hand(() => core.handleInput({ kind: 'connection-opened', connection, role: 'originator', local, remote, framing }, now))
      }
    }
  }
}

function pump(pair: Pair, users: readonly Sharer[]): void {
  for (let round = 0; round < 10; round++) {
    pair.run(20)
    for (const user of users) user.read()
  }
}
