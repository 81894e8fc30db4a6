import { describeEndpoint, type Endpoint } from './endpoint.ts'

export type UdpErrorCode =
  /** Another socket has that address and port. */
  | 'ADDRESS_IN_USE'
  /** A port below 1024 without the right to it, or a firewall rule of this host that forbids the packet. */
  | 'PERMISSION_DENIED'
  /** No interface of this host has that address. */
  | 'ADDRESS_NOT_AVAILABLE'
  /** Not an IP literal, or one of the other family. */
  | 'BAD_ADDRESS'
  /** ICMP port unreachable. Anyone can forge it: a hint, never a proof of death (RFC 7296 §2.4). */
  | 'REFUSED'
  /** No route, or ICMP host or network unreachable. A hint, as above. */
  | 'UNREACHABLE'
  /** Larger than a datagram or, with DF, than the path. */
  | 'MESSAGE_TOO_LONG'
  | 'SOCKET_ERROR'

export interface UdpErrorContext {
  readonly address?: string
  readonly port?: number
  /** What the runtime called it: 'EADDRINUSE', … */
  readonly systemCode?: string
}

/** From `openUdp` it means that there is no socket; from `onError` the socket goes on. */
export class UdpError extends Error {
  override readonly name = 'UdpError'
  readonly code: UdpErrorCode
  readonly context: UdpErrorContext

  constructor(code: UdpErrorCode, message: string, context: UdpErrorContext = {}) {
    super(message)
    this.code = code
    this.context = context
  }
}

/** Why a port could not be opened. */
export function bindError(cause: unknown, address: string, port: number): UdpError {
  const systemCode = systemCodeOf(cause)
  const code = CODES[systemCode] ?? 'SOCKET_ERROR'
  return new UdpError(code, bindText(code, describeEndpoint({ address, port }), port, cause), { address, port, systemCode })
}

/** Why a packet did not leave, or what an ICMP error said about an earlier one. `remote`: where it was to go, where that is known. */
export function sendError(cause: unknown, remote: Endpoint | undefined = undefined): UdpError {
  const systemCode = systemCodeOf(cause)
  return new UdpError(CODES[systemCode] ?? 'SOCKET_ERROR', textOf(cause), { ...remote, systemCode })
}

export function badAddress(remote: Endpoint, family: 4 | 6): UdpError {
  return new UdpError('BAD_ADDRESS', `${remote.address} is not an IPv${family} address`, { address: remote.address, port: remote.port })
}

export function badPort({ address, port }: Endpoint): UdpError {
  return new UdpError('BAD_ADDRESS', `nothing can be sent to port ${port} of ${address}`, { address, port })
}

export function noEspFrom500({ address, port }: Endpoint): UdpError {
  return new UdpError('BAD_ADDRESS', 'ESP MUST NOT be sent from port 500 (RFC 7296 §2.23)', { address, port })
}

export function tooLong(octets: number, { address, port }: Endpoint): UdpError {
  return new UdpError('MESSAGE_TOO_LONG', `${octets} octets are more than a datagram holds`, { address, port })
}

const CODES: Readonly<Record<string, UdpErrorCode>> = {
  EADDRINUSE: 'ADDRESS_IN_USE',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  EADDRNOTAVAIL: 'ADDRESS_NOT_AVAILABLE',
  EINVAL: 'BAD_ADDRESS',
  EAFNOSUPPORT: 'BAD_ADDRESS',
  ECONNREFUSED: 'REFUSED',
  EHOSTUNREACH: 'UNREACHABLE',
  ENETUNREACH: 'UNREACHABLE',
  EHOSTDOWN: 'UNREACHABLE',
  ENETDOWN: 'UNREACHABLE',
  EMSGSIZE: 'MESSAGE_TOO_LONG',
}

function bindText(code: UdpErrorCode, where: string, port: number, cause: unknown): string {
  switch (code) {
    case 'PERMISSION_DENIED':
      return `port ${port} needs root or CAP_NET_BIND_SERVICE; without them open a port above 1023, such as 4500 (${where})`
    case 'ADDRESS_IN_USE':
      return `UDP ${where} is in use; another IKE daemon may be running (see: ss -lunp 'sport = ${port}')`
    case 'ADDRESS_NOT_AVAILABLE':
      return `no interface of this host has the address of UDP ${where}`
    default:
      return `UDP ${where} cannot be opened: ${textOf(cause)}`
  }
}

function systemCodeOf(cause: unknown): string {
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'UNKNOWN'
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
