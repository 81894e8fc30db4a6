/** Where a gateway listens: the forms in which a listener is written, and which of them cannot stand beside each other. */
import { isIP } from 'node:net'
import type { FramingProfileName } from '@underpass/session-manager'
import * as z from 'zod'
import { formatIp, parseIp } from '../ip-prefix.ts'
import { describeEndpoint, familyOf, isWildcard } from '../run/addresses.ts'
import { dscp } from './dscp.ts'
import { address, framing, table, textAs } from './fields.ts'
import type { Findings } from './load.ts'

/** `address` undefined: every address of the machine. */
export interface UdpListener {
  readonly address: string | undefined
  readonly port: number
  /** Of every packet that is sent from there. */
  readonly dscp?: number
}

export interface TcpListener extends UdpListener {
  readonly framing: FramingProfileName
  /** TLS is around the stream. */
  readonly isTls: boolean
  /** With TLS: plain streams come to the same port. */
  readonly alsoPlain?: true
}

export interface WrittenListener extends Omit<UdpListener, 'dscp'> {
  readonly dscp?: number | undefined
  readonly framing: FramingProfileName | undefined
}

/** 0: any that is free. */
const listenPort = z.int().min(0).max(65_535)

export const listener: z.ZodType<WrittenListener> = z.union([
  listenPort.transform((number) => ({ address: undefined, port: number, framing: undefined })),
  textAs(parseListener, (text) =>
    /(^|:)\d{5,}\s*$/.test(text)
      ? 'has a port out of range; use 1 to 65535'
      : 'is not a listener; write 4500, "4500", "192.0.2.1:4500" or "[2001:db8::1]:4500"',
  ),
  table({ port: listenPort, address: address.optional(), framing: framing.optional(), dscp: dscp.optional() }).transform((one) => ({
    address: one.address,
    port: one.port,
    framing: one.framing,
    dscp: one.dscp,
  })),
])

export interface WrittenListen {
  readonly address?: readonly string[] | undefined
  readonly udp?: readonly WrittenListener[] | undefined
  readonly tcp?: readonly WrittenListener[] | undefined
  readonly tls?: readonly WrittenListener[] | undefined
  readonly framing?: FramingProfileName | undefined
  readonly dscp?: number | undefined
  readonly proxy_protocol?: readonly string[] | undefined
}

/** RFC 9329 §2, §11: UDP 500 and 4500 and TCP 4500 where the file says nothing. */
export function readListeners(
  written: WrittenListen,
  findings: Findings,
): { readonly udp: readonly UdpListener[]; readonly tcp: readonly TcpListener[] } {
  const udp = placed('udp', written.udp ?? [anywhere(500), anywhere(4500)], written)
  const tcp = placed('tcp', written.tcp ?? [anywhere(4500)], written)
  const tls = placed('tls', written.tls ?? [], written)
  if (udp.length + tcp.length + tls.length === 0) findings.issue(['listen'], 'names no port: nobody could connect')
  for (const [i, one] of (written.udp ?? []).entries())
    if (one.framing !== undefined) findings.issue(['listen', 'udp', i], 'takes no framing: that is for TCP')
  checkApart([...udp, ...tcp, ...tls], findings)
  const isShared = (one: Placed, others: readonly Placed[]): boolean => others.some((other) => isOnePort(one, other))
  return {
    udp: udp.map(({ address: at, port, dscp: mark }) => ({ address: at, port, ...(mark !== undefined && { dscp: mark }) })),
    tcp: [...tcp.filter((one) => !isShared(one, tls)), ...tls].map((one) => ({
      address: one.address,
      port: one.port,
      ...(one.dscp !== undefined && { dscp: one.dscp }),
      framing: one.framing,
      isTls: one.protocol === 'tls',
      ...(one.protocol === 'tls' && isShared(one, tcp) ? { alsoPlain: true as const } : {}),
    })),
  }
}

/** A listener at one of the addresses it is meant for. */
interface Placed extends Omit<TcpListener, 'isTls'> {
  readonly protocol: 'udp' | 'tcp' | 'tls'
  /** Its place in the file. */
  readonly index: number
  /** That of its address in `listen.address`. */
  readonly addressIndex: number
  /** It named no address. */
  readonly isEverywhere: boolean
}

function placed(protocol: Placed['protocol'], listeners: readonly WrittenListener[], written: WrittenListen): Placed[] {
  const everywhere: readonly (string | undefined)[] = written.address ?? [undefined]
  return listeners.flatMap((one, index) =>
    (one.address === undefined ? everywhere : [one.address]).map((at, addressIndex) => {
      const mark = one.dscp ?? written.dscp
      return {
        protocol,
        index,
        addressIndex,
        isEverywhere: one.address === undefined,
        address: at === undefined ? undefined : spelled(at),
        port: one.port,
        framing: one.framing ?? written.framing ?? 'rfc9329',
        ...(mark !== undefined && { dscp: mark }),
      }
    }),
  )
}

/** One port, one socket: the second would find it taken, by ourselves. */
function checkApart(listeners: readonly Placed[], findings: Findings): void {
  const told = new Set<string>()
  for (const [i, one] of listeners.entries()) {
    const other = listeners.slice(0, i).find((before) => isTakenBy(one, before))
    if (other === undefined) continue
    // Both from one listener: it is the addresses that are listed twice.
    const list = one.protocol === other.protocol && one.index === other.index ? 'address' : one.protocol
    const [here, there] = list === 'address' ? [one.addressIndex, other.addressIndex] : [one.index, other.index]
    if (told.has(`${list} ${here}`)) continue
    told.add(`${list} ${here}`)
    const isWithin = contains(other, one)
    const relation = !isWithin ? 'contains' : contains(one, other) ? 'is the same as' : 'is within'
    const isAlike = one.framing === other.framing && one.protocol === other.protocol
    const remedy = isAlike
      ? 'leave one of them out'
      : one.protocol === other.protocol
        ? 'each framing needs a port of its own'
        : 'TCP and TLS share a port where both have the framing "rfc9329" and the same address'
    const otherList = list === 'address' ? list : other.protocol
    findings.issue(['listen', list, here], `${describe(one)} ${relation} ${describe(other)} of listen.${otherList}[${there}]: ${remedy}`)
  }
}

function isTakenBy(one: Placed, other: Placed): boolean {
  if (isUdp(one) !== isUdp(other) || one.port !== other.port || one.port === 0) return false
  if (isOnePort(one, other) || areOnePorts(one, other)) return false
  return (contains(one, other) || contains(other, one)) && !isShadowed(one, other) && !isShadowed(other, one)
}

/** TLS and plain streams at one port: the first octet of the prefix is none of TLS's; other framings begin with any. */
function isOnePort(one: Placed, other: Placed): boolean {
  return isTlsAndPlain(one, other) && one.address === other.address
}

/** Two that are each meant for every address of `listen.address`: at each of them they meet. */
function areOnePorts(one: Placed, other: Placed): boolean {
  return isTlsAndPlain(one, other) && one.isEverywhere && other.isEverywhere
}

function isTlsAndPlain(one: Placed, other: Placed): boolean {
  return (
    !isUdp(one) &&
    !isUdp(other) &&
    one.protocol !== other.protocol &&
    one.port === other.port &&
    one.port !== 0 &&
    one.framing === 'rfc9329' &&
    other.framing === 'rfc9329'
  )
}

/** Over TCP '::' takes what comes to '0.0.0.0', which `run/runtime.ts` therefore leaves out. */
function isShadowed(one: Placed, other: Placed): boolean {
  return (
    !isUdp(one) &&
    one.protocol === other.protocol &&
    one.framing === other.framing &&
    one.address === '0.0.0.0' &&
    (other.address ?? '::') === '::'
  )
}

/** Whether what comes to `inner` comes to `outer` too. TCP on '::' is one socket for both families, UDP has one for each. */
function contains(outer: Placed, inner: Placed): boolean {
  if (outer.address === undefined || outer.address === inner.address) return true
  if (!isUdp(outer) && outer.address === '::') return true
  return inner.address !== undefined && isWildcard(outer.address) && familyOf(outer.address) === familyOf(inner.address)
}

function isUdp({ protocol }: Placed): boolean {
  return protocol === 'udp'
}

function describe({ address: at, port }: UdpListener): string {
  return at === undefined ? `port ${port}` : describeEndpoint(at, port)
}

/** As everybody spells it, so that it can be compared. */
function spelled(text: string): string {
  const ip = parseIp(text)
  return ip ? formatIp(ip) : text
}

function anywhere(number: number): WrittenListener {
  return { address: undefined, port: number, framing: undefined }
}

function parseListener(text: string): WrittenListener | undefined {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text.trim())
  const number = Number(match?.[3])
  const at = match?.[1] ?? match?.[2]
  if (!match || number > 65_535) return undefined
  if (at !== undefined && isIP(at) !== (match[1] === undefined ? 4 : 6)) return undefined
  return { address: at, port: number, framing: undefined }
}
