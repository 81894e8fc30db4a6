/** The border where IPv4-mapped addresses (RFC 4291 §2.5.5.2) end: inside, '::ffff:192.0.2.1' is '192.0.2.1'. */
import { describeEndpoint as describeOne, type Endpoint } from '@underpass/session-manager'

/** Without the mapping, and without a zone, which the core does not know. */
export function plainAddress(address: string): string {
  if (!address.includes(':')) return address
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (dotted !== null) return dotted[1]!
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address)
  if (hex !== null) {
    const [high, low] = [Number.parseInt(hex[1]!, 16), Number.parseInt(hex[2]!, 16)]
    return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`
  }
  const zone = address.indexOf('%')
  return zone < 0 ? address : address.slice(0, zone)
}

/** The same object where nothing is to be done, which is nearly always. */
export function plainEndpoint(endpoint: Endpoint): Endpoint {
  const address = plainAddress(endpoint.address)
  return address === endpoint.address ? endpoint : { address, port: endpoint.port }
}

export function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4
}

export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}

/** '192.0.2.1:443', '[2001:db8::1]:443'. */
export function describeEndpoint(address: string, port: number): string {
  return describeOne({ address, port })
}
