import { describe, expect, it } from 'vitest'
import type { Output } from '../../src/index.ts'
import { Connection } from '../../src/paths/connection.ts'
import { ikeFrame, join, PREFIX, strayEspFrame } from '../frames.ts'
import { clientPeer, sessionConfig, TCP } from '../pair.ts'

const ESP = strayEspFrame(0x1000)
const IKE = new Uint8Array(28).fill(7)

describe('RFC 9329 §4, §6.1 (T-PFX-1): the prefix is first and once, whatever leaves first', () => {
  it.each([
    ['IKE', (connection: Connection, emit: (output: Output) => void) => connection.sendIke(IKE, emit), ikeFrame(IKE)],
    ['ESP', (connection: Connection, emit: (output: Output) => void) => connection.sendEsp(ESP, emit), ESP],
  ] as const)('%s: at once, and where it had to wait', (_name, send, frame) => {
    const { connection, written, emit } = originator()
    send(connection, emit)
    send(connection, emit)
    expect(written()).toEqual([join(PREFIX, frame), frame])
  })

  it('IKE that had to wait: all of it in one write; each message counts as 256 octets or more', () => {
    const { connection, written, emit } = originator()
    connection.block()
    connection.sendIke(IKE, emit)
    connection.sendIke(IKE, emit)
    expect(written()).toEqual([])
    expect(connection.queuedIkeOctets).toBe(2 * 256)
    connection.drained(1_000, emit)
    expect(written()).toEqual([join(PREFIX, ikeFrame(IKE), ikeFrame(IKE))])
    expect(connection.queuedIkeOctets).toBe(0)
    connection.sendIke(IKE, emit)
    expect(written().at(-1)).toEqual(ikeFrame(IKE))
  })
})

describe('RFC 9329 §9.1: how much ESP a connection is given at once', () => {
  it('as much as the socket has room for, one packet at least, and nothing while it is full', () => {
    const { connection, emit } = originator()
    expect(connection.hasRoom).toBe(true)
    connection.block()
    expect(connection.hasRoom).toBe(false)
    connection.drained(5_000, emit)
    connection.spend(4_999)
    expect(connection.hasRoom).toBe(true)
    connection.spend(1)
    expect(connection.hasRoom).toBe(false)
    connection.drained(0, emit)
    expect(connection.hasRoom).toBe(true)
    connection.spend(1)
    expect(connection.hasRoom).toBe(false)
  })

  it('and again with each turn of the TUN: a socket that is not said to be full has taken what came before', () => {
    const { connection, emit } = originator()
    connection.drained(5_000, emit)
    expect(connection.mustWait(1)).toBe(false)
    connection.spend(5_000)
    expect(connection.mustWait(1)).toBe(true)
    expect(connection.mustWait(2)).toBe(false)
    connection.block()
    expect(connection.mustWait(3)).toBe(true)
  })
})

function originator(): { connection: Connection; written: () => Uint8Array[]; emit: (output: Output) => void } {
  const outputs: Output[] = []
  const address = { address: '192.0.2.1', port: 4500 }
  const connection = new Connection(
    { id: 2, role: 'originator', framing: 'rfc9329', local: address, remote: address, isOpen: true },
    sessionConfig([clientPeer([TCP])], false),
  )
  return {
    connection,
    written: () => outputs.flatMap((output) => (output.kind === 'write-connection' ? [output.bytes.slice()] : [])),
    emit: (output) => outputs.push(output),
  }
}
