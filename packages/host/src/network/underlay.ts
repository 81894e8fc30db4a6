/** The way to the gateway beneath the tunnel: which it is, and when it has become another. */
import { parseIp } from '../ip-prefix.ts'
import type { CommandRunner } from './commands.ts'
import { underlayOf } from './routes.ts'

export interface UnderlayOptions {
  /** Where packets for the gateway go, or for the proxy before it; `undefined`: not known yet. */
  readonly gateway: () => string | undefined
  /** Where they may go as well: of these it is known what the way was, should one of them become the gateway. */
  readonly alternatives?: () => readonly string[]
  /** The device that is not beneath. */
  readonly tunnel: () => string
  readonly run: CommandRunner
  readonly watchNews: (onNews: () => void) => { close(): void }
  /** It is another, or there is none. Awaited before the next look; never rejects. */
  readonly onChange: () => Promise<void>
}

/** News comes in bursts: a cable that is pulled is a dozen of them. */
const SETTLE = 150

export class Underlay {
  readonly #options: UnderlayOptions
  readonly #news: { close(): void }
  #timer: ReturnType<typeof setTimeout> | undefined
  /** The ways as they were, by where they lead. */
  #known: ReadonlyMap<string, string> = new Map()
  #isLooking = false
  #isClosed = false

  /** Looks at it a first time. */
  constructor(options: UnderlayOptions) {
    this.#options = options
    this.#news = options.watchNews(() => this.#soon())
    this.#soon()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#news.close()
  }

  #soon(): void {
    if (this.#isClosed || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#isLooking) this.#soon()
      else void this.#look()
    }, SETTLE)
    this.#timer.unref()
  }

  async #look(): Promise<void> {
    const { gateway, onChange } = this.#options
    this.#isLooking = true
    try {
      const [before, ways] = [this.#known, await this.#ways()]
      this.#known = ways
      // Asked only now: it may have become another while `ip` answered.
      const inUse = gateway() ?? ''
      const [was, is] = [before.get(inUse), ways.get(inUse)]
      const isNews = was !== undefined && is !== undefined && was !== is
      if (isNews && !this.#isClosed) await onChange()
    } finally {
      this.#isLooking = false
    }
  }

  async #ways(): Promise<ReadonlyMap<string, string>> {
    const { gateway, alternatives, tunnel, run } = this.#options
    const ways = new Map<string, string>()
    for (const name of new Set([gateway(), ...(alternatives?.() ?? [])])) {
      const address = parseIp(name ?? '')
      if (address && name !== undefined) ways.set(name, await underlayOf(address, tunnel(), run))
    }
    return ways
  }
}
