/**
 * The places of a domain's IPsec gateways by SRV records (RFC 2782). IKE has no service name of its own for them; `ipsec-nat-t` is what IANA's
 * Service Name and Transport Protocol Port Number Registry has for UDP 4500 (RFC 3948) and TCP 4500 (RFC 9329 §11), and a name of
 * that registry is what an SRV record begins with (RFC 6335 §5).
 */
import { randomInt } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { HostError, isHostError, reasonOf } from '../host-error.ts'
import { addressesOf } from './addresses.ts'
import type { Place } from './places.ts'

/** As node:dns answers it. */
export interface ServiceRecord {
  readonly name: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

export interface ServiceLookup {
  /** Rejects as node:dns does. */
  readonly resolveSrv: (name: string) => Promise<readonly ServiceRecord[]>
  /** Throws `HostError` NAME_NOT_FOUND. */
  readonly addressesOf: (name: string) => Promise<readonly string[]>
  /** An integer from 0 to `most`, each as likely. */
  readonly random: (most: number) => number
}

export const systemServiceLookup: ServiceLookup = {
  resolveSrv: (name) => new Resolver({ timeout: 2_000, tries: 2 }).resolveSrv(name),
  addressesOf,
  random: (most) => randomInt(most + 1),
}

/**
 * In the order in which they are to be tried. A transport without records goes where the other's are, at ports of its own; where there are none at
 * all, the name itself is the gateway. Throws `HostError` NAME_NOT_FOUND.
 */
export async function servicePlaces(domain: string, lookup: ServiceLookup = systemServiceLookup): Promise<Place[]> {
  const [udp, tcp] = await Promise.all((['udp', 'tcp'] as const).map((transport) => placesOf(domain, transport, lookup)))
  if (!udp && !tcp) return (await lookup.addressesOf(domain)).map((address) => ({ address }))
  const elsewhere = (places: readonly Place[], transport: 'udp' | 'tcp'): Place[] => places.map(({ address }) => ({ address, transport }))
  const places = [...(udp ?? elsewhere(tcp ?? [], 'udp')), ...(tcp ?? elsewhere(udp ?? [], 'tcp'))]
  if (places.length === 0) {
    const reason = 'its SRV records say that there is none, or nobody has the names in them'
    throw new HostError('NAME_NOT_FOUND', `${domain} has no gateway: ${reason}`, { name: domain, reason })
  }
  return places
}

/** RFC 2782: the lowest priority first; of one priority a lot is drawn, by weight, again and again. */
export function inServiceOrder(records: readonly ServiceRecord[], random: (most: number) => number): ServiceRecord[] {
  const left = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight)
  const ordered: ServiceRecord[] = []
  while (left.length > 0) {
    const equals = left.filter(({ priority }) => priority === left[0]!.priority)
    const drawn = random(equals.reduce((sum, { weight }) => sum + weight, 0))
    let sum = 0
    const chosen = equals.find(({ weight }) => {
      sum += weight
      return sum >= drawn
    })!
    ordered.push(chosen)
    left.splice(left.indexOf(chosen), 1)
  }
  return ordered
}

/** Of one transport. More would take more time than its head start. */
const MOST_PLACES = 4

/** `undefined`: it has no records. None: they say that the service is not there (a target of "."). */
async function placesOf(domain: string, transport: 'udp' | 'tcp', lookup: ServiceLookup): Promise<Place[] | undefined> {
  const records = await recordsOf(`_ipsec-nat-t._${transport}.${domain}`, domain, lookup)
  if (records.length === 0) return undefined
  const places: Place[] = []
  for (const { name, port } of inServiceOrder(records, lookup.random)) {
    if (name === '' || name === '.' || places.length >= MOST_PLACES) continue
    const addresses = await lookup.addressesOf(name).catch((error: unknown) => {
      if (!isHostError(error, 'NAME_NOT_FOUND')) throw error
      return []
    })
    places.push(...addresses.map((address) => ({ address, transport, port })))
  }
  return places.slice(0, MOST_PLACES)
}

async function recordsOf(name: string, domain: string, { resolveSrv }: ServiceLookup): Promise<readonly ServiceRecord[]> {
  try {
    return await resolveSrv(name)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (code === 'ENOTFOUND' || code === 'ENODATA') return []
    const reason = `${name}: ${reasonOf(error)}`
    throw new HostError('NAME_NOT_FOUND', `${domain} has no gateway: no name server answered (${reason})`, { name: domain, reason })
  }
}
