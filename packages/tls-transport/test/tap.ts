// Between a client and a listener: the TLS records that pass, in the order in which they pass, and who ends first.
import { createServer, type Socket, connect as tcpConnect } from 'node:net'
import { LOOPBACK } from './streams.ts'

export interface Tap {
  readonly port: number
  /** 'client handshake', 'server application data', 'client alert', 'client FIN', … */
  readonly records: readonly string[]
  /** Types of the handshake messages that the server sent in the clear: all of TLS 1.2 but its last. */
  serverMessages(): number[]
  connections(): number
  /** RST to both ends of what passes. */
  cut(): void
  close(): Promise<void>
}

/** RFC 5246 §6.2.1. */
const CONTENT: Readonly<Record<number, string>> = { 20: 'change cipher spec', 21: 'alert', 22: 'handshake', 23: 'application data' }

export async function tap(port: number): Promise<Tap> {
  const records: string[] = []
  const handshake: number[] = []
  const sockets: Socket[] = []
  let connections = 0
  const server = createServer({ allowHalfOpen: true }, (client) => {
    connections++
    let isEncrypted = false
    const far = tcpConnect({ port, host: LOOPBACK, allowHalfOpen: true })
    for (const [name, from, to] of [['client', client, far] as const, ['server', far, client] as const]) {
      sockets.push(from)
      let pending = new Uint8Array(0)
      from.on('error', () => to.destroy())
      from.on('data', (bytes: Uint8Array) => {
        pending = Uint8Array.from([...pending, ...bytes])
        while (pending.length >= 5) {
          const length = 5 + ((pending[3]! << 8) | pending[4]!)
          if (pending.length < length) break
          const type = pending[0]!
          records.push(`${name} ${CONTENT[type] ?? type}`)
          if (name === 'server' && type === 20) isEncrypted = true
          if (name === 'server' && type === 22 && !isEncrypted) handshake.push(...pending.subarray(5, length))
          pending = pending.slice(length)
        }
        to.write(bytes)
      })
      from.on('end', () => {
        records.push(`${name} FIN`)
        to.end()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    records,
    serverMessages: () => messageTypes(handshake),
    connections: () => connections,
    cut() {
      for (const socket of sockets.splice(0)) socket.resetAndDestroy()
    },
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** RFC 5246 §7.4: msg_type, then a length of 24 bits. */
function messageTypes(octets: readonly number[]): number[] {
  const types: number[] = []
  for (let at = 0; at + 4 <= octets.length; ) {
    types.push(octets[at]!)
    at += 4 + ((octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!)
  }
  return types
}
