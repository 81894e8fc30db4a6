// Room: the wire. How much a socket holds that it has not sent yet.
import type { NativeSockets } from './native-sockets.ts'

/** Octets of TCP_NOTSENT_LOWAT. The least is what an ACK can set free at once where losses keep the window small: with half of it 3 % less is carried. */
const LEAST = 8_192
const MOST = 4_194_304
const FIRST = 65_536
/** What lies in the socket should be gone within about this many milliseconds: nothing can overtake it, and nothing drops it. */
const DRAIN_TIME = 1
/** Milliseconds for which something always lay in the socket: it need not be so much. */
const STANDING_TIME = 10

/**
 * TCP_NOTSENT_LOWAT by what the connection carries: as short a queue as keeps it busy. Half of the limit is what the kernel has left when it
 * asks for more. Where nothing is left by the time it gets more, we were too late and the limit doubles; where half took its time to leave,
 * the limit shrinks; so it does where the socket never runs dry below it, as when the link has become slower. So the measure is the rate of
 * the link and the latency of the event loop, and neither has to be known.
 */
export class UnsentLimit {
  readonly #sockets: NativeSockets
  readonly #fd: number
  #limit = FIRST
  /** What it can hold unsent at most: what it held when it was asked last, and all that it was given since. */
  #atMost = 0
  #fullAt = 0
  #standingSince = 0

  /** @throws NativeError `SYSTEM` */
  constructor(sockets: NativeSockets, fd: number) {
    this.#sockets = sockets
    this.#fd = fd
    this.#set(FIRST)
  }

  /** The kernel took `octets`. Answers whether the limit is reached: the kernel itself stops only between its buffers, of 64 kB. */
  isReachedBy(octets: number): boolean {
    this.#atMost += octets
    if (this.#atMost < LEAST) return false
    const unsent = this.#sockets.calls.unsent(this.#fd)
    this.#atMost = unsent
    if (unsent <= octets) this.#standingSince = 0
    else this.#shortenStanding(unsent)
    return unsent >= this.#limit
  }

  /** Octets that may be sent before the limit is reached. */
  get room(): number {
    return Math.max(0, this.#limit - this.#sockets.calls.unsent(this.#fd))
  }

  /** The socket took no more. */
  full(): void {
    if (this.#fullAt === 0) this.#fullAt = performance.now()
  }

  /** It takes more, and was not given it yet. */
  ready(): void {
    // What goes out of our own queue now is not told.
    this.#atMost = Number.POSITIVE_INFINITY
    if (this.#fullAt === 0) return
    const took = performance.now() - this.#fullAt
    this.#fullAt = 0
    this.#standingSince = 0
    const isDry = this.#sockets.calls.unsent(this.#fd) === 0
    if (isDry && this.#limit < MOST) this.#set(this.#limit * 2)
    else if (!isDry && took > DRAIN_TIME && this.#limit > LEAST) this.#set(Math.max(LEAST, this.#limit * 0.75))
  }

  #shortenStanding(unsent: number): void {
    const now = performance.now()
    if (this.#standingSince === 0) this.#standingSince = now
    if (now - this.#standingSince < STANDING_TIME) return
    this.#standingSince = now
    if (this.#limit > LEAST) this.#set(Math.max(LEAST, Math.min(this.#limit, unsent) / 2))
  }

  #set(limit: number): void {
    this.#limit = limit
    this.#sockets.calls.setOption(this.#fd, this.#sockets.tcpOption.NOTSENT_LOWAT, Math.round(limit))
  }
}
