// Room: the wire. One socket is one local port; the owner opens 500 and 4500.
import { isIP } from 'node:net'
import type { Datagram } from './datagram.ts'
import { openDgramSocket } from './dgram-socket.ts'
import type { Endpoint, PacketBatch } from './endpoint.ts'
import type { ReusePortGroup } from './reuse-port-group.ts'
import { UdpError } from './udp-error.ts'

export interface UdpOptions {
  /** IP literal to bind; default all addresses of the family. */
  readonly address?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Default: the family of `address`, else 4. A socket for IPv6 carries no IPv4, so both can share a port. */
  readonly family?: 4 | 6
  /** SO_RCVBUF in octets, as far as the system grants it. Default 4 MiB. */
  readonly receiveBuffer?: number
  /** SO_SNDBUF in octets, as far as the system grants it. Default 4 MiB. */
  readonly sendBuffer?: number
  /** DSCP of every datagram, 0 … 63 (RFC 2474). Native sockets only. Default: the system's, 0. */
  readonly dscp?: number
  /** Octets that may wait for the kernel; beyond that ESP is dropped and counted, IKE never. Default 4 MiB. */
  readonly sendLimit?: number
  /** One of several sockets on this port. Native sockets only: without them this one gets everything, and a second finds the port taken. */
  readonly group?: ReusePortGroup
  /** Default `native`, and `dgram` where that cannot be had; see {@link UdpSocket.kind}. */
  readonly kind?: UdpSocketKind
  /** `message` belongs to the receiver. `remote` is the same object for consecutive datagrams from one peer. */
  onDatagram(message: Uint8Array, kind: Datagram, remote: Endpoint, local: Endpoint): void
  /**
   * Consecutive ESP packets from one peer, in order with what `onDatagram` gets. Lent for the call, and may be written to. Without it
   * `onDatagram` gets each.
   */
  onEspBatch?(batch: PacketBatch, remote: Endpoint, local: Endpoint): void
  /** A hint, at most one a second for each code and remote: the socket goes on, and so do the SAs (RFC 7296 §2.4). */
  onError(error: UdpError): void
}

/** `native`: the system's calls through @underpass/native, many packets with each. `dgram`: node:dgram, one packet at a time. */
export type UdpSocketKind = 'native' | 'dgram'

export interface UdpCounters {
  /** Datagrams handed to `onDatagram`, and packets to `onEspBatch`. */
  received: number
  /** Datagrams too short to be anything, or cut off by the kernel: dropped. */
  malformed: number
  sent: number
  /** Not sent: the queue was full, or the destination impossible. */
  sendDrops: number
  /** Errors of the system, for a send or from ICMP. */
  errors: number
}

/** What the system granted, in octets as one asks for them (Linux doubles the number for its own use). undefined: it does not say. */
export interface UdpBuffers {
  readonly receive: number | undefined
  readonly send: number | undefined
}

export interface UdpSocket {
  readonly kind: UdpSocketKind
  /** Why `kind` is not `native`; undefined where it is, or where `dgram` was asked for. */
  readonly fallbackReason: string | undefined
  readonly local: Endpoint
  readonly buffers: UdpBuffers
  readonly counters: Readonly<UdpCounters>
  /** Adds the marker to IKE when neither port is 500. `message` may be used again at once; for 'keepalive' it is not looked at. */
  send(kind: Datagram, message: Uint8Array, remote: Endpoint): void
  /** ESP packets; the batch may be used again at once. */
  sendBatch(batch: PacketBatch, remote: Endpoint): void
  /** The address this host sends from toward `remote`: what NAT_DETECTION_SOURCE_IP needs. @throws UdpError */
  localAddressFor(remote: Endpoint): Promise<string>
  close(): Promise<void>
}

/** Where to bind, checked. */
export interface BindAddress {
  readonly address: string
  readonly port: number
  readonly family: 4 | 6
}

/** @throws UdpError 'ADDRESS_IN_USE', 'PERMISSION_DENIED', 'ADDRESS_NOT_AVAILABLE', 'BAD_ADDRESS', 'SOCKET_ERROR' */
export async function openUdp(options: UdpOptions): Promise<UdpSocket> {
  const literal = options.address === undefined ? undefined : isIP(options.address)
  const family = options.family ?? (literal === 6 ? 6 : 4)
  const address = options.address ?? (family === 6 ? '::' : '0.0.0.0')
  const port = options.port ?? 0
  if (literal !== undefined && literal !== family) {
    throw new UdpError('BAD_ADDRESS', `${address} is not an IPv${family} address`, { address, port })
  }
  const where: BindAddress = { address, port, family }
  if (options.kind === 'dgram') return await openDgramSocket(where, options, undefined)
  let native: typeof import('./native-socket.ts')
  try {
    // Where the optional dependency is missing, this fails.
    native = await import('./native-socket.ts')
    native.checkAvailable()
  } catch (error) {
    return await openDgramSocket(where, options, error instanceof Error ? error.message : String(error))
  }
  return native.openNativeSocket(where, options)
}
