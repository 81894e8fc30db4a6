/** The gateway's name and the addresses that it stands for, looked up again where they may be others. */
import { isIP } from 'node:net'
import { reasonOf } from '../host-error.ts'

export interface GatewayNameOptions {
  readonly name: string
  /** Throws `HostError` NAME_NOT_FOUND. */
  readonly resolve: (name: string) => Promise<readonly string[]>
  /** There are others than before. */
  readonly onChange: () => void
  /** The name could not be looked up; what is known stays. Not twice for one reason. */
  readonly onProblem: (reason: string) => void
}

/** Addresses of an earlier answer that are kept beside those of the last. */
const MOST_KEPT = 4

export class GatewayName {
  readonly #options: GatewayNameOptions
  #addresses: readonly string[]
  #isLooking = false
  /** While it was looked up there was a reason to look once more. */
  #again: { readonly keepsOthers: boolean } | undefined
  #problem: string | undefined

  /** `addresses`: as far as they are known. */
  constructor(addresses: readonly string[], options: GatewayNameOptions) {
    this.#addresses = addresses
    this.#options = options
  }

  get addresses(): readonly string[] {
    return this.#addresses
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

  /** Servers turn the order of their answers: only another set of addresses is news. */
  #take(found: readonly string[], keepsOthers: boolean): void {
    const before = this.#addresses
    const fresh = found.filter((address) => !before.includes(address))
    const isGone = !keepsOthers && before.some((address) => !found.includes(address))
    if (fresh.length === 0 && !isGone) return
    this.#addresses = keepsOthers ? [...before.slice(0, MOST_KEPT), ...fresh] : found
    this.#options.onChange()
  }
}
