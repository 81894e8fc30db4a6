/**
 * What the Configuration payload tells beside addresses: the domains whose names are asked of the internal DNS servers (RFC 8598), the P-CSCFs of
 * an IMS (RFC 7651), and which address families a responder hands out at all (RFC 8983).
 */
import {
  type ConfigurationAttribute,
  ConfigurationAttributeType,
  NotifyType,
  notify,
  type Payload,
  type PayloadOf,
} from '@underpass/ike-codec'
import type { PeerConfig, PoolConfig } from '../config.ts'
import { formatAddress, parseAddress, parseRange } from '../ip-address.ts'
import type { AddressFamily } from './configuration.ts'
import { findNotify } from './payload-queries.ts'

/** What a gateway may name; more are passed over. */
const MOST_DOMAINS = 64

const { INTERNAL_DNS_DOMAIN, P_CSCF_IP4_ADDRESS, P_CSCF_IP6_ADDRESS } = ConfigurationAttributeType

/** Types to ask for, each empty. RFC 8598 §3.1: only where DNS servers are asked for too, as they are with any address. */
export function namesToAsk({ requestAddresses, requestsPCscf }: PeerConfig): number[] {
  const pCscf = requestsPCscf ? requestAddresses.map((family) => (family === 'ipv4' ? P_CSCF_IP4_ADDRESS : P_CSCF_IP6_ADDRESS)) : []
  return [INTERNAL_DNS_DOMAIN, ...pCscf]
}

/** What of it the pool has, for who asks: who does not knows nothing of it (RFC 8598 §3.1). No domains without DNS servers (§3.2). */
export function namesToTell(request: PayloadOf<'CP'>, pool: PoolConfig, hasDns: boolean): ConfigurationAttribute[] {
  const isAsked = (type: number): boolean => request.attributes.some((attribute) => attribute.type === type)
  const domains = hasDns ? (pool.domains ?? []) : []
  const pCscf = (pool.pCscf ?? []).flatMap((text) => parseAddress(text) ?? [])
  return [
    ...domains.map((domain) => ({ type: INTERNAL_DNS_DOMAIN, value: Uint8Array.from(domain, (character) => character.charCodeAt(0)) })),
    ...pCscf.map((value) => ({ type: value.length === 4 ? P_CSCF_IP4_ADDRESS : P_CSCF_IP6_ADDRESS, value })),
  ].filter(({ type }) => isAsked(type))
}

/** The domains that a CFG_REPLY names, in lower case and without a dot at the end. What is no domain name, or is all of them, is passed over. */
export function readDomains({ attributes }: PayloadOf<'CP'>): string[] {
  const domains = attributes
    .filter(({ type }) => type === INTERNAL_DNS_DOMAIN)
    .map(({ value }) => String.fromCharCode(...value.subarray(0, LONGEST_DOMAIN + 1)).toLowerCase())
    .filter(isDomain)
    .map((domain) => domain.replace(/\.$/, ''))
  return [...new Set(domains)].slice(0, MOST_DOMAINS)
}

export function readPCscf({ attributes }: PayloadOf<'CP'>): string[] {
  return attributes
    .filter(
      ({ type, value }) => (type === P_CSCF_IP4_ADDRESS && value.length === 4) || (type === P_CSCF_IP6_ADDRESS && value.length === 16),
    )
    .map(({ value }) => formatAddress(value))
}

/** RFC 1034 §3.1, of A-labels (RFC 8598 §4.1). */
export function isDomain(text: string): boolean {
  const label = '[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?'
  return text.length <= LONGEST_DOMAIN && new RegExp(`^${label}(\\.${label})*\\.?$`, 'i').test(text)
}

const LONGEST_DOMAIN = 254

/** IP4_ALLOWED and IP6_ALLOWED, with each answer to who asked for an address, also where there is none for it (RFC 8983 §5). */
export function familiesAllowed({ ranges }: PoolConfig): Payload[] {
  const families = new Set(ranges.flatMap((text) => parseRange(text)?.start.length ?? []))
  return [...(families.has(4) ? [notify(NotifyType.IP4_ALLOWED)] : []), ...(families.has(16) ? [notify(NotifyType.IP6_ALLOWED)] : [])]
}

/** 'it hands out IPv6 addresses only', where that is why none came (RFC 8983 §5). */
export function whyNoAddress(requested: readonly AddressFamily[], inner: readonly Payload[]): string | undefined {
  const isV4 = findNotify(inner, NotifyType.IP4_ALLOWED) !== undefined
  const isV6 = findNotify(inner, NotifyType.IP6_ALLOWED) !== undefined
  if (isV4 === isV6) return undefined
  const [handedOut, name] = isV4 ? (['ipv4', 'IPv4'] as const) : (['ipv6', 'IPv6'] as const)
  return requested.includes(handedOut) ? undefined : `it hands out ${name} addresses only (request_addresses)`
}
