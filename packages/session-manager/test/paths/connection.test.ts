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
    for (const waits of [false, true]) {
      const { connection, written, emit } = originator()
      if (waits) connection.block()
      send(connection, emit)
      if (waits) connection.drain(emit)
      send(connection, emit)
      expect(written()).toEqual([join(PREFIX, frame), frame])
    }
  })

  it('ESP that waits and IKE that overtakes it', () => {
    const { connection, written, emit } = originator()
    connection.block()
    connection.sendEsp(ESP, emit)
    connection.sendIke(IKE, emit)
    expect(written()).toEqual([])
    connection.drain(emit)
    expect(written()).toEqual([join(PREFIX, ikeFrame(IKE), ESP)])
    expect(connection.queuedOctets).toBe(0)
  })

  it('the octets of ESP that waits are its own: the slab they came from may change', () => {
    const { connection, written, emit } = originator()
    const slab = ESP.slice()
    connection.block()
    connection.sendEsp(slab, emit)
    slab.fill(0)
    connection.drain(emit)
    expect(written()).toEqual([join(PREFIX, ESP)])
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
