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

/** Names that are looked up for them. */
const MOST_TARGETS = 8

/** While other targets wait: one of each family, as they are interleaved (RFC 8305 §4). */
const MOST_OF_TARGET = 2

/** `undefined`: it has no records. None: they say that the service is not there (a target of "."). */
async function placesOf(domain: string, transport: 'udp' | 'tcp', lookup: ServiceLookup): Promise<Place[] | undefined> {
  const records = await recordsOf(`_ipsec-nat-t._${transport}.${domain}`, domain, lookup)
  if (records.length === 0) return undefined
  const targets: Place[][] = []
  let taken = 0
  // Whoever answers may list what he likes: ports that are none, or more names than anybody waits for.
  const usable = inServiceOrder(records, lookup.random).filter(
    ({ name, port }) => name !== '' && name !== '.' && port >= 1 && port <= 65_535,
  )
  for (const { name, port } of usable.slice(0, MOST_TARGETS)) {
    if (taken >= MOST_PLACES) break
    const addresses = await lookup.addressesOf(name).catch((error: unknown) => {
      if (!isHostError(error, 'NAME_NOT_FOUND')) throw error
      return []
    })
    targets.push(addresses.map((address) => ({ address, transport, port })))
    taken += Math.min(addresses.length, MOST_OF_TARGET)
  }
  return inTurn(targets)
}

/** RFC 2782: the next target is for when the first cannot be reached, so many addresses of the first must not leave it out. */
function inTurn(targets: readonly (readonly Place[])[]): Place[] {
  let room = MOST_PLACES
  const first = targets.map((places) => {
    const count = Math.min(places.length, MOST_OF_TARGET, room)
    room -= count
    return count
  })
  return targets.flatMap((places, i) => {
    const more = Math.min(places.length - first[i]!, room)
    room -= more
    return places.slice(0, first[i]! + more)
  })
}

async function recordsOf(name: string, domain: string, { resolveSrv }: ServiceLookup): Promise<readonly ServiceRecord[]> {
  try {
    return await resolveSrv(name)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (code === 'ENOTFOUND' || code === 'ENODATA') return []
    const reason = `${name}: ${reasonOf(error)}`
    const answer = REFUSALS[code]
    const what = answer === undefined ? 'no name server answered' : `the name server answered ${answer}`
    throw new HostError('NAME_NOT_FOUND', `${domain} has no gateway: ${what} (${reason})`, { name: domain, reason })
  }
}

/** RFC 1035 §4.1.1 (RCODE), by node:dns's codes: somebody is there, and it is he who has to be asked why. Deno has ENOTFOUND for all of them. */
const REFUSALS: Readonly<Record<string, string>> = {
  EFORMERR: 'FORMERR',
  ESERVFAIL: 'SERVFAIL',
  ENOTIMP: 'NOTIMP',
  EREFUSED: 'REFUSED',
}
