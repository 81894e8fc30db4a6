// The kernel's main routing table as /proc/net/route and /proc/net/ipv6_route print it.

export interface Route {
  readonly device: string
  readonly destination: Uint8Array
  readonly prefixLength: number
  /** undefined: on the link. */
  readonly gateway: Uint8Array | undefined
  readonly metric: number
}

/** RTF_UP and RTF_REJECT of linux/route.h. */
const UP = 0x0001
const REJECT = 0x0200

/** Longest prefix first, then the lowest metric. */
export function chooseRoute(routes: readonly Route[], destination: Uint8Array): Route | undefined {
  let best: Route | undefined
  for (const route of routes) {
    if (!matches(route, destination)) continue
    if (best === undefined || route.prefixLength > best.prefixLength) best = route
    else if (route.prefixLength === best.prefixLength && route.metric < best.metric) best = route
  }
  return best
}

/** Columns: Iface Destination Gateway Flags RefCnt Use Metric Mask …; addresses are hexadecimal in host order, read here as little-endian. */
export function parseIpv4Routes(text: string): Route[] {
  const routes: Route[] = []
  for (const line of text.split('\n').slice(1)) {
    const [device, destination, gateway, flags, , , metric, mask] = line.trim().split(/\s+/)
    if (mask === undefined || !isUsable(flags)) continue
    const gatewayOctets = hexOctets(gateway).reverse()
    routes.push({
      device,
      destination: hexOctets(destination).reverse(),
      prefixLength: hexOctets(mask).reduce((bits, octet) => bits + octet.toString(2).replaceAll('0', '').length, 0),
      gateway: gatewayOctets.some((octet) => octet !== 0) ? gatewayOctets : undefined,
      metric: Number(metric),
    })
  }
  return routes
}

/** Columns: destination, its length, source, its length, next hop, metric, references, use, flags, device; all hexadecimal. */
export function parseIpv6Routes(text: string): Route[] {
  const routes: Route[] = []
  for (const line of text.split('\n')) {
    const [destination, prefixLength, , , gateway, metric, , , flags, device] = line.trim().split(/\s+/)
    if (device === undefined || !isUsable(flags)) continue
    const gatewayOctets = hexOctets(gateway)
    routes.push({
      device,
      destination: hexOctets(destination),
      prefixLength: Number.parseInt(prefixLength, 16),
      gateway: gatewayOctets.some((octet) => octet !== 0) ? gatewayOctets : undefined,
      metric: Number.parseInt(metric, 16),
    })
  }
  return routes
}

/** 4 or 16 octets of an IP literal; a zone is ignored. */
export function addressOctets(address: string): Uint8Array {
  const [literal] = address.split('%')
  if (!literal.includes(':')) return Uint8Array.from(literal.split('.'), Number)
  const embedded = literal.lastIndexOf('.') < 0 ? literal : embedIpv4(literal)
  const [head, tail] = embedded.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const words = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right].map((word) => Number.parseInt(word, 16))
  return Uint8Array.from(words.flatMap((word) => [word >>> 8, word & 0xff]))
}

function embedIpv4(literal: string): string {
  const at = literal.lastIndexOf(':') + 1
  const [a, b, c, d] = literal.slice(at).split('.').map(Number)
  return `${literal.slice(0, at)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
}

function matches(route: Route, destination: Uint8Array): boolean {
  for (let bit = 0; bit < route.prefixLength; bit += 8) {
    const octet = bit >> 3
    const mask = route.prefixLength - bit >= 8 ? 0xff : (0xff00 >> (route.prefixLength - bit)) & 0xff
    if ((route.destination[octet] & mask) !== (destination[octet] & mask)) return false
  }
  return true
}

function isUsable(flags: string): boolean {
  const value = Number.parseInt(flags, 16)
  return (value & UP) !== 0 && (value & REJECT) === 0
}

function hexOctets(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
