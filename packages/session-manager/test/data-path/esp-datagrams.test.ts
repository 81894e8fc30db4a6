import { describe, expect, it } from 'vitest'
import type { Output } from '../../src/index.ts'
import { espPacket } from '../frames.ts'
import { batchOf, packetsOf } from '../network.ts'
import { ipv4Packet, Pair, UDP } from '../pair.ts'

const LOCAL = { address: '198.51.100.1', port: 4500 }

describe('RFC 3948 §2.1 ESP in UDP, many datagrams in one input', () => {
  it('each is opened as if it had come alone: in order, what is forged or repeated dropped, the rest passed on', () => {
    const pair = new Pair({ transports: [UDP] })
    pair.connect()
    const remote = { address: pair.client.address, port: 4500 }
    const sealed = [100, 200, 300].map((length) => espPacket(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', length)))
    const forged = espPacket(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 60))
    forged[forged.length - 1]! ^= 1
    const batch = batchOf([sealed[0]!, forged, sealed[1]!, sealed[0]!, sealed[2]!])
    pair.input(pair.gateway, { kind: 'esp-datagrams', local: LOCAL, remote, batch })
    expect(pair.gateway.received.map((packet) => packet.length)).toEqual([100, 200, 300])
    expect(pair.gateway.core.inspect(pair.now).counters).toMatchObject({ 'esp-drop-icv': 1, 'esp-drop-replay': 1 })
  })

  it('RFC 7296 §2.23: a valid one from elsewhere moves the SA there', () => {
    const pair = new Pair({ transports: [UDP] })
    pair.connect()
    const remote = { address: '203.0.113.5', port: 6000 }
    const packet = espPacket(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 100))
    pair.input(pair.gateway, { kind: 'esp-datagrams', local: LOCAL, remote, batch: batchOf([packet, packet]) })
    expect(pair.gateway.eventsOf('path-moved')).toMatchObject([{ to: { remote } }])
  })
})

describe('RFC 4303 §3.3 what is sealed is lent until the next input', () => {
  it('the packets of one input lie apart, however many there are, and the free room behind those of the TUN changes nothing', () => {
    for (const transports of [undefined, [UDP]]) {
      for (const tailroom of [0, 64]) {
        const pair = new Pair(transports === undefined ? {} : { transports })
        pair.connect()
        const { core } = pair.client
        // More than one buffer of the core holds, and more than one run.
        const packets = Array.from({ length: 500 }, (_, i) => ipv4Packet(pair.clientAddress, '10.2.0.1', 1_300 + (i % 100)))
        core.handleInput({ kind: 'tun-packets', batch: { ...withRoom(packets, tailroom), tailroom } }, pair.now)
        const outputs: Output[] = []
        for (let output = core.pollOutput(); output.kind !== 'wait-until'; output = core.pollOutput()) outputs.push(output)
        for (const output of outputs) {
          if (output.kind === 'write-connection')
            pair.input(pair.gateway, { kind: 'connection-bytes', connection: pair.pipes[0]!.responderId, bytes: output.bytes })
          else if (output.kind === 'send-esp-datagrams')
            pair.input(pair.gateway, {
              kind: 'esp-datagrams',
              local: LOCAL,
              remote: { address: pair.client.address, port: 4500 },
              batch: output.batch,
            })
        }
        expect(pair.gateway.received.map(String)).toEqual(packets.map(String))
      }
    }
  })
})

/** As `batchOf`, with free octets around each packet. */
function withRoom(packets: readonly Uint8Array[], room: number): ReturnType<typeof batchOf> {
  const spaced = batchOf(packets.map((packet) => new Uint8Array([...new Uint8Array(room), ...packet, ...new Uint8Array(room)])))
  for (let i = 0; i < spaced.count; i++) {
    spaced.offsets[i]! += room
    spaced.lengths[i]! -= 2 * room
  }
  expect(packetsOf(spaced).map(String)).toEqual(packets.map(String))
  return spaced
}
