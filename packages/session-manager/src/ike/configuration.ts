/** The Configuration payload: inner addresses, DNS servers and subnets (RFC 7296 §2.19, §3.15). */
import { CfgType, type ConfigurationAttribute, ConfigurationAttributeType, type Payload, type PayloadOf } from '@underpass/ike-codec'
import type { PeerConfig, PoolConfig, Timers } from '../config.ts'
import type { AssignedAddress } from '../events.ts'
import { formatAddress, formatRange, parseAddress, parseRange, prefixLengthOf } from '../ip-address.ts'
import { concat, readU32, u32 } from '../octets.ts'
import { namesToAsk, namesToTell, readDomains, readPCscf } from './internal-names.ts'
import type { Effect } from './step.ts'

export type AddressFamily = 'ipv4' | 'ipv6'

/** What a CFG_REPLY gave us. */
export interface AssignedConfiguration {
  readonly addresses: readonly AssignedAddress[]
  readonly dns: readonly string[]
  readonly subnets: readonly string[]
  readonly domains: readonly string[]
  readonly pCscf: readonly string[]
}

/**
 * CFG_REQUEST: `former` addresses again, else any (§3.15.1: an address in a request is a wish, an empty attribute is none), whatever DNS
 * servers, domains and subnets there are, and of who may come to a firewall traversal tunnel its times (TS 24.302). `undefined`: nothing to ask.
 */
export function configurationRequest(peer: PeerConfig, former: readonly AssignedAddress[]): Payload | undefined {
  if (peer.requestAddresses.length === 0) return undefined
  const types: number[] = peer.requestAddresses.flatMap((family) => (family === 'ipv4' ? IPV4_ATTRIBUTES : IPV6_ATTRIBUTES))
  types.push(...namesToAsk(peer))
  if (usesFtt(peer)) types.push(ConfigurationAttributeType.FTT_KAT, ConfigurationAttributeType.TIMEOUT_PERIOD_FOR_LIVENESS_CHECK)
  return { type: 'CP', cfgType: CfgType.CFG_REQUEST, attributes: types.map((type) => ({ type, value: wishFor(type, former) })) }
}

function wishFor(type: number, former: readonly AssignedAddress[]): Uint8Array {
  for (const { address, prefixLength } of former) {
    const octets = parseAddress(address)
    if (type === ConfigurationAttributeType.INTERNAL_IP4_ADDRESS && octets?.length === 4) return octets
    if (type === ConfigurationAttributeType.INTERNAL_IP6_ADDRESS && octets?.length === 16)
      return concat(octets, Uint8Array.of(prefixLength))
  }
  return new Uint8Array(0)
}

/** The families that a CFG_REQUEST asks an address for, and the very addresses where it names some. */
export function requestedFamilies(
  payload: Extract<Payload, { type: 'CP' }>,
): { readonly family: AddressFamily; readonly hint: Uint8Array | undefined }[] {
  const requested: { family: AddressFamily; hint: Uint8Array | undefined }[] = []
  for (const { type, value } of payload.attributes) {
    const family =
      type === ConfigurationAttributeType.INTERNAL_IP4_ADDRESS
        ? 'ipv4'
        : type === ConfigurationAttributeType.INTERNAL_IP6_ADDRESS
          ? 'ipv6'
          : undefined
    if (family === undefined || requested.some((earlier) => earlier.family === family)) continue
    const octets = value.subarray(0, family === 'ipv4' ? 4 : 16)
    const isHint = octets.length === (family === 'ipv4' ? 4 : 16) && octets.some((octet) => octet !== 0)
    requested.push({ family, hint: isHint ? octets.slice() : undefined })
  }
  return requested
}

/** CFG_REPLY: the addresses leased, of the pool's DNS servers and subnets those of the families asked for, what else is asked for, and `more`. */
export function configurationReply(
  leased: readonly Uint8Array[],
  pool: PoolConfig,
  request: PayloadOf<'CP'> | undefined,
  more: readonly ConfigurationAttribute[] = [],
): Payload {
  const isWanted = (address: Uint8Array): boolean => leased.some((lease) => lease.length === address.length)
  const attributes: { type: number; value: Uint8Array }[] = leased.map((address) =>
    address.length === 4
      ? { type: ConfigurationAttributeType.INTERNAL_IP4_ADDRESS, value: address }
      : { type: ConfigurationAttributeType.INTERNAL_IP6_ADDRESS, value: concat(address, Uint8Array.of(128)) },
  )
  for (const server of pool.dns) {
    const address = parseAddress(server)
    if (address && isWanted(address))
      attributes.push({
        type: address.length === 4 ? ConfigurationAttributeType.INTERNAL_IP4_DNS : ConfigurationAttributeType.INTERNAL_IP6_DNS,
        value: address,
      })
  }
  for (const subnet of pool.subnets) {
    const range = parseRange(subnet)
    const prefixLength = range && prefixLengthOf(range)
    if (!range || prefixLength === undefined || !isWanted(range.start)) continue
    if (range.start.length === 4) {
      const netmask = range.end.map((octet, index) => 0xff ^ octet ^ range.start[index]!)
      attributes.push({ type: ConfigurationAttributeType.INTERNAL_IP4_SUBNET, value: concat(range.start, netmask) })
    } else
      attributes.push({ type: ConfigurationAttributeType.INTERNAL_IP6_SUBNET, value: concat(range.start, Uint8Array.of(prefixLength)) })
  }
  const names = request ? namesToTell(request, pool, attributes.some(isDnsServer)) : []
  return { type: 'CP', cfgType: CfgType.CFG_REPLY, attributes: [...attributes, ...names, ...more] }
}

function isDnsServer({ type }: ConfigurationAttribute): boolean {
  return type === ConfigurationAttributeType.INTERNAL_IP4_DNS || type === ConfigurationAttributeType.INTERNAL_IP6_DNS
}

/** What a CFG_REPLY says. Attributes of the wrong length are passed over (§3.15.1: unknown ones are ignored too). */
export function readConfigurationReply(payload: Extract<Payload, { type: 'CP' }>): AssignedConfiguration {
  const addresses: AssignedAddress[] = []
  const dns: string[] = []
  const subnets: string[] = []
  for (const { type, value } of payload.attributes) {
    if (type === ConfigurationAttributeType.INTERNAL_IP4_ADDRESS && value.length === 4)
      addresses.push({ address: formatAddress(value), prefixLength: 32 })
    else if (type === ConfigurationAttributeType.INTERNAL_IP6_ADDRESS && value.length === 17 && value[16]! <= 128)
      addresses.push({ address: formatAddress(value.subarray(0, 16)), prefixLength: 128 })
    else if (type === ConfigurationAttributeType.INTERNAL_IP4_DNS && value.length === 4) dns.push(formatAddress(value))
    else if (type === ConfigurationAttributeType.INTERNAL_IP6_DNS && value.length === 16) dns.push(formatAddress(value))
    else if (type === ConfigurationAttributeType.INTERNAL_IP4_SUBNET && value.length === 8) {
      const start = value.slice(0, 4).map((octet, index) => octet & value[4 + index]!)
      const range = { start, end: start.map((octet, index) => octet | (0xff ^ value[4 + index]!)) }
      // A mask with holes is no subnet.
      if (prefixLengthOf(range) !== undefined) subnets.push(formatRange(range))
    } else if (type === ConfigurationAttributeType.INTERNAL_IP6_SUBNET && value.length === 17 && value[16]! <= 128) {
      const range = parseRange(`${formatAddress(value.subarray(0, 16))}/${value[16]}`)
      if (range) subnets.push(formatRange(range))
    }
  }
  return { addresses, dns, subnets, domains: dns.length > 0 ? readDomains(payload) : [], pCscf: readPCscf(payload) }
}

/** FTT_KAT, 2 octets, and TIMEOUT_PERIOD_FOR_LIVENESS_CHECK, 4, in seconds, for who asks for them (TS 24.302 F.2.3, 8.2.4). */
export function tunnelTimes(request: PayloadOf<'CP'>, timers: Timers): ConfigurationAttribute[] {
  const isAsked = (type: number): boolean => request.attributes.some((attribute) => attribute.type === type)
  const kat = Math.min(0xffff, Math.ceil(timers.fttKeepalive / 1000))
  const { FTT_KAT, TIMEOUT_PERIOD_FOR_LIVENESS_CHECK } = ConfigurationAttributeType
  return [
    { type: FTT_KAT, value: Uint8Array.of(kat >> 8, kat) },
    { type: TIMEOUT_PERIOD_FOR_LIVENESS_CHECK, value: u32(Math.min(0xffff_ffff, Math.ceil(timers.liveness / 1000))) },
  ].filter(({ type }) => isAsked(type))
}

/** What a CFG_REPLY says of them to a peer that asked. A time of 0 would never end, and is passed over like a wrong length; so is a second value. */
export function readTunnelTimes(peer: PeerConfig, reply: PayloadOf<'CP'> | undefined): Effect[] {
  if (!reply || !usesFtt(peer)) return []
  const timeIn = (type: number, length: number): Uint8Array | undefined =>
    reply.attributes.find(({ type: one, value }) => one === type && value.length === length && value.some((octet) => octet !== 0))?.value
  const kat = timeIn(ConfigurationAttributeType.FTT_KAT, 2)
  const period = timeIn(ConfigurationAttributeType.TIMEOUT_PERIOD_FOR_LIVENESS_CHECK, 4)
  return [
    {
      kind: 'tunnel-times',
      fttKat: kat && ((kat[0]! << 8) | kat[1]!) * 1000,
      livenessPeriod: period && readU32(period) * 1000,
    },
  ]
}

function usesFtt({ dial }: PeerConfig): boolean {
  return dial?.transports.some((option) => option.transport === 'tcp' && option.framing === '3gpp-ftt') === true
}

const IPV4_ATTRIBUTES = [
  ConfigurationAttributeType.INTERNAL_IP4_ADDRESS,
  ConfigurationAttributeType.INTERNAL_IP4_DNS,
  ConfigurationAttributeType.INTERNAL_IP4_SUBNET,
]
const IPV6_ATTRIBUTES = [
  ConfigurationAttributeType.INTERNAL_IP6_ADDRESS,
  ConfigurationAttributeType.INTERNAL_IP6_DNS,
  ConfigurationAttributeType.INTERNAL_IP6_SUBNET,
]
