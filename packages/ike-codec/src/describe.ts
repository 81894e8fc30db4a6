import type { HeaderFields } from './header.ts'
import type { Payload } from './payload.ts'
import { CfgType } from './registry/configuration.ts'
import { ExchangeType, HeaderFlag, PayloadType } from './registry/message.ts'
import { nameOf } from './registry/name-of.ts'
import { NotifyType } from './registry/notify-type.ts'

/**
 * A message in the notation of RFC 7296 §1.2: `HDR, SAi1, KEi, Ni` or `HDR, SK {IDi, AUTH, SAi2, TSi, TSr}`. Contains no
 * secrets, only types.
 * @param message - the suffixes i and r follow the R flag, since they name the sides of the exchange; 1 and 2 its type
 * @param inner - what the SK holds; without it an SK is `SK {...}`. Also describes a message that has yet to get its SK
 */
export function describeMessage(
  message: { readonly header: Pick<HeaderFields, 'exchangeType' | 'flags'>; readonly payloads: readonly Payload[] },
  inner?: readonly Payload[],
): string {
  const { header, payloads } = message
  const words = payloads.map((payload) => describePayload(header, payload, inner))
  if (inner !== undefined && !payloads.some(isEncrypted)) words.push(`SK ${describeInner(header, inner)}`)
  return ['HDR', ...words].join(', ')
}

type Header = Pick<HeaderFields, 'exchangeType' | 'flags'>

function describePayload(header: Header, payload: Payload, inner?: readonly Payload[]): string {
  const side = (header.flags & HeaderFlag.RESPONSE) === 0 ? 'i' : 'r'
  switch (payload.type) {
    case 'SA':
      return `SA${saSuffix(header.exchangeType, side)}`
    case 'KE':
      return `KE${side}`
    case 'Nonce':
      return `N${side}`
    case 'N':
      return `N(${nameOf(NotifyType, payload.notifyType)})`
    case 'CP':
      return `CP(${nameOf(CfgType, payload.cfgType)})`
    case 'SK':
      return `SK ${describeInner(header, inner)}`
    case 'SKF':
      return `SKF(Frag#=${payload.fragmentNumber}, TotalFrags=${payload.totalFragments}) ${describeInner(header, inner)}`
    case 'unknown':
      return nameOf(PayloadType, payload.payloadType)
    default:
      return payload.type
  }
}

function describeInner(header: Header, inner: readonly Payload[] | undefined): string {
  return inner === undefined ? '{...}' : `{${inner.map((payload) => describePayload(header, payload)).join(', ')}}`
}

function saSuffix(exchangeType: number, side: 'i' | 'r'): string {
  if (exchangeType === ExchangeType.IKE_SA_INIT) return `${side}1`
  if (exchangeType === ExchangeType.IKE_AUTH) return `${side}2`
  return ''
}

function isEncrypted(payload: Payload): boolean {
  return payload.type === 'SK' || payload.type === 'SKF'
}
