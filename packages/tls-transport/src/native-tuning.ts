// Room: the wire. Socket options that node:net has no calls for: on native sockets, and by their descriptors on the runtime's too.
import { readdirSync, readlinkSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Endpoint } from './byte-stream.ts'
import { type NativeSockets, nativeSockets } from './native-sockets.ts'
import type { SocketOptions } from './socket-stream.ts'

/** What the packets of a whole connection look like, and what the kernel holds of it. */
export interface SocketTuning {
  /** TCP_CONGESTION: 'cubic', 'bbr', … Default: the system's. */
  readonly congestionControl?: string
  /** SO_SNDBUF in octets, as far as the system grants it, and no longer its own to tune. Default: the system's. */
  readonly sendBuffer?: number
  /** SO_RCVBUF likewise. */
  readonly receiveBuffer?: number
  /** DSCP of every packet of the connection, 0 … 63 (RFC 2474). Default: the system's, 0. */
  readonly dscp?: number
  /**
   * IPv6's flow label, 0 … 0xFFFFF, which does not change while the connection lives (RFC 9329 §6.1). Those that native sockets dial have it;
   * all others have 0, no label, which does not change either. Default: one that the kernel makes for each connection.
   */
  readonly flowLabel?: number
}

/** All options of a connection that native sockets make, or of a listener of theirs. @throws NativeError where the kernel refuses one */
export function setOptions(sockets: NativeSockets, fd: number, options: SocketOptions): void {
  const { calls, tcpOption } = sockets
  if (options.noDelay ?? true) calls.setOption(fd, tcpOption.NODELAY, 1)
  if (typeof options.notSentLowWater === 'number') calls.setOption(fd, tcpOption.NOTSENT_LOWAT, options.notSentLowWater)
  tune(sockets, fd, options)
  if (options.keepAlive === undefined || options.keepAlive === false) return
  calls.setOption(fd, tcpOption.KEEPALIVE, 1)
  if (typeof options.keepAlive === 'number') calls.setOption(fd, tcpOption.KEEPIDLE, Math.max(1, Math.round(options.keepAlive / 1000)))
}

/** Of a connection, or of a listener, from which the sockets that it accepts inherit them. @throws NativeError where the kernel refuses one */
export function tune({ calls }: NativeSockets, fd: number, options: SocketTuning): void {
  if (options.congestionControl !== undefined) calls.setCongestionControl(fd, options.congestionControl)
  if (options.sendBuffer !== undefined) calls.setBuffer(fd, 'send', options.sendBuffer)
  if (options.receiveBuffer !== undefined) calls.setBuffer(fd, 'receive', options.receiveBuffer)
  if (options.dscp !== undefined) calls.setDscp(fd, options.dscp)
  if (options.flowLabel !== undefined) calls.clearFlowLabel(fd)
}

/** On a socket that the runtime made, TLS's for one, as soon as it is connected. Its first packets have gone without. */
export function tuneRuntimeSocket(
  socket: Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>,
  options: SocketTuning,
): void {
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = socket
  const local = { address: localAddress, port: localPort }
  const remote = { address: remoteAddress, port: remotePort }
  tuneOne(options, ({ calls }, fd) => isSame(calls.localAddress(fd), local) && isSame(calls.remoteAddress(fd), remote))
}

/** On a listener that the runtime made. */
export function tuneRuntimeListener(at: Endpoint, options: SocketTuning): void {
  tuneOne(options, ({ calls }, fd) => isSame(calls.localAddress(fd), at) && calls.option(fd, SO_ACCEPTCONN) === 1)
}

/** Why the options cannot be set here: `native` sockets' own need those, the runtime's need a look at the descriptors. */
export function untunable(kind: 'native' | 'runtime'): string | undefined {
  const sockets = nativeSockets()
  if ('reason' in sockets) return sockets.reason
  return kind === 'native' || descriptors() !== undefined ? undefined : `there is no ${DESCRIPTORS}`
}

function tuneOne(options: SocketTuning, isIt: (sockets: NativeSockets, fd: number) => boolean): void {
  if (TUNING.every((key) => options[key] === undefined)) return
  const sockets = nativeSockets()
  if ('reason' in sockets) return
  const fd = descriptors()?.find((each) => isSocket(each) && attempt(() => isIt(sockets, each)) === true)
  if (fd !== undefined) tune(sockets, fd, options)
}

const TUNING = ['congestionControl', 'sendBuffer', 'receiveBuffer', 'dscp', 'flowLabel'] as const satisfies readonly (keyof SocketTuning)[]
const DESCRIPTORS = '/proc/self/fd'
const SO_ACCEPTCONN = [1, 30] as const

function descriptors(): number[] | undefined {
  return attempt(() => readdirSync(DESCRIPTORS).map(Number))
}

function isSocket(fd: number): boolean {
  return attempt(() => readlinkSync(`${DESCRIPTORS}/${fd}`))?.startsWith('socket:') === true
}

/** However either side spells an IPv4 peer of an IPv6 socket, or a zone. */
function isSame(one: Endpoint, other: Endpoint): boolean {
  return one.port === other.port && plain(one.address) === plain(other.address)
}

function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
}

/** A descriptor may be closed, or not of the internet, by the time it is asked. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
