/** Addresses, prefixes and ranges as text and as numbers, for routes. Nothing here is on the data path. */
import { formatAddress, parseAddress } from '@underpass/session-manager'

export type IpFamily = 4 | 6

export interface IpAddress {
  readonly family: IpFamily
  readonly value: bigint
}

export interface IpPrefix extends IpAddress {
  readonly length: number
}

export interface IpRange {
  readonly family: IpFamily
  readonly first: bigint
  readonly last: bigint
}

/** `undefined` where the text is no address literal; zones ('%eth0') are refused. */
export function parseIp(text: string): IpAddress | undefined {
  const octets = parseAddress(text)
  return octets && { family: octets.length === 4 ? 4 : 6, value: octets.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n) }
}

/** IPv6 as RFC 5952 writes it. */
export function formatIp({ family, value }: IpAddress): string {
  const length = bitsOf(family) / 8
  return formatAddress(Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * (length - 1 - i))) & 0xffn)))
}

/** 'address/length', or an address for a prefix of that one. Host bits are kept: '10.99.0.1/24' is an interface address too. */
export function parseIpPrefix(text: string): IpPrefix | undefined {
  const [address = '', length, ...more] = text.trim().split('/')
  const ip = parseIp(address)
  if (!ip || more.length > 0) return undefined
  if (length === undefined) return { ...ip, length: bitsOf(ip.family) }
  return /^\d{1,3}$/.test(length) && Number(length) <= bitsOf(ip.family) ? { ...ip, length: Number(length) } : undefined
}

export function formatIpPrefix(prefix: IpPrefix): string {
  return `${formatIp(prefix)}/${prefix.length}`
}

/** 'address/length', 'first-last' or one address. */
export function parseIpRange(text: string): IpRange | undefined {
  const [from = '', to, ...more] = text.split('-')
  if (to === undefined) {
    const prefix = parseIpPrefix(text)
    return prefix && rangeOf(prefix)
  }
  const first = parseIp(from.trim())
  const last = parseIp(to.trim())
  if (!first || !last || more.length > 0 || first.family !== last.family || first.value > last.value) return undefined
  return { family: first.family, first: first.value, last: last.value }
}

/** The fewest prefixes that cover exactly the range, lowest first. */
export function prefixesOf(range: IpRange): IpPrefix[] {
  const bits = bitsOf(range.family)
  const prefixes: IpPrefix[] = []
  for (let value = range.first; value <= range.last; ) {
    let length = bits
    while (length > 0 && isAligned(value, bits - length + 1) && value + (1n << BigInt(bits - length + 1)) - 1n <= range.last) length--
    prefixes.push({ family: range.family, value, length })
    value += 1n << BigInt(bits - length)
  }
  return prefixes
}

/** Whether all of `range` is in the others together. */
export function isCovered(range: IpRange, others: readonly IpRange[]): boolean {
  let next = range.first
  const inOrder = others.filter(({ family }) => family === range.family).sort((a, b) => (a.first < b.first ? -1 : 1))
  for (const { first, last } of inOrder) if (first <= next && last >= next) next = last + 1n
  return next > range.last
}

export function contains(prefix: IpPrefix, address: IpAddress): boolean {
  const { family, first, last } = rangeOf(prefix)
  return family === address.family && address.value >= first && address.value <= last
}

export function bitsOf(family: IpFamily): number {
  return family === 4 ? 32 : 128
}

function rangeOf({ family, value, length }: IpPrefix): IpRange {
  const host = (1n << BigInt(bitsOf(family) - length)) - 1n
  return { family, first: value & ~host, last: value | host }
}

function isAligned(value: bigint, zeroBits: number): boolean {
  return (value & ((1n << BigInt(zeroBits)) - 1n)) === 0n
}
