import { describe, expect, it } from 'vitest'
import { Network } from '../network.ts'
import { CaptivePortal } from './captive-portal.ts'
import { Host } from './host.ts'
import { answerOf, askFor, octets } from './http-connect.ts'
import { Internet } from './internet.ts'
import { datagram } from './one-hop.ts'
import { ConnectProxy } from './proxy.ts'
import { Tap } from './tap.ts'
import type { TcpSocket } from './tcp.ts'

const CLIENT = '192.0.2.10'
const SERVER = '198.51.100.1'
const PROXY = '203.0.113.80'

describe('RFC 9110 §9.3.6: a proxy that is asked with CONNECT', () => {
  it.each([1, 7, 1_000])('the target is reached, whatever pieces the question comes in (%d octets), and octets pass both ways', (piece) => {
    const { ask, network, server } = machines()
    const connection = ask(piece)
    network.run(1_000)
    expect(answerOf(connection.text)).toMatchObject({ isComplete: true, isGranted: true })
    connection.socket.write(octets('hello'))
    network.run(1_000)
    expect(server.text).toBe('hello')
    server.sockets[0]!.write(octets('good day'))
    network.run(1_000)
    expect(connection.text.endsWith('\r\n\r\ngood day')).toBe(true)
  })

  it('a target that refuses is 502', () => {
    const { ask, network } = machines()
    const connection = ask(1_000, 9)
    network.run(1_000)
    expect(connection.text).toMatch(/^HTTP\/1\.1 502 /)
    expect(answerOf(connection.text).isGranted).toBe(false)
    expect(connection.ends).toEqual(['end'])
  })

  it('what is no CONNECT gets no stream', () => {
    const { dial, network } = machines()
    const connection = dial('GET / HTTP/1.1\r\n\r\n')
    network.run(1_000)
    expect(connection.ends).toEqual(['end'])
    expect(connection.text).toBe('')
  })

  it.each(['end', 'reset'] as const)('a connection that ends (%s) ends on its other side, and nothing is left', (how) => {
    const { ask, network, proxy, server } = machines()
    const connection = ask(1_000)
    network.run(1_000)
    expect(proxy.stack.size).toBe(2)
    connection.socket[how]()
    network.run(1_000)
    expect(server.ends).toEqual([how])
    network.run(100_000)
    expect(proxy.stack.size).toBe(0)
  })

  it('restarted, it resets both sides, refuses while it is away, and serves again', () => {
    const { ask, network, proxy, server } = machines()
    const before = ask(1_000)
    network.run(1_000)
    proxy.restart(3_000)
    network.run(1_000)
    expect([before.ends, server.ends]).toEqual([['reset'], ['reset']])
    const meanwhile = ask(1_000)
    network.run(1_000)
    expect(meanwhile.ends).toEqual(['failed'])
    network.run(2_000)
    const after = ask(1_000)
    network.run(1_000)
    expect(answerOf(after.text).isGranted).toBe(true)
  })
})

describe('RFC 8952 §2: a captive portal', () => {
  it('answers each connection, to whatever address and port, and sends its page for what it was asked', () => {
    const { dial, network, server } = machines({ isCaptive: true })
    for (const to of [
      { address: SERVER, port: 443 },
      { address: PROXY, port: 3_128 },
      { address: '10.11.12.13', port: 1 },
    ]) {
      const connection = dial('IKETCP', to)
      network.run(1_000)
      expect(connection.text).toMatch(/^HTTP\/1\.1 302 Found/)
      expect(connection.ends).toEqual(['end'])
    }
    expect(server.sockets).toEqual([])
  })

  it('swallows datagrams, and lets nothing in', () => {
    const { client, network, outside, portal } = machines({ isCaptive: true })
    client.send(datagram(`${CLIENT} 4500`, `${SERVER} 4500`))
    network.run(1_000)
    expect(outside.passages).toEqual([])
    portal!.agree()
    client.send(datagram(`${CLIENT} 4500`, `${SERVER} 4500`))
    network.run(1_000)
    // And back comes the server's word that nobody listens.
    expect(outside.passages.map(({ direction, packet }) => [direction, packet.body.protocol])).toEqual([
      ['out', 'udp'],
      ['in', 'icmp'],
    ])
  })

  it('agreed to, it is gone: connections go where they were meant to', () => {
    const { dial, network, portal, server } = machines({ isCaptive: true })
    portal!.agree()
    dial('IKETCP', { address: SERVER, port: 443 })
    network.run(1_000)
    expect(server.text).toBe('IKETCP')
  })
})

interface Seen {
  text: string
  readonly ends: string[]
}

interface Machines {
  readonly network: Network
  readonly client: Host
  readonly proxy: ConnectProxy
  readonly server: Seen & { readonly sockets: TcpSocket[] }
  readonly portal: CaptivePortal | undefined
  /** Between the portal and the world. */
  readonly outside: Tap
  dial(first: string, to?: { address: string; port: number }): Seen & { readonly socket: TcpSocket }
  /** The question goes in pieces of so many octets. */
  ask(piece: number, port?: number): Seen & { readonly socket: TcpSocket }
}

function machines({ isCaptive = false } = {}): Machines {
  const network = new Network()
  const internet = new Internet(network, 'proxy')
  const portal = isCaptive ? new CaptivePortal(network, internet.chance) : undefined
  const outside = new Tap(network)
  const client = new Host(internet, CLIENT, { hops: [...(portal ? [portal] : []), outside, internet.link()] })
  const far = new Host(internet, SERVER, { hops: [] })
  const proxy = new ConnectProxy(internet, PROXY, { hops: [internet.link()] })
  internet.hosts.push(client, far, proxy)
  const server: Machines['server'] = { text: '', ends: [], sockets: [] }
  const handlersFor = (seen: Seen, onOpen: () => void) => ({
    onOpen,
    onBytes: (bytes: Uint8Array) => {
      seen.text += String.fromCharCode(...bytes)
    },
    onDrain: () => undefined,
    onClose: (reason: string) => void seen.ends.push(reason),
  })
  far.listeners.set(443, (socket) => {
    server.sockets.push(socket)
    return handlersFor(server, () => undefined)
  })
  const start = (to: { address: string; port: number }, onOpen: (socket: TcpSocket) => void): Seen & { readonly socket: TcpSocket } => {
    const seen: Seen = { text: '', ends: [] }
    const socket: TcpSocket = client.connect(
      to,
      handlersFor(seen, () => onOpen(socket)),
    )
    return Object.assign(seen, { socket })
  }
  const near = { address: PROXY, port: proxy.port }
  return {
    network,
    client,
    proxy,
    server,
    portal,
    outside,
    dial: (first, to = near) => start(to, (socket) => void socket.write(octets(first))),
    ask: (piece, port = 443) =>
      start(near, (socket) => {
        const question = askFor({ address: SERVER, port })
        for (let at = 0; at < question.length; at += piece)
          network.later(at, () => void socket.write(question.subarray(at, Math.min(question.length, at + piece))))
      }),
  }
}
