// What the tests share: a listener and clients that write down what happens to them.
import { readFileSync } from 'node:fs'
import {
  type ByteStream,
  type ConnectOptions,
  connect,
  type Listener,
  type ListenOptions,
  listen,
  type StreamHandlers,
  TransportError,
  tcpSockets,
  tlsLibrary,
} from '../src/index.ts'

export const LOOPBACK = '127.0.0.1'

/** Those that are here. */
export const SOCKETS: readonly ('auto' | 'node')[] = tcpSockets().kind === 'native' ? ['auto', 'node'] : ['node']
/** Whose TLS there is, and with which sockets. */
export const TLS_OF: readonly { readonly sockets: 'auto' | 'node'; readonly library: 'libssl' | 'the runtime' }[] = [
  ...(tlsLibrary().kind === 'libssl' ? [{ sockets: 'auto', library: 'libssl' } as const] : []),
  { sockets: 'node', library: 'the runtime' },
]
let sockets: 'auto' | 'node' = 'auto'

/** Of all connections and listeners from here on. */
export function useSockets(kind: 'auto' | 'node'): void {
  sockets = kind
}

/** TEST ONLY: see fixtures/README.md. */
export const CERT: string = readFileSync(new URL('./fixtures/test-only-certificate.pem', import.meta.url), 'utf8')
export const KEY: string = readFileSync(new URL('./fixtures/test-only-key.pem', import.meta.url), 'utf8')
/** Another, of an RSA key. */
export const RSA = {
  cert: readFileSync(new URL('./fixtures/test-only-rsa-certificate.pem', import.meta.url), 'utf8'),
  key: readFileSync(new URL('./fixtures/test-only-rsa-key.pem', import.meta.url), 'utf8'),
} as const
export const SERVER_TLS = { cert: CERT, key: KEY, alpn: ['ike'] } as const
export const CLIENT_TLS = { ca: CERT, servername: 'gateway.test', alpn: ['ike'] } as const

export class Recorder implements StreamHandlers {
  readonly events: string[] = []
  readonly chunks: Uint8Array[] = []
  octets = 0
  error: TransportError | undefined

  onData(bytes: Uint8Array): void {
    // Lent for the call.
    this.chunks.push(bytes.slice())
    this.octets += bytes.length
  }
  onDrain(): void {
    this.events.push('drain')
  }
  onEnd(): void {
    this.events.push('end')
  }
  onClose(error?: TransportError): void {
    this.events.push('close')
    this.error = error
  }
  get data(): number[] {
    return this.chunks.flatMap((chunk) => [...chunk])
  }
}

export interface Side {
  readonly stream: ByteStream
  readonly seen: Recorder
}

export interface Served {
  readonly listener: Listener
  readonly accepted: Side[]
  readonly errors: TransportError[]
}

const toClose: (() => unknown)[] = []

export async function closeAll(): Promise<void> {
  for (const close of toClose.splice(0).reverse()) await close()
}

export async function serve(options: Partial<ListenOptions> = {}): Promise<Served> {
  const accepted: Side[] = []
  const errors: TransportError[] = []
  const listener = await listen({ address: LOOPBACK, sockets, onError: (error) => errors.push(error), ...options }, (stream) => {
    const seen = new Recorder()
    accepted.push({ stream, seen })
    return seen
  })
  toClose.push(async () => {
    for (const { stream } of accepted) stream.reset()
    await listener.close()
  })
  return { listener, accepted, errors }
}

export async function dial(port: number, options: Partial<ConnectOptions> = {}): Promise<Side> {
  const seen = new Recorder()
  const stream = await connect({ host: LOOPBACK, port, timeout: 5000, sockets, ...options }, seen)
  toClose.push(() => stream.reset())
  return { stream, seen }
}

/** A client and the server's side of the same connection. */
export async function pair(
  options: { server?: Partial<ListenOptions>; client?: Partial<ConnectOptions> } = {},
): Promise<{ client: Side; server: Side; served: Served }> {
  const served = await serve(options.server)
  const client = await dial(served.listener.local.port, options.client)
  await until(() => served.accepted.length === 1)
  return { client, server: served.accepted[0], served }
}

export async function failureOf(promise: Promise<unknown>): Promise<TransportError> {
  const failure = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(failure instanceof TransportError)) throw new Error(`expected a TransportError, got ${failure}`)
  return failure
}

export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 1000) throw new Error('it did not happen')
    await turn()
  }
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5))
}
