/** How a client reaches its gateway: the forms in which a transport is written, and what is around the streams among them. */
import { describeTransport, type FramingProfileName, type TransportOption } from '@underpass/session-manager'
import { describeProxy, type ProxyServer, parseProxy, proxyFromEnvironment, TransportError } from '@underpass/tls-transport'
import * as z from 'zod'
import { HostError } from '../host-error.ts'
import type { Place } from '../names/places.ts'
import { framing, port, table, textAs } from './fields.ts'
import { nearest } from './issues.ts'

/** What a stream goes through. */
export interface Carrier {
  readonly isTls: boolean
  /** 'environment': whichever HTTPS_PROXY, ALL_PROXY and NO_PROXY say (`inEnvironment`). */
  readonly via: ProxyServer | 'environment' | undefined
}

/** What is tried, in order, and what its carriers are, by the names that the options have for them. */
export interface ChosenTransports {
  readonly transports: readonly TransportOption[]
  readonly carriers: Readonly<Record<string, Carrier>>
  /** Where DNS names one, that port is gone to, and not the transport's own. */
  readonly takesPorts: boolean
}

/** "udp", "udp:PORT", "tcp:PORT", "tls:PORT", a stream with " via PROXY" behind it, or a table. Framing that is left out here is the peer's. */
export type WrittenTransport =
  | { readonly transport: 'udp'; readonly port: number; readonly natPort: number }
  | (Carrier & { readonly transport: 'tcp'; readonly port: number; readonly framing: FramingProfileName | undefined })

const via: z.ZodType<ProxyServer | 'environment', string> = z.string().transform((text, context) => {
  try {
    return viaOf(text)
  } catch (error) {
    if (!(error instanceof TransportError)) throw error
    context.addIssue({ code: 'custom', message: error.message })
    return z.NEVER
  }
})

export const transport: z.ZodType<WrittenTransport> = z.union([
  textAs(parseTransport, whyNot, undefined, true),
  table({ transport: z.enum(['tcp', 'tls']), port, framing: framing.optional(), via: via.optional() }).transform((one) => ({
    transport: 'tcp' as const,
    port: one.port,
    framing: one.framing,
    isTls: one.transport === 'tls',
    via: one.via,
  })),
])

/** With what `transport` leaves open filled in: what the core is told, and what its `carrier` stands for. */
export function transportOption(
  written: WrittenTransport,
  profile: FramingProfileName,
): { readonly option: TransportOption; readonly carrier?: Carrier } {
  if (written.transport === 'udp') return { option: written }
  const { isTls, via: proxy, port: number } = written
  const option = { transport: 'tcp' as const, port: number, framing: written.framing ?? profile }
  if (!isTls && proxy === undefined) return { option }
  return { option: { ...option, carrier: carrierName(written) }, carrier: { isTls, via: proxy } }
}

/** Of two streams: they go to one port by one proxy, and only one of them could be told from the other by its name. */
export function isSameWay(one: WrittenTransport, other: WrittenTransport): boolean {
  const isStream = one.transport === 'tcp' && other.transport === 'tcp' && (one.isTls || one.via !== undefined)
  return isStream && carrierName(one) === carrierName(other)
}

/** What stands in the configuration, but for passwords: with the second port of UDP, which a tunnel's name has not. */
export function describeWritten(option: TransportOption): string {
  const name = describeTransport(option)
  return option.transport === 'tcp' || option.port === option.natPort ? name : `${name} (${option.natPort} where a NAT is found)`
}

/**
 * With 'environment' as what it says for `gateway`: 'tls:443 via http://proxy:3128 (env)', 'tls:443 (no proxy, says NO_PROXY)'. Throws
 * `HostError` BAD_ENVIRONMENT where that is no proxy.
 */
export function inEnvironment(
  { transports, carriers, takesPorts }: ChosenTransports,
  gateway: string,
  env: Readonly<Record<string, string | undefined>>,
): ChosenTransports {
  const named = transports.map((option) => {
    const carrier = option.transport === 'tcp' && option.carrier !== undefined ? carriers[option.carrier] : undefined
    if (option.transport === 'udp' || carrier?.via !== 'environment') return { option, carrier }
    const proxy = proxyOf(env, gateway, option.port)
    const isExempt = proxy === undefined && proxyOf({ ...env, no_proxy: '', NO_PROXY: '' }, gateway, option.port) !== undefined
    const reason = proxy ? 'env' : isExempt ? 'no proxy, says NO_PROXY' : 'no proxy in the environment'
    const found = { isTls: carrier.isTls, via: proxy }
    return { option: { ...option, carrier: `${carrierName({ ...found, port: option.port })} (${reason})` }, carrier: found }
  })
  return {
    takesPorts,
    transports: named.map(({ option }) => option),
    carriers: Object.fromEntries(
      named.flatMap(({ option, carrier }) => (carrier && 'carrier' in option ? [[option.carrier as string, carrier]] : [])),
    ),
  }
}

/** The proxy resolves the gateway's name itself (RFC 9110 §9.3.6, RFC 1928 §4), so one way is enough, and none of our addresses is needed. */
export function isThroughProxy(option: TransportOption, { carriers }: Pick<ChosenTransports, 'carriers'>): boolean {
  return option.transport === 'tcp' && option.carrier !== undefined && carriers[option.carrier]?.via !== undefined
}

/** Each to each of the gateway's places, first all by the transport that is preferred. What goes through a proxy is there once. */
export function transportsTo(places: readonly Place[], chosen: ChosenTransports): TransportOption[] {
  return chosen.transports.flatMap((option): TransportOption[] => {
    if (option.transport === 'tcp' && isThroughProxy(option, chosen)) return [{ ...option, isProxied: true }]
    const ofIt = places.filter(({ transport: only }) => only === undefined || only === option.transport)
    return ofIt.map(({ address, port: number }) => ({
      ...option,
      ...(chosen.takesPorts && number !== undefined ? portOf(option, number) : {}),
      address,
    }))
  })
}

/** A port that is named is used throughout. */
function portOf({ transport: one }: TransportOption, number: number): { readonly port: number; readonly natPort?: number } {
  return one === 'udp' ? { port: number, natPort: number } : { port: number }
}

function proxyOf(env: Readonly<Record<string, string | undefined>>, gateway: string, number: number): ProxyServer | undefined {
  try {
    return proxyFromEnvironment(env, gateway, number)
  } catch (error) {
    if (!(error instanceof TransportError)) throw error
    const reason = `HTTPS_PROXY or ALL_PROXY of the environment: ${error.message}`
    throw new HostError('BAD_ENVIRONMENT', reason, { reason })
  }
}

function carrierName({ isTls, via: proxy, port: number }: Carrier & { readonly port: number }): string {
  const way = proxy === undefined ? '' : ` via ${proxy === 'environment' ? 'env' : describeProxy(proxy)}`
  return `${isTls ? 'tls' : 'tcp'}:${number}${way}`
}

/** RFC 7296 §2.23: 500 first, 4500 once a NAT is found. A port that is named is used throughout. */
function parseTransport(text: string): WrittenTransport | undefined {
  const match = /^(udp|tcp|tls)(?::(\d{1,5}))?(?:\s+via\s+(\S+))?$/.exec(text.trim())
  if (!match) return undefined
  const [, protocol, digits, proxy] = match
  const number = digits === undefined ? undefined : Number(digits)
  if (number !== undefined && (number < 1 || number > 65_535)) return undefined
  if (protocol === 'udp') return proxy === undefined ? { transport: 'udp', port: number ?? 500, natPort: number ?? 4500 } : undefined
  if (number === undefined) return undefined
  try {
    const way = proxy === undefined ? undefined : viaOf(proxy)
    return { transport: 'tcp', port: number, framing: undefined, isTls: protocol === 'tls', via: way }
  } catch (error) {
    if (error instanceof TransportError) return undefined
    throw error
  }
}

function viaOf(text: string): ProxyServer | 'environment' {
  return text === 'env' ? 'environment' : parseProxy(text)
}

/** Behind the text itself, which may hold a proxy's password. */
function whyNot(text: string): string {
  const [plain = '', ...proxy] = text.trim().split(/\s+via\s+/)
  if (/^(udp|tcp|tls):\d+$/.test(plain) && parseTransport(plain) === undefined) return 'has a port out of range; use 1 to 65535'
  if (proxy.length > 0 && /^udp/.test(plain)) return 'asks a proxy for UDP, and proxies carry TCP'
  if (proxy.length > 0 && parseTransport(plain) !== undefined) return reasonOfProxy(proxy.join(' via '))
  return `is not a transport; use "udp", "udp:PORT", "tcp:PORT", "tls:PORT" or "tls:PORT via http://proxy:3128"${transportMeant(text)}`
}

function reasonOfProxy(text: string): string {
  try {
    viaOf(text)
    return 'is not a transport'
  } catch (error) {
    return `has a proxy that is none: ${(error as Error).message}`
  }
}

/** What is suggested is accepted. */
function transportMeant(text: string): string {
  const [protocol = '', number] = text.split(':')
  const meant = nearest(protocol.trim(), ['udp', 'tcp', 'tls'])
  if (meant === undefined) return ''
  return `; did you mean "${[`${meant}:${number}`, meant].find(parseTransport) ?? `${meant}:${meant === 'tls' ? 443 : 4500}`}"?`
}
