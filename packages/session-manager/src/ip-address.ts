/** IP addresses as text and as octets (4 or 16), and the ranges that traffic selectors and pools are made of. */

import type { Endpoint } from './contract.ts'

export interface AddressRange {
  readonly start: Uint8Array
  readonly end: Uint8Array
}

/** Octets of an address literal; `undefined` when the text is not one. IPv6 zones are not accepted: they mean nothing to a peer. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** RFC 5952 form for IPv6. */
export function formatAddress(octets: Uint8Array): string {
  return octets.length === 4 ? octets.join('.') : formatIpv6(octets)
}

/** '192.0.2.1:443', '[2001:db8::1]:443'. */
export function describeEndpoint({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** What the limits per address count as one: an IPv6 host has a whole /64 to send from (RFC 4291 §2.5.4). For keys, not for people. */
export function limitedAs(address: string): string {
  const octets = address.includes(':') ? parseIpv6(address) : undefined
  return octets === undefined ? address : `${octets.subarray(0, 8).join('.')}/64`
}

/** 'A/len', 'A-B' or 'A' as the range it covers; `undefined` when it is none of them. */
export function parseRange(text: string): AddressRange | undefined {
  const dash = text.indexOf('-')
  if (dash > 0) {
    const start = parseAddress(text.slice(0, dash).trim())
    const end = parseAddress(text.slice(dash + 1).trim())
    return start && end && start.length === end.length && compareAddresses(start, end) <= 0 ? { start, end } : undefined
  }
  const slash = text.indexOf('/')
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (!address) return undefined
  const bits = address.length * 8
  const suffix = slash < 0 ? String(bits) : text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(suffix)) return undefined
  const prefixLength = Number(suffix)
  return prefixLength <= bits ? rangeOfPrefix(address, prefixLength) : undefined
}

/** 'A/len' where the range is one prefix, 'A-B' where it is not. */
export function formatRange(range: AddressRange): string {
  const prefixLength = prefixLengthOf(range)
  return prefixLength === undefined
    ? `${formatAddress(range.start)}-${formatAddress(range.end)}`
    : `${formatAddress(range.start)}/${prefixLength}`
}

/** The prefix length of a range that is exactly one prefix, else `undefined`. */
export function prefixLengthOf(range: AddressRange): number | undefined {
  const bits = range.start.length * 8
  for (let length = 0; length <= bits; length++) {
    const prefix = rangeOfPrefix(range.start, length)
    if (compareAddresses(prefix.start, range.start) === 0 && compareAddresses(prefix.end, range.end) === 0) return length
  }
  return undefined
}

/** Negative, zero or positive, as for sort; both of one family. */
export function compareAddresses(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return 0
}

function rangeOfPrefix(address: Uint8Array, prefixLength: number): AddressRange {
  const start = address.slice()
  const end = address.slice()
  for (let i = 0; i < address.length; i++) {
    const kept = Math.min(8, Math.max(0, prefixLength - i * 8))
    const hostMask = 0xff >> kept
    start[i] = start[i]! & ~hostMask
    end[i] = end[i]! | hostMask
  }
  return { start, end }
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined
  return Uint8Array.from(parts, Number)
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  // An embedded IPv4 address can only be at the end.
  if (halves.length === 2 && halves[0]!.includes('.')) return undefined
  const head = parseGroups(halves[0]!)
  const tail = halves.length === 2 ? parseGroups(halves[1]!) : []
  if (!head || !tail) return undefined
  const missing = 16 - head.length - tail.length
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined
  return Uint8Array.from([...head, ...new Array<number>(missing).fill(0), ...tail])
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return []
  const octets: number[] = []
  const groups = text.split(':')
  for (const [index, group] of groups.entries()) {
    if (index === groups.length - 1 && group.includes('.')) {
      const embedded = parseIpv4(group)
      if (!embedded) return undefined
      octets.push(...embedded)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16)
      octets.push(value >> 8, value & 0xff)
    } else return undefined
  }
  return octets.length <= 16 ? octets : undefined
}

function formatIpv6(octets: Uint8Array): string {
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) groups.push((octets[i]! << 8) | octets[i + 1]!)
  let best = { at: -1, length: 1 }
  for (let at = 0; at < 8; at++) {
    let length = 0
    while (at + length < 8 && groups[at + length] === 0) length++
    if (length > best.length) best = { at, length }
  }
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':')
  return best.at < 0 ? hex(groups) : `${hex(groups.slice(0, best.at))}::${hex(groups.slice(best.at + best.length))}`
}
