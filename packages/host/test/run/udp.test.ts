import type { DatagramKind, Endpoint, PacketBatch } from '@underpass/session-manager'
import { openUdp } from '@underpass/udp-transport'
import { afterEach, describe, expect, it } from 'vitest'
import { openUdpSockets, type UdpListenerConfig, type UdpReceivers } from '../../src/run/udp.ts'

const open: { close(): unknown }[] = []

afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

const IKE = new Uint8Array(40).fill(0x80)
const LOOPBACK = '127.0.0.1'

describe.each<[string, UdpListenerConfig]>([
  ['one address', { address: LOOPBACK, port: 0 }],
  ['every address', { address: undefined, port: 0 }],
])('RFC 3948 §2: ESP that comes to sockets bound to %s', (_, config) => {
  it('is handed over in batches, behind what came before it, with the address of ours that the sender knows', async () => {
    const { log, locals, to } = await listening(config, true)
    const peer = await sending()
    peer.sendBatch(batchOf([1, 2, 3]), to)
    await until(() => log.length === 3)
    peer.send('ike', IKE, to)
    peer.sendBatch(batchOf([4, 5, 6, 7]), to)
    peer.send('keepalive', IKE, to)
    peer.sendBatch(batchOf([8, 9]), to)
    await until(() => log.length === 11)
    expect(log.map((line) => line.replace('batch', 'esp'))).toEqual([1, 2, 3, 'ike', 4, 5, 6, 7, 'keepalive', 8, 9].map(wordOf))
    expect(log.slice(4, 8)).toEqual([4, 5, 6, 7].map((octet) => `batch ${octet}`))
    expect([...locals]).toEqual([`${LOOPBACK} ${to.port}`])
  })

  it('goes packet by packet where nobody takes batches', async () => {
    const { log, to } = await listening(config, false)
    const peer = await sending()
    peer.send('ike', IKE, to)
    peer.sendBatch(batchOf([1, 2, 3]), to)
    await until(() => log.length === 4)
    expect(log).toEqual(['ike', 1, 2, 3].map(wordOf))
  })
})

it('answers leave through the socket that the core names', async () => {
  const { sockets, to } = await listening({ address: LOOPBACK, port: 0 }, true)
  const received: number[] = []
  const peer = await openUdp({
    address: LOOPBACK,
    onDatagram: () => {},
    onEspBatch: ({ buffer, offsets, count }, remote) => {
      expect(remote).toEqual(to)
      for (let i = 0; i < count; i++) received.push(buffer[offsets[i]])
    },
    onError: () => {},
  })
  open.push(peer)
  sockets.sendBatch(to, peer.local, batchOf([5, 6, 7]))
  await until(() => received.length === 3)
  expect(received).toEqual([5, 6, 7])
})

it('RFC 7296 §2.11: with each address named, what came to one is answered from it', async () => {
  const free = await openUdp({ address: '0.0.0.0', onDatagram: () => {}, onError: () => {} })
  const { port } = free.local
  await free.close()
  const sockets = await openUdpSockets(
    [LOOPBACK, '127.0.0.2'].map((address) => ({ address, port })),
    { onDatagram: (local, remote, message, bytes) => sockets.send(local, remote, message, bytes) },
  )
  open.push(sockets)
  const answers: Endpoint[] = []
  const peer = await openUdp({ address: '0.0.0.0', onDatagram: (_bytes, _kind, from) => answers.push({ ...from }), onError: () => {} })
  open.push(peer)
  for (const address of ['127.0.0.2', LOOPBACK]) {
    peer.send('ike', IKE, { address, port })
    await until(() => answers.length > 0)
    expect(answers.splice(0)).toEqual([{ address, port }])
  }
})

const wordOf = (word: number | string): string => (typeof word === 'number' ? `esp ${word}` : word)

async function listening(config: UdpListenerConfig, takesBatches: boolean) {
  const log: string[] = []
  const locals = new Set<string>()
  const note = (local: Endpoint): void => void locals.add(`${local.address} ${local.port}`)
  const receivers: UdpReceivers = {
    onDatagram(local: Endpoint, _remote: Endpoint, message: DatagramKind, bytes: Uint8Array) {
      note(local)
      log.push(message === 'esp' ? `esp ${bytes[0]}` : message)
    },
    ...(takesBatches
      ? {
          onEspBatch(local: Endpoint, _remote: Endpoint, { buffer, offsets, count }: PacketBatch) {
            note(local)
            for (let i = 0; i < count; i++) log.push(`batch ${buffer[offsets[i]]}`)
          },
        }
      : {}),
  }
  const sockets = await openUdpSockets([config], receivers)
  open.push(sockets)
  return { log, locals, sockets, to: { address: LOOPBACK, port: sockets.listening[0]!.port } }
}

async function sending() {
  const socket = await openUdp({ address: LOOPBACK, onDatagram: () => {}, onError: () => {} })
  open.push(socket)
  return socket
}

/** Packets of 100 octets, each filled with one. */
function batchOf(octets: readonly number[]): PacketBatch {
  const buffer = new Uint8Array(100 * octets.length)
  for (const [i, octet] of octets.entries()) buffer.fill(octet, 100 * i, 100 * (i + 1))
  return {
    buffer,
    offsets: Uint32Array.from(octets, (_, i) => 100 * i),
    lengths: new Uint32Array(octets.length).fill(100),
    count: octets.length,
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 2000) throw new Error('nothing came')
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
