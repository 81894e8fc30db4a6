/** The way to the gateway beneath the tunnel: which it is, and when it has become another. */
import { parseIp } from '../ip-prefix.ts'
import type { CommandRunner } from './commands.ts'
import { underlayOf } from './routes.ts'

export interface UnderlayOptions {
  /** Where packets for the gateway go, or for the proxy before it; `undefined`: not known yet. */
  readonly gateway: () => string | undefined
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
  /** Of this gateway, or proxy. */
  #known: { readonly gateway: string; readonly way: string } | undefined
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
    const { gateway, tunnel, run, onChange } = this.#options
    const name = gateway()
    const address = parseIp(name ?? '')
    if (!address || name === undefined) return
    this.#isLooking = true
    try {
      const way = await underlayOf(address, tunnel(), run)
      const isNews = this.#known?.gateway === name && this.#known.way !== way
      this.#known = { gateway: name, way }
      if (isNews && !this.#isClosed) await onChange()
    } finally {
      this.#isLooking = false
    }
  }
}
