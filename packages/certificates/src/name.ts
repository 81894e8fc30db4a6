/** Distinguished names (RFC 5280 §4.1.2.4, §7.1): compared, and shown to people. */
import { type AttributeTypeAndValue, Name } from '@peculiar/asn1-x509'
import { decode, encode, hex } from './der.ts'

/**
 * Equal for names that are equal by RFC 5280 §7.1: strings of whatever type without regard to case and to how many spaces, the rest by its octets.
 */
export function canonicalName(name: Name): string {
  return JSON.stringify(canonicalParts(name))
}

export function canonicalNameOf(der: Uint8Array): string {
  return canonicalName(decode(der, Name, 'Name'))
}

/** Each relative distinguished name by itself. */
export function canonicalParts(name: Name): string[] {
  return [...name].map((rdn) => JSON.stringify([...rdn].map(canonicalAttribute).sort()))
}

function canonicalAttribute({ type, value }: AttributeTypeAndValue): string {
  const text = textOf(value)
  return text === undefined
    ? `${type}#${hex(encode(value))}`
    : `${type}=${text.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ')}`
}

/** 'CN=gw.example, O=Example'; control characters are shown as '?'. */
export function describeName(name: Name): string {
  const parts = [...name]
    .flatMap((rdn) => [...rdn])
    .map(({ type, value }) => `${SHORT[type] ?? type}=${textOf(value) ?? hex(encode(value))}`)
  const text = parts.reverse().join(', ')
  return Array.from(text.slice(0, 300), (character) => (character < ' ' || character === '\u007f' ? '?' : character)).join('')
}

/** The e-mail addresses in a name (RFC 5280 §4.1.2.6, which calls them obsolete). */
export function emailsIn(name: Name): string[] {
  return [...name]
    .flatMap((rdn) => [...rdn])
    .filter(({ type }) => type === EMAIL_ADDRESS)
    .flatMap(({ value }) => textOf(value) ?? [])
}

const EMAIL_ADDRESS = '1.2.840.113549.1.9.1'

const SHORT: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.25': 'DC',
  [EMAIL_ADDRESS]: 'E',
}

function textOf(value: AttributeTypeAndValue['value']): string | undefined {
  return value.utf8String ?? value.printableString ?? value.ia5String ?? value.bmpString ?? value.teletexString ?? value.universalString
}
