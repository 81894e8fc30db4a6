/** Identification payloads as people write and read them (RFC 7296 §3.5). */
import { IdType } from '@underpass/ike-codec'
import type { Identity } from '../config.ts'
import { formatAddress, parseAddress } from '../ip-address.ts'
import { concat, equal, hex, utf8 } from '../octets.ts'

/** The body of IDi/IDr from its type octet on: what AUTH signs as IDi' (RFC 7296 §2.15). */
export function identificationBody(identity: Identity): Uint8Array {
  return concat(Uint8Array.of(identity.idType, 0, 0, 0), identity.data)
}

export function isSameIdentity(a: Identity, b: Identity): boolean {
  return a.idType === b.idType && equal(a.data, b.data)
}

/**
 * '@gw' and 'vpn.example' are ID_FQDN, 'user@host' ID_RFC822_ADDR, an address literal ID_IPV4_ADDR or ID_IPV6_ADDR,
 * 'keyid:text' and 'keyid:0x00ff' ID_KEY_ID; 'fqdn:', 'email:' and 'ip:' in front say it outright.
 * `undefined` where the text is none of them.
 */
export function parseIdentity(text: string): Identity | undefined {
  const colon = text.indexOf(':')
  const kind = colon > 0 ? text.slice(0, colon).toLowerCase() : ''
  const rest = text.slice(colon + 1)
  if (kind === 'fqdn') return rest === '' ? undefined : { idType: IdType.ID_FQDN, data: utf8(rest) }
  if (kind === 'email') return rest === '' ? undefined : { idType: IdType.ID_RFC822_ADDR, data: utf8(rest) }
  if (kind === 'ip') return addressIdentity(rest)
  if (kind === 'keyid') return keyIdentity(rest)
  const address = addressIdentity(text)
  if (address) return address
  if (text === '' || text === '@') return undefined
  if (text.startsWith('@')) return { idType: IdType.ID_FQDN, data: utf8(text.slice(1)) }
  return { idType: text.includes('@') ? IdType.ID_RFC822_ADDR : IdType.ID_FQDN, data: utf8(text) }
}

/** Safe to print: control characters and anything outside ASCII are shown as hex. */
export function describeIdentity(identity: Identity): string {
  const { idType, data } = identity
  const isAddress = (idType === IdType.ID_IPV4_ADDR && data.length === 4) || (idType === IdType.ID_IPV6_ADDR && data.length === 16)
  if (isAddress) return formatAddress(data)
  const isPrintable = data.length > 0 && data.every((octet) => octet >= 0x20 && octet < 0x7f)
  const text = isPrintable ? String.fromCharCode(...data.subarray(0, 256)) : `0x${hex(data.subarray(0, 64))}`
  if (idType === IdType.ID_FQDN) return `@${text}`
  if (idType === IdType.ID_RFC822_ADDR) return text
  if (idType === IdType.ID_KEY_ID) return `keyid:${text}`
  return `id${idType}:${text}`
}

function addressIdentity(text: string): Identity | undefined {
  const data = parseAddress(text)
  return data && { idType: data.length === 4 ? IdType.ID_IPV4_ADDR : IdType.ID_IPV6_ADDR, data }
}

function keyIdentity(text: string): Identity | undefined {
  if (text === '') return undefined
  if (!text.startsWith('0x')) return { idType: IdType.ID_KEY_ID, data: utf8(text) }
  if (!/^0x([0-9a-fA-F]{2})+$/.test(text)) return undefined
  return { idType: IdType.ID_KEY_ID, data: Uint8Array.from(text.slice(2).match(/../g)!, (pair) => Number.parseInt(pair, 16)) }
}
