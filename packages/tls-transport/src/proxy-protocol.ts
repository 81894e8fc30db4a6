/**
 * The header that a proxy in front of a listener puts before the stream, so that it is known whom the stream is from: the PROXY protocol,
 * version 1 (text) and 2 (binary), as haproxy and stunnel send it. A function of the octets alone.
 */
import { isIP, isIPv6 } from 'node:net'
import type { Endpoint } from './byte-stream.ts'

export type ProxyHeader =
  /** `needs`: how many octets from the start must be there, at least, to say more. */
  | { readonly kind: 'more'; readonly needs: number }
  /** `length`: octets of the header, after which the stream begins. No `origin`: the proxy speaks for itself, or does not know for whom. */
  | { readonly kind: 'header'; readonly length: number; readonly origin?: Origin }
  | { readonly kind: 'malformed'; readonly reason: string }

/** The two ends of the connection that a proxy relays. */
export interface Origin {
  readonly local: Endpoint
  readonly remote: Endpoint
}

/** The longest header that is taken: what a proxy adds to a version 2 header (TLVs) is skipped, within reason. */
export const LONGEST_PROXY_HEADER = 2_048

/** `start`: the first octets of the connection, as many as have come. */
export function parseProxyHeader(start: Uint8Array): ProxyHeader {
  if (start.length === 0) return { kind: 'more', needs: 1 }
  return start[0] === SIGNATURE[0] ? parseBinary(start) : parseText(start)
}

/* Version 2:
 *   12 octets  signature
 *    1         version (4 bits, 2), command (4 bits): 0 LOCAL, 1 PROXY
 *    1         address family (4 bits): 0 unspecified, 1 IPv4, 2 IPv6, 3 UNIX; protocol (4 bits): 0 unspecified, 1 STREAM, 2 DGRAM
 *    2         length of what follows: source address, destination address, source port, destination port, TLVs  */
const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a)
const VERSION_AND_COMMAND = 12
const FAMILY_AND_PROTOCOL = 13
const LENGTH = 14
const ADDRESSES = 16

function parseBinary(start: Uint8Array): ProxyHeader {
  for (let i = 0; i < Math.min(start.length, SIGNATURE.length); i++)
    if (start[i] !== SIGNATURE[i]) return malformed(`octet ${i} is not of the signature`)
  if (start.length < ADDRESSES) return { kind: 'more', needs: ADDRESSES }
  const [version, command] = [start[VERSION_AND_COMMAND]! >> 4, start[VERSION_AND_COMMAND]! & 0xf]
  if (version !== 2) return malformed(`version ${version}`)
  if (command > 1) return malformed(`command ${command}`)
  const octets = (start[LENGTH]! << 8) | start[LENGTH + 1]!
  const length = ADDRESSES + octets
  if (length > LONGEST_PROXY_HEADER) return malformed(`${length} octets, more than ${LONGEST_PROXY_HEADER}`)
  if (start.length < length) return { kind: 'more', needs: length }
  const family = start[FAMILY_AND_PROTOCOL]!
  // What a LOCAL header says of addresses is to be skipped.
  if (command === 0 || family === 0x00) return { kind: 'header', length }
  if (family !== 0x11 && family !== 0x21) return malformed(`family and protocol 0x${family.toString(16).padStart(2, '0')} are not TCP's`)
  const width = family === 0x11 ? 4 : 16
  if (octets < 2 * width + 4) return malformed(`${octets} octets of addresses where there must be ${2 * width + 4}`)
  const end = (address: number, port: number): Endpoint => ({
    address: textOf(start.subarray(address, address + width)),
    port: (start[port]! << 8) | start[port + 1]!,
  })
  const ports = ADDRESSES + 2 * width
  return { kind: 'header', length, origin: { remote: end(ADDRESSES, ports), local: end(ADDRESSES + width, ports + 2) } }
}

/* Version 1: "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "PROXY TCP6 …", "PROXY UNKNOWN…\r\n". */
const BEGINNING = 'PROXY '
const LONGEST_TEXT = 107
const SHORTEST_TEXT = 'PROXY UNKNOWN\r\n'.length

function parseText(start: Uint8Array): ProxyHeader {
  for (let i = 0; i < Math.min(start.length, BEGINNING.length); i++)
    if (start[i] !== BEGINNING.charCodeAt(i)) return malformed(`octet ${i} is of no PROXY header`)
  const end = start.indexOf(0x0d)
  if (end === -1 || end === start.length - 1) {
    if (start.length >= LONGEST_TEXT) return malformed(`no end of line within ${LONGEST_TEXT} octets`)
    return { kind: 'more', needs: Math.max(start.length + 1, SHORTEST_TEXT) }
  }
  const length = end + 2
  if (start[end + 1] !== 0x0a || length > LONGEST_TEXT) return malformed('its line does not end as it must')
  const [protocol = '', ...fields] = String.fromCharCode(...start.subarray(BEGINNING.length, end)).split(' ')
  if (protocol === 'UNKNOWN') return { kind: 'header', length }
  const family = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 6 : 0
  if (family === 0) return malformed('its protocol is none of TCP4, TCP6 and UNKNOWN')
  const [source = '', destination = '', sourcePort = '', destinationPort = ''] = fields
  if (fields.length !== 4) return malformed(`${fields.length} fields where there must be 4`)
  if (!isAddress(source, family) || !isAddress(destination, family)) return malformed(`an address that is not of ${protocol}`)
  if (!isPort(sourcePort) || !isPort(destinationPort)) return malformed('a port that is none')
  const at = (address: string, port: string): Endpoint => ({ address: plain(address), port: Number(port) })
  return { kind: 'header', length, origin: { remote: at(source, sourcePort), local: at(destination, destinationPort) } }
}

function isAddress(text: string, family: 4 | 6): boolean {
  return isIP(text) === family && !text.includes('%')
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535
}

function textOf(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => (((octets[2 * i]! << 8) | octets[2 * i + 1]!) >>> 0).toString(16))
  return plain(groups.join(':'))
}

/** As sockets spell it (RFC 5952), and IPv4 never inside IPv6. */
function plain(address: string): string {
  if (!isIPv6(address)) return address
  const spelled = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(spelled)
  if (mapped === null) return spelled
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)]
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}

function malformed(reason: string): ProxyHeader {
  return { kind: 'malformed', reason }
}
