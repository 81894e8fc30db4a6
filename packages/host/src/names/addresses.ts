/** The addresses of a host name, in the order in which they are to be tried (RFC 8305 §4). */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { HostError, reasonOf } from '../host-error.ts'
import { familyOf, plainAddress } from '../run/addresses.ts'

/** All that are tried: each takes its part of UDP's head start. */
const MOST_ADDRESSES = 4

/**
 * A literal is itself. A name is asked of getaddrinfo(3), for the hosts file and all else that nsswitch.conf has; the answer is sorted by RFC 6724.
 * Throws `HostError` NAME_NOT_FOUND.
 */
export async function addressesOf(name: string): Promise<string[]> {
  if (isIP(name) !== 0) return [plainAddress(name)]
  try {
    const found = await lookup(name, { all: true, verbatim: true })
    return interleaved(found.map(({ address }) => address))
  } catch (error) {
    const reason = lookupProblem(error)
    throw new HostError('NAME_NOT_FOUND', `${name} has no address: ${reason}`, { name, reason })
  }
}

/**
 * RFC 8305 §4: the family of the first is followed by the other, one by one (First Address Family Count 1), so that a family that leads
 * nowhere costs one attempt. At most four, each once; none with a zone, which means nothing to the peer.
 */
export function interleaved(sorted: readonly string[]): string[] {
  const addresses = [...new Set(sorted.filter((address) => !address.includes('%')).map(plainAddress))]
  const [first] = addresses
  if (first === undefined) return []
  const isOfFirst = (address: string): boolean => familyOf(address) === familyOf(first)
  const [ofFirst, others] = [addresses.filter(isOfFirst), addresses.filter((address) => !isOfFirst(address))]
  return addresses.flatMap((_, i) => [ofFirst[i] ?? [], others[i] ?? []].flat()).slice(0, MOST_ADDRESSES)
}

/** getaddrinfo(3)'s codes in words, whichever runtime wraps them. */
export function lookupProblem(error: unknown): string {
  const text = `${(error as NodeJS.ErrnoException).code ?? ''} ${reasonOf(error)}`
  if (/EAI_?AGAIN|ETIMEOUT|temporary failure/i.test(text)) return 'no name server answered'
  if (/ENOTFOUND|EAI_?NONAME|EAI_?NODATA|not known|no address associated/i.test(text)) return 'no such name'
  return reasonOf(error)
}
