/** The gateway's name and the places that it stands for, looked up again where they may be others. */
import { isIP } from 'node:net'
import { reasonOf } from '../host-error.ts'
import { isSamePlace, type Place } from './places.ts'

export interface GatewayNameOptions {
  readonly name: string
  /** Throws `HostError` NAME_NOT_FOUND. */
  readonly resolve: (name: string) => Promise<readonly Place[]>
  /** There are others than before. */
  readonly onChange: () => void
  /** The name could not be looked up; what is known stays. Not twice for one reason. */
  readonly onProblem: (reason: string) => void
}

/** Places of an earlier answer that are kept beside those of the last. */
const MOST_KEPT = 8

export class GatewayName {
  readonly #options: GatewayNameOptions
  #places: readonly Place[]
  #isLooking = false
  /** While it was looked up there was a reason to look once more. */
  #again: { readonly keepsOthers: boolean } | undefined
  #problem: string | undefined

  /** `places`: as far as they are known. */
  constructor(places: readonly Place[], options: GatewayNameOptions) {
    this.#places = places
    this.#options = options
  }

  get places(): readonly Place[] {
    return this.#places
  }

  /**
   * `keepsOthers`: there is a tunnel, and the name may be answered through it, with what only those inside can reach: what was known goes first,
   * what is new behind it.
   */
  async lookAgain(keepsOthers: boolean): Promise<void> {
    const { name, resolve, onProblem } = this.#options
    if (isIP(name) !== 0) return
    if (this.#isLooking) {
      this.#again = { keepsOthers }
      return
    }
    this.#isLooking = true
    try {
      this.#take(await resolve(name), keepsOthers)
      this.#problem = undefined
    } catch (error) {
      const reason = reasonOf(error)
      if (reason !== this.#problem) onProblem(reason)
      this.#problem = reason
    } finally {
      this.#isLooking = false
    }
    const again = this.#again
    this.#again = undefined
    if (again) await this.lookAgain(again.keepsOthers)
  }

  /** Servers turn the order of their answers: only another set of places is news. */
  #take(found: readonly Place[], keepsOthers: boolean): void {
    const before = this.#places
    const fresh = found.filter((place) => !before.some((known) => isSamePlace(known, place)))
    const isGone = !keepsOthers && before.some((known) => !found.some((place) => isSamePlace(known, place)))
    if (fresh.length === 0 && !isGone) return
    this.#places = keepsOthers ? [...before.slice(0, MOST_KEPT), ...fresh] : found
    this.#options.onChange()
  }
}
