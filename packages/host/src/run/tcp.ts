/** TCP for the driver: listeners, and the connections that the core asks for. */
import { randomInt } from 'node:crypto'
import type { Endpoint, FramingProfileName } from '@underpass/session-manager'
import type { PendingStream, StreamHandlers, StreamPort } from '@underpass/session-manager/driver'
import {
  type ByteStream,
  type ConnectOptions,
  connect,
  type FrontOptions,
  type Listener,
  type ListenOptions,
  listen,
  type ProxyServer,
  proxyFromEnvironment,
  type SocketOptions,
  type TlsClientOptions,
  type TlsServerOptions,
  TransportError,
} from '@underpass/tls-transport'
import { describeEndpoint, plainEndpoint } from './addresses.ts'
import { bindProblem } from './bind-problem.ts'
import { within } from './proxy-sources.ts'
import { behindStreamLook, type StreamLook } from './stream-look.ts'
import { behindWebFront, type WebFront } from './web-front.ts'

/** What is the same for all connections, dialled and accepted. */
export interface TcpTuning {
  /** 'bbr', 'cubic', … Default the kernel's. Native sockets' only. */
  readonly congestionControl?: string | undefined
  /** Octets of SO_SNDBUF and SO_RCVBUF. Default the kernel's own tuning. */
  readonly sendBuffer?: number
  readonly receiveBuffer?: number
  /** Of what is dialled; a listener has its own. */
  readonly dscp?: number
  /** Octets of the longest packet inside. Default: as short as usual. */
  readonly innerMtu?: number
}

export interface TcpListenerConfig {
  /** `undefined`: every address of the machine, of both families. */
  readonly address: string | undefined
  /** 0: any free one. */
  readonly port: number
  readonly framing: FramingProfileName
  /** Of every packet of what is accepted. */
  readonly dscp?: number
  /** Around the stream. */
  readonly tls?: TlsServerOptions
  /** Beside TLS: plain streams at the same port. Of framings with a prefix. */
  readonly alsoPlain?: boolean
  /** Subnets from which each connection begins with a PROXY header, and is from whom that says. */
  readonly proxies?: readonly string[]
  /** With TLS, what others than IKE are given. Of framings with a prefix. */
  readonly web?: WebFront
}

/**
 * Throws `TransportError`, whose message names the address, the port and what to do. `onError` hears what goes wrong later, of
 * which the listener does not die.
 */
export async function listenTcp(
  config: TcpListenerConfig,
  onConnection: (stream: StreamPort, framing: FramingProfileName) => StreamHandlers,
  onError: (error: Error) => void = () => {},
  { streamLook, ...shared }: Pick<ListenOptions, 'reusePort' | 'firstLook'> & { readonly streamLook?: StreamLook } = {},
  tuning: TcpTuning = {},
): Promise<Listener> {
  const { port, tls = false, alsoPlain = false, framing, web, proxies = [], dscp } = config
  const accept = (stream: ByteStream): StreamHandlers => onConnection(plainStream(stream), framing)
  const looked = streamLook === undefined ? accept : behindStreamLook(streamLook, accept)
  const inside = web !== undefined && framing === 'rfc9329' ? behindWebFront(web, looked) : looked
  const front: FrontOptions & Pick<ListenOptions, 'tls'> = {
    tls,
    alsoPlain,
    ...(proxies.length === 0 ? {} : { expectsProxyHeader: within(proxies) }),
  }
  const listenOn = (address: string): Promise<Listener> =>
    listen(
      { address, port, ...front, onError, ...socketOptions(tuning), ...marking(dscp), flowLabel: NO_FLOW_LABEL, ...shared },
      (stream) => (stream.tls === undefined ? accept(stream) : inside(stream)),
    )
  if (config.address === undefined) {
    try {
      return await listenOn('::')
    } catch (error) {
      if (!mayLackIpv6(error)) throw explained(error, '::', config.port)
    }
  }
  const address = config.address ?? '0.0.0.0'
  try {
    return await listenOn(address)
  } catch (error) {
    throw explained(error, address, config.port)
  }
}

/**
 * RFC 9329 §6.1 (T-LIFE-8): which IKE SA a connection is of is known too late to give it the label of the one before. None is constant too,
 * whatever the other end does, which IPV6_FL_F_REFLECT would not be, and that takes a sysctl.
 */
const NO_FLOW_LABEL = 0

function marking(dscp: number | undefined): Pick<SocketOptions, 'dscp'> {
  return dscp === undefined ? {} : { dscp }
}

function socketOptions({ congestionControl, sendBuffer, receiveBuffer, innerMtu = 0 }: TcpTuning): SocketOptions {
  return {
    ...SHORT_QUEUES,
    ...(innerMtu > LONG_PACKET ? { readLength: READ_LENGTH_FOR_LONG } : {}),
    ...(congestionControl === undefined ? {} : { congestionControl }),
    ...(sendBuffer === undefined ? {} : { sendBuffer }),
    ...(receiveBuffer === undefined ? {} : { receiveBuffer }),
  }
}

/** What a socket holds no packet can overtake: the core's queue is where they wait. */
const SHORT_QUEUES = { highWaterMark: 0, notSentLowWater: 'adaptive' } as const

/** Of longer ones a read of the usual length has so few that each batch of them costs more than a core's cache spares. */
const LONG_PACKET = 32_768
const READ_LENGTH_FOR_LONG = 524_288

/** By what a stream is dialled, where it is more than TCP. */
export interface DialledCarrier {
  /** The gateway as it was named: the proxy's to resolve. */
  readonly host: string
  readonly tls: TlsClientOptions | false
  readonly via: ProxyServer | 'environment' | undefined
}

/** The `connect` port. `carriers`: by the names that the core has for them. */
export function connectTcp(
  timeoutMilliseconds: number,
  tuning: TcpTuning = {},
  carriers: Readonly<Record<string, DialledCarrier>> = {},
): (remote: Endpoint, framing: FramingProfileName, handlers: StreamHandlers, carrier?: string) => PendingStream {
  /** RFC 9329 Appendix B.3 (T-TLS-9): of each carrier the session to resume. */
  const sessions = new Map<string, Uint8Array>()
  const around = (remote: Endpoint, name: string | undefined): Pick<ConnectOptions, 'host' | 'tls' | 'via'> => {
    if (name === undefined) return { host: remote.address }
    const carrier = carriers[name]
    // In the clear it would be another transport.
    if (carrier === undefined) throw new TransportError('BAD_OPTION', `it is not said how to dial ${name} (carriers)`)
    const via = carrier.via === 'environment' ? proxyFromEnvironment(process.env, carrier.host, remote.port) : carrier.via
    const session = sessions.get(name)
    const tls: TlsClientOptions | false = carrier.tls && {
      ...carrier.tls,
      ...(session === undefined ? {} : { session }),
      onSession: (fresh) => void sessions.set(name, fresh),
    }
    return { host: via === undefined ? remote.address : carrier.host, tls, ...(via === undefined ? {} : { via }) }
  }
  // RFC 9329 §6.1 (T-LIFE-8): one for all connections, so that the next of an IKE SA has that of the one before; random, in the range of
  // labels that nobody leases (RFC 6437 §3, net.ipv6.flowlabel_state_ranges).
  const common = { ...socketOptions(tuning), ...marking(tuning.dscp), flowLabel: randomInt(0x80000, 0x100000) }
  return (remote, _framing, handlers, carrier) => {
    const controller = new AbortController()
    const where = { ...around(remote, carrier), port: remote.port }
    return {
      opened: connect({ ...where, timeout: timeoutMilliseconds, signal: controller.signal, ...common }, handlers).then(
        plainStream,
        (error: unknown) => {
          throw remedied(error)
        },
      ),
      cancel: () => controller.abort(),
    }
  }
}

/** What to do about a certificate stands in the configuration of whoever dials. */
function remedied(error: unknown): unknown {
  if (!(error instanceof TransportError) || error.code !== 'CERTIFICATE_INVALID') return error
  return new TransportError(error.code, `${error.message}; see ca_file, pin, servername and verify of peer.tls`, error.context)
}

/** What a machine without IPv6 says to '::' differs with the runtime; these two it never says. */
function mayLackIpv6(error: unknown): boolean {
  return error instanceof TransportError && error.code !== 'ADDRESS_IN_USE' && error.code !== 'PERMISSION_DENIED'
}

function plainStream(stream: ByteStream): StreamPort {
  const local = plainEndpoint(stream.local)
  const remote = plainEndpoint(stream.remote)
  const isAccepted = stream.tls !== undefined
  if (local === stream.local && remote === stream.remote && !isAccepted) return stream
  return {
    local,
    remote,
    ...(isAccepted ? { carrier: `tls:${local.port}` } : {}),
    get room() {
      return stream.room
    },
    write: (bytes) => stream.write(bytes),
    end: () => stream.end(),
    reset: () => stream.reset(),
  }
}

function explained(error: unknown, address: string, port: number): unknown {
  if (!(error instanceof TransportError)) return error
  const problem = bindProblem('TCP', describeEndpoint(address, port), error.code)
  return problem === undefined ? error : new TransportError(error.code, problem, error.context)
}
