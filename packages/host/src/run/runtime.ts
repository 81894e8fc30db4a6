/** Everything a program of ours has between the core and the operating system, put together. */
import type { Endpoint, FramingProfileName, PacketBatch, RandomSource, SessionConfig } from '@underpass/session-manager'
import { SessionManager } from '@underpass/session-manager'
import {
  type DrivenCore,
  Driver,
  type DriverFailure,
  type StreamHandlers,
  type StreamPort,
  type TunPort,
} from '@underpass/session-manager/driver'
import { type CertificatePair, type FirstLook, type Listener, type Origin, TransportError } from '@underpass/tls-transport'
import { createPacketMemory } from '@underpass/tun-device'
import type { ReusePortGroup } from '@underpass/udp-transport'
import type { Credentials } from '../config/authentication.ts'
import { eapMachines } from '../eap/machines.ts'
import { plainEndpoint } from './addresses.ts'
import { nodeClock } from './clock.ts'
import { checkCongestionControl } from './congestion-control.ts'
import { stayOnCpu } from './cpus.ts'
import { cryptoPort } from './crypto-port.ts'
import { nodeRandom } from './random.ts'
import type { StreamLook } from './stream-look.ts'
import { connectTcp, type DialledCarrier, listenTcp, type TcpListenerConfig, type TcpTuning } from './tcp.ts'
import { openUdpSockets, type UdpListenerConfig, type UdpListening, type UdpReceivers, type UdpSockets } from './udp.ts'

export interface RuntimeOptions {
  readonly sessionConfig: SessionConfig
  /** A client that dials over UDP needs a UDP socket too; port 0 will do. */
  readonly listeners: { readonly tcp: readonly TcpListenerConfig[]; readonly udp: readonly UdpListenerConfig[] }
  /** May also come later, by `driver.attachTun`. Stays its owner's to close. */
  readonly tun?: TunPort
  readonly tcpTuning?: TcpTuning
  /** What the `carrier` of a dialled transport is. */
  readonly carriers?: Readonly<Record<string, DialledCarrier>> | undefined
  /** That this thread is kept on until it is closed. Default whichever the kernel has it on. */
  readonly cpu?: number | undefined
  /** Default 10,000. */
  readonly connectTimeoutMilliseconds?: number
  readonly random?: RandomSource
  /** Private keys and anchors, under the names that the core has for them. */
  readonly credentials?: Credentials
  /** Other runtimes, in threads of their own, have the same ports. */
  readonly sharing?: PortSharing
  /** Packets from the TUN for which another may have a Child SA. Lent for the call. */
  unmatched?(batch: PacketBatch): void
  /** What went wrong beside the protocol; `isFatal` has stopped the driver. */
  onFailure?(failure: DriverFailure): void
  /** For the log: what sockets report of which they do not die (ICMP's word on a datagram, no file descriptor to accept with). */
  onSocketError?(error: Error): void
  /** For the log: who came to a listener and got no further than its door. */
  onStranger?(error: TransportError): void
}

export interface PortSharing {
  readonly udp: ReusePortGroup
  /** For the TCP listener with this place in {@link RuntimeOptions.listeners}. */
  firstLook(listener: number, framing: FramingProfileName): FirstLook
  /** The same for what is inside TLS. */
  streamLook(listener: number, framing: FramingProfileName): StreamLook
}

export interface Runtime {
  readonly driver: Driver
  /** Where it listens, with the ports that were free for 0; which sockets TCP has is `tcpSockets()` of @underpass/tls-transport. */
  readonly listening: { readonly tcp: readonly Endpoint[]; readonly udp: readonly UdpListening[] }
  /** A connection that another runtime's `firstLook` gave away, for the listener with this place. The descriptor is taken over. */
  adopt(listener: number, descriptor: number, origin?: Origin): void
  /** An address, an interface or a route of this host came or went. `network`: by what it would be known again. */
  networkChanged(network?: string): void
  /** A stream that another runtime has, for the listener with this place. */
  acceptStream(listener: number, stream: StreamPort): StreamHandlers
  /** Of every listener with TLS, for handshakes from now on. @throws TransportError BAD_OPTION */
  replaceCertificate(pair: CertificatePair): void
  /** Accepts no more, terminates every SA, and closes the sockets. */
  close(options?: { readonly graceMilliseconds?: number }): Promise<void>
}

/**
 * Throws `TransportError` or `UdpError` where a listener cannot be bound, `HostError` where the congestion control or the CPU cannot be had,
 * and leaves nothing open then.
 */
export function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { sessionConfig, credentials } = options
  const config = credentials ? { ...sessionConfig, createEapMachine: eapMachines(credentials.eap) } : sessionConfig
  return startRuntimeWith(new SessionManager(config, options.random ?? nodeRandom, createPacketMemory), options)
}

/** The same around any core. */
export async function startRuntimeWith(core: DrivenCore, options: Omit<RuntimeOptions, 'sessionConfig'>): Promise<Runtime> {
  const { tun, listeners, sharing, tcpTuning, cpu } = options
  if (tcpTuning?.congestionControl !== undefined) checkCongestionControl(tcpTuning.congestionControl)
  const leaveCpu = cpu === undefined ? undefined : await stayOnCpu(cpu)
  const tcp: Listener[] = []
  let udp: UdpSockets | undefined
  const driver = new Driver(core, {
    clock: nodeClock(),
    ...(tun === undefined ? {} : { tun }),
    connect: connectTcp(options.connectTimeoutMilliseconds ?? 10_000, tcpTuning, options.carriers),
    // The driver sends nothing before start(), when the sockets are there.
    datagrams: {
      send: (local, remote, message, bytes) => udp?.send(local, remote, message, bytes),
      sendBatch: (local, remote, batch) => udp?.sendBatch(local, remote, batch),
    },
    crypto: cryptoPort(options.random, options.credentials),
    ...(options.unmatched && { unmatched: options.unmatched }),
  })
  if (options.onFailure !== undefined) driver.onFailure((failure) => options.onFailure?.(failure))
  const onError = (error: Error): void => options.onSocketError?.(error)
  const onAcceptError = (error: Error): void => {
    // What strangers cannot do is no failure of ours.
    if (isOfStrangers(error)) options.onStranger?.(error)
    else driver.acceptFailed(error)
    onError(error)
  }
  const closeListeners = (): Promise<unknown> => Promise.all(tcp.map((listener) => listener.close()))
  try {
    const receivers: UdpReceivers = {
      onDatagram: (local, remote, message, bytes) => driver.datagramReceived(local, remote, message, bytes),
      onEspBatch: (local, remote, batch) => driver.espDatagramsReceived(local, remote, batch),
      onError(local, error) {
        driver.datagramFailed(local, error)
        onError(error)
      },
    }
    udp = await openUdpSockets(listeners.udp, receivers, sharing?.udp)
    for (const [i, config] of withoutShadowed(listeners.tcp).entries()) {
      const shared = sharing && {
        reusePort: true,
        firstLook: sharing.firstLook(i, config.framing),
        streamLook: sharing.streamLook(i, config.framing),
      }
      const onConnection = driver.acceptConnection.bind(driver)
      tcp.push(await listenTcp(config, onConnection, onAcceptError, shared, tcpTuning))
    }
  } catch (error) {
    await Promise.all([driver.stop(), closeListeners(), udp?.close()])
    leaveCpu?.()
    throw error
  }
  driver.start()
  return {
    driver,
    listening: { tcp: tcp.map((listener) => plainEndpoint(listener.local)), udp: udp.listening },
    networkChanged(network) {
      udp?.networkChanged()
      driver.networkChanged(network)
    },
    adopt: (listener, descriptor, origin) => tcp[listener]?.adopt?.(descriptor, origin),
    acceptStream: (listener, stream) => driver.acceptConnection(stream, withoutShadowed(listeners.tcp)[listener]!.framing),
    replaceCertificate(pair) {
      for (const listener of tcp) listener.replaceCertificate?.(pair)
    },
    async close(closing = {}) {
      // A listener is closed once its connections are, which is the driver's doing.
      const listenersClosed = closeListeners()
      await driver.stop(closing)
      await Promise.all([listenersClosed, udp?.close()])
      leaveCpu?.()
    },
  }
}

function isOfStrangers(error: Error): error is TransportError {
  return error instanceof TransportError && (error.code === 'TLS_HANDSHAKE' || error.code === 'PROXY_HEADER')
}

/** '::' takes IPv4 connections too, so that '0.0.0.0' beside it on the same port would find the port taken. */
export function withoutShadowed(listeners: readonly TcpListenerConfig[]): TcpListenerConfig[] {
  const isEverywhere = (address: string | undefined): boolean => address === undefined || address === '::'
  return listeners.filter(
    ({ address, port }) =>
      address !== '0.0.0.0' || port === 0 || !listeners.some((other) => other.port === port && isEverywhere(other.address)),
  )
}
