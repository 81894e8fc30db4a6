import type { UdpError } from './udp-error.ts'

/** Milliseconds in which one thing is told once. */
const INTERVAL = 1000
const MAX_KNOWN = 1024

/** Lets an error through once a second for each code and remote: an unreachable peer would otherwise make one call per packet. */
export class ErrorReports {
  readonly #onError: (error: UdpError) => void
  readonly #reportedAt = new Map<string, number>()

  constructor(onError: (error: UdpError) => void) {
    this.#onError = onError
  }

  report(error: UdpError): void {
    const { address, port } = error.context
    const key = `${error.code} ${address} ${port}`
    const now = performance.now()
    if (now - (this.#reportedAt.get(key) ?? Number.NEGATIVE_INFINITY) < INTERVAL) return
    // The latest is the last, so that the first to be forgotten are the oldest.
    this.#reportedAt.delete(key)
    this.#reportedAt.set(key, now)
    if (this.#reportedAt.size > MAX_KNOWN)
      for (const oldest of this.#reportedAt.keys()) {
        this.#reportedAt.delete(oldest)
        break
      }
    this.#onError(error)
  }
}
