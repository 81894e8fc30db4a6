/**
 * Half-open IKE SAs as responder: found again by the octets of the IKE_SA_INIT that made them, so that a repeated request
 * gets the cached response, and counted, so that unauthenticated peers cost bounded memory (RFC 7296 §2.6).
 */
import { equal } from '../octets.ts'
import { formatIkeSpi, type IkeSa } from './ike-sa.ts'

export class HalfOpenTable {
  readonly #bySource = new Map<string, IkeSa>()
  readonly #perAddress = new Map<string, number>()
  readonly #keys = new Map<IkeSa, { readonly source: string; readonly address: string }>()

  get size(): number {
    return this.#keys.size
  }

  countFrom(address: string): number {
    return this.#perAddress.get(address) ?? 0
  }

  add(sa: IkeSa, address: string): void {
    const source = sourceOf(sa.initiatorSpi, address)
    this.#keys.set(sa, { source, address })
    this.#bySource.set(source, sa)
    this.#perAddress.set(address, this.countFrom(address) + 1)
  }

  /** The half-open SA that these very octets made, if there is one. */
  find(initiatorSpi: bigint, address: string, request: Uint8Array): IkeSa | undefined {
    const sa = this.#bySource.get(sourceOf(initiatorSpi, address))
    const state = sa?.state
    const made = state?.kind === 'KE_RESPOND' ? state.request : state?.kind === 'IKE_SA_INIT_ANSWERED' ? state.record.request : undefined
    return made !== undefined && equal(made, request) ? sa : undefined
  }

  remove(sa: IkeSa): void {
    const keys = this.#keys.get(sa)
    if (!keys) return
    this.#keys.delete(sa)
    if (this.#bySource.get(keys.source) === sa) this.#bySource.delete(keys.source)
    const left = this.countFrom(keys.address) - 1
    if (left > 0) this.#perAddress.set(keys.address, left)
    else this.#perAddress.delete(keys.address)
  }
}

function sourceOf(initiatorSpi: bigint, address: string): string {
  return `${formatIkeSpi(initiatorSpi)} ${address}`
}
