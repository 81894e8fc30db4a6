/** Traffic selectors: from configuration, narrowed against a peer's (RFC 7296 §2.9), and as text. */
import { type AddressRangeSelector, isAddressRange, type TrafficSelector, TrafficSelectorType } from '@underpass/ike-codec'
import { type AddressRange, compareAddresses, formatRange, parseRange } from '../ip-address.ts'

/** A selector of addresses, protocol and ports; the other kinds that a peer may send are not negotiated. */
export type IpSelector = AddressRangeSelector

/** More than this many selectors in one answer help nobody. */
const MAX_SELECTORS = 64

/** Any protocol and any port of a range. */
export function selectorOfRange(range: AddressRange): IpSelector {
  const tsType = range.start.length === 4 ? TrafficSelectorType.TS_IPV4_ADDR_RANGE : TrafficSelectorType.TS_IPV6_ADDR_RANGE
  return { tsType, ipProtocol: 0, startPort: 0, endPort: 0xffff, startAddress: range.start, endAddress: range.end }
}

export function selectorsOfSubnets(subnets: readonly string[]): IpSelector[] {
  return subnets.flatMap((subnet) => {
    const range = parseRange(subnet)
    return range ? [selectorOfRange(range)] : []
  })
}

/** What of the peer's selectors our policy allows, in the peer's order, so that its first choice stays first (C-19). Empty: nothing fits. */
export function narrowTrafficSelectors(proposed: readonly TrafficSelector[], allowed: readonly IpSelector[]): IpSelector[] {
  const narrowed: IpSelector[] = []
  for (const selector of proposed.filter(isIpSelector).slice(0, MAX_SELECTORS)) {
    for (const policy of allowed) {
      const both = intersect(selector, policy)
      if (both && !narrowed.some((kept) => isWithin(both, kept)) && narrowed.length < MAX_SELECTORS) narrowed.push(both)
    }
  }
  return narrowed
}

/** Whether every selector lies within one of `outer`: what an initiator asks of an answer. */
export function areWithin(inner: readonly TrafficSelector[], outer: readonly IpSelector[]): boolean {
  return inner.length > 0 && inner.every((selector) => isIpSelector(selector) && outer.some((wide) => isWithin(selector, wide)))
}

function isIpSelector(selector: TrafficSelector): selector is IpSelector {
  if (!isAddressRange(selector) || compareAddresses(selector.startAddress, selector.endAddress) > 0) return false
  return selector.startPort <= selector.endPort || isOpaque(selector)
}

/** '10.8.0.0/24', with ' proto 6 port 80-90' behind it where it is narrower. */
export function describeSelector(selector: IpSelector): string {
  const range = formatRange({ start: selector.startAddress, end: selector.endAddress })
  const protocol = selector.ipProtocol === 0 ? '' : ` proto ${selector.ipProtocol}`
  if (selector.startPort === 0 && selector.endPort === 0xffff) return range + protocol
  return `${range}${protocol} port ${isOpaque(selector) ? 'opaque' : `${selector.startPort}-${selector.endPort}`}`
}

function intersect(a: IpSelector, b: IpSelector): IpSelector | undefined {
  if (a.tsType !== b.tsType || a.startAddress.length !== b.startAddress.length) return undefined
  if (a.ipProtocol !== 0 && b.ipProtocol !== 0 && a.ipProtocol !== b.ipProtocol) return undefined
  const startAddress = compareAddresses(a.startAddress, b.startAddress) >= 0 ? a.startAddress : b.startAddress
  const endAddress = compareAddresses(a.endAddress, b.endAddress) <= 0 ? a.endAddress : b.endAddress
  if (compareAddresses(startAddress, endAddress) > 0) return undefined
  const ports = intersectPorts(a, b)
  return (
    ports && {
      tsType: a.tsType,
      ipProtocol: a.ipProtocol === 0 ? b.ipProtocol : a.ipProtocol,
      ...ports,
      startAddress: startAddress.slice(),
      endAddress: endAddress.slice(),
    }
  )
}

/** RFC 7296 §3.13.1. */
function isOpaque(selector: IpSelector): boolean {
  return selector.startPort === 0xffff && selector.endPort === 0
}

/** OPAQUE meets itself and ANY. */
function intersectPorts(a: IpSelector, b: IpSelector): { startPort: number; endPort: number } | undefined {
  const isAny = (s: IpSelector): boolean => s.startPort === 0 && s.endPort === 0xffff
  if (isOpaque(a) || isOpaque(b))
    return (isOpaque(a) || isAny(a)) && (isOpaque(b) || isAny(b)) ? { startPort: 0xffff, endPort: 0 } : undefined
  const startPort = Math.max(a.startPort, b.startPort)
  const endPort = Math.min(a.endPort, b.endPort)
  return startPort <= endPort ? { startPort, endPort } : undefined
}

function isWithin(inner: IpSelector, outer: IpSelector): boolean {
  if (inner.tsType !== outer.tsType) return false
  if (outer.ipProtocol !== 0 && outer.ipProtocol !== inner.ipProtocol) return false
  const isAnyPort = outer.startPort === 0 && outer.endPort === 0xffff
  if (!isAnyPort && isOpaque(inner) !== isOpaque(outer)) return false
  if (!isAnyPort && (inner.startPort < outer.startPort || inner.endPort > outer.endPort)) return false
  return compareAddresses(inner.startAddress, outer.startAddress) >= 0 && compareAddresses(inner.endAddress, outer.endAddress) <= 0
}
