/** What travels through the virtual internet: IP packets, as their headers say it, and what stands in their way. */
import type { DatagramKind, Endpoint } from '../../src/index.ts'

export interface IpPacket {
  readonly source: Endpoint
  readonly destination: Endpoint
  readonly body: Datagram | Segment | IcmpError
}

/** UDP. `kind` is what the Non-ESP marker says to all who can look (RFC 3948 §2). */
export interface Datagram {
  readonly protocol: 'udp'
  readonly kind: DatagramKind
  readonly bytes: Uint8Array
}

/** TCP (RFC 9293 §3.1). Sequence numbers do not wrap here. */
export interface Segment {
  readonly protocol: 'tcp'
  readonly seq: number
  /** `undefined`: without ACK. */
  readonly ack: number | undefined
  readonly flag: 'syn' | 'fin' | 'rst' | 'none'
  readonly bytes: Uint8Array
}

/** RFC 792. The ports are those of the packet that it is about. */
export interface IcmpError {
  readonly protocol: 'icmp'
  readonly type: 'port unreachable' | 'administratively prohibited' | 'too big'
  /** Of 'too big'. */
  readonly mtu?: number
  readonly about: IpPacket
}

/** From a host to the middle of the internet, or from there to the host. */
export type Direction = 'out' | 'in'

export interface Relay {
  /** On the way that the packet goes. */
  forward(packet: IpPacket): void
  /** To where it came from. */
  back(packet: IpPacket): void
}

/** One of what is between a host and the middle: a link, a NAT, a firewall, a captive portal. */
export interface Hop {
  take(packet: IpPacket, direction: Direction, relay: Relay): void
  /** The address that the rest of the world sees, of a hop that hides those behind it. */
  readonly external?: string
}

/** The part of `Network` that hops need. */
export interface Clock {
  readonly now: number
  later(delay: number, run: () => void): void
}

export function lengthOf({ body }: IpPacket): number {
  if (body.protocol === 'icmp') return 56
  return body.protocol === 'udp' ? 28 + body.bytes.length : 40 + body.bytes.length
}

/** A RST that who gets it takes for the other end's (RFC 9293 §3.10.7.4): its number is the next that is waited for. */
export function rstFor(source: Endpoint, destination: Endpoint, seq: number, ack?: number): IpPacket {
  return { source, destination, body: { protocol: 'tcp', seq, ack, flag: 'rst', bytes: NOTHING } }
}

/** To the source of `about`. */
export function icmpFor(about: IpPacket, type: IcmpError['type'], mtu?: number): IpPacket {
  const body = { protocol: 'icmp', type, about, ...(mtu === undefined ? {} : { mtu }) } as const
  return { source: about.destination, destination: about.source, body }
}

/** Of the sequence numbers that the segment takes. */
export function spanOf({ flag, bytes }: Segment): number {
  return bytes.length + (flag === 'syn' || flag === 'fin' ? 1 : 0)
}

export function textOf({ address, port }: Endpoint): string {
  return `${address} ${port}`
}

export const NOTHING: Uint8Array = new Uint8Array(0)
