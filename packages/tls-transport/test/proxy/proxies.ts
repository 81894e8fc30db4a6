// Proxies of the tests' own, as small as can be: what is asked of them is written down.
import { createServer, type Server, type Socket, connect as tcpConnect } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { CERT, KEY, LOOPBACK } from '../streams.ts'
import { octets, text } from './dialogues.ts'

export interface TestProxy {
  readonly port: number
  /** What clients said before they were through. */
  readonly heard: string[]
  connections: number
  close(): Promise<void>
}

type Behaviour = (heard: string, socket: Socket) => number | undefined

async function start(server: Server, behave: Behaviour): Promise<TestProxy> {
  const open = new Set<Socket>()
  const proxy = { port: 0, heard: [] as string[], connections: 0, close: async (): Promise<void> => {} }
  const onConnection = (inside: Socket): void => {
    proxy.connections++
    open.add(inside)
    inside.on('error', () => {}).on('close', () => open.delete(inside))
    let heard = ''
    const onData = (bytes: Uint8Array): void => {
      heard += text(bytes)
      const port = behave(heard, inside)
      if (port === undefined) return
      proxy.heard.push(heard)
      inside.off('data', onData)
      const outside = tcpConnect(port, LOOPBACK)
      open.add(outside)
      outside.on('error', () => {}).on('close', () => void inside.destroy())
      inside.on('close', () => void outside.destroy())
      inside.pipe(outside).pipe(inside)
    }
    inside.on('data', onData)
  }
  server.on('connection', (socket) => void open.add(socket))
  server.on(
    server.listeners('secureConnection').length > 0 || 'setSecureContext' in server ? 'secureConnection' : 'connection',
    onConnection,
  )
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
  const address = server.address()
  proxy.port = typeof address === 'object' && address !== null ? address.port : 0
  proxy.close = async () => {
    for (const socket of open) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
  return proxy
}

/** Lets in whoever says `user:password`, where there is one; asks others, and goes on or closes as `closes` says. */
export function httpProxy({
  user,
  closes = false,
  isTls = false,
  target,
}: {
  user?: string
  closes?: boolean
  isTls?: boolean
  target: () => number
}): Promise<TestProxy> {
  const wanted = user && `Proxy-Authorization: Basic ${Buffer.from(user).toString('base64')}\r\n`
  const lengths = new WeakMap<Socket, number>()
  return start(isTls ? createTlsServer({ cert: CERT, key: KEY }) : createServer(), (heard, socket) => {
    if (!heard.endsWith('\r\n\r\n') || heard.length === lengths.get(socket)) return undefined
    if (wanted === undefined || heard.includes(wanted)) {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      return target()
    }
    lengths.set(socket, heard.length)
    socket.write(
      `HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm="test"\r\nContent-Length: 3\r\n${closes ? 'Connection: close\r\n' : ''}\r\nWho`,
    )
    if (closes) socket.end()
    return undefined
  })
}

export function socksProxy({ user, target }: { user?: readonly [string, string]; target: () => number }): Promise<TestProxy> {
  const login = user && `\x01${String.fromCharCode(user[0].length)}${user[0]}${String.fromCharCode(user[1].length)}${user[1]}`
  return start(createServer(), (heard, socket) => {
    const say = (answer: string): undefined => void socket.write(octets(answer))
    const greeting = heard.slice(0, 2 + (heard.charCodeAt(1) || 0))
    const rest = heard.slice(greeting.length)
    if (rest === '') return say(login === undefined ? '\x05\x00' : greeting.includes('\x02', 2) ? '\x05\x02' : '\x05\xff')
    if (rest === login) return say('\x01\x00')
    if (login !== undefined && !rest.startsWith(login)) return say('\x01\x01')
    say('\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00')
    return target()
  })
}
