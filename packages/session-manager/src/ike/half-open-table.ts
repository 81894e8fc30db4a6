/**
 * Half-open IKE SAs as responder: found again by the octets of the IKE_SA_INIT that made them, so that a repeated request
 * gets the cached response, and counted, so that unauthenticated peers cost bounded memory (RFC 7296 §2.6). Requests whose source
 * anybody can have written have a count of their own: they must not take the room of who is really at that address.
 */
import { limitedAs } from '../ip-address.ts'
import { equal } from '../octets.ts'
import { formatIkeSpi, type IkeSa, isInitAnswered } from './ike-sa.ts'

export class HalfOpenTable {
  readonly #bySource = new Map<string, IkeSa>()
  readonly #perAddress = new Map<string, number>()
  readonly #keys = new Map<IkeSa, { readonly source: string; readonly limited: string }>()

  get size(): number {
    return this.#keys.size
  }

  /** `isProven`: those for which a cookie came back, or TCP's handshake; else the others. */
  countFrom(address: string, isProven: boolean): number {
    return this.#perAddress.get(countedAs(address, isProven)) ?? 0
  }

  add(sa: IkeSa, address: string, isProven: boolean): void {
    const source = sourceOf(sa.initiatorSpi, address)
    const limited = countedAs(address, isProven)
    this.#keys.set(sa, { source, limited })
    this.#bySource.set(source, sa)
    this.#perAddress.set(limited, (this.#perAddress.get(limited) ?? 0) + 1)
  }

  /** The half-open SA that these very octets made, if there is one. */
  find(initiatorSpi: bigint, address: string, request: Uint8Array): IkeSa | undefined {
    const sa = this.#bySource.get(sourceOf(initiatorSpi, address))
    const state = sa?.state
    const made = state?.kind === 'KE_RESPOND' ? state.request : state && isInitAnswered(state) ? state.record.request : undefined
    return made !== undefined && equal(made, request) ? sa : undefined
  }

  remove(sa: IkeSa): void {
    const keys = this.#keys.get(sa)
    if (!keys) return
    this.#keys.delete(sa)
    if (this.#bySource.get(keys.source) === sa) this.#bySource.delete(keys.source)
    const left = (this.#perAddress.get(keys.limited) ?? 1) - 1
    if (left > 0) this.#perAddress.set(keys.limited, left)
    else this.#perAddress.delete(keys.limited)
  }
}

function countedAs(address: string, isProven: boolean): string {
  return `${isProven ? 'proven' : 'claimed'} ${limitedAs(address)}`
}

function sourceOf(initiatorSpi: bigint, address: string): string {
  return `${formatIkeSpi(initiatorSpi)} ${address}`
}
