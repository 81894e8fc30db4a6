// What ICMP, or this host, said of packets sent earlier (ip(7), IP_RECVERR).
import { clearTimeout, setTimeout } from 'node:timers'
import { type Libc, MessageFlag, NAME_WORDS, nativeBuffer, SocketMessages } from '@underpass/native'
import type { Endpoint } from './endpoint.ts'
import { Remotes } from './remotes.ts'
import { IP_RECVERR, IPPROTO_IP, IPPROTO_IPV6, IPV6_RECVERR } from './socket-options.ts'

const MESSAGES = 8
const MAX_ROUNDS = 16
/** Anyone can forge ICMP: past so many in a second the socket hears none of it for the next, and its packets pass. */
const MAX_ERRORS = 100
const REST = 1000

/*
 *   struct sock_extended_err (linux/errqueue.h)
 *      0       4        5      6      7     8
 *      | errno | origin | type | code | pad | …
 */
/** What this host refused was told by the send itself. */
const SO_EE_ORIGIN_LOCAL = 1

export class ErrorQueue {
  readonly #libc: Libc
  readonly #fd: number
  readonly #family: 4 | 6
  readonly #onError: (errno: number, remote: Endpoint) => void
  readonly #messages = new SocketMessages(MESSAGES, MESSAGES, 256)
  readonly #payload = nativeBuffer(64)
  readonly #remotes: Remotes
  #second = 0
  #errors = 0
  #deaf: ReturnType<typeof setTimeout> | undefined

  /** @param onError `remote` is where the packet went, not who complained of it. */
  constructor(libc: Libc, fd: number, family: 4 | 6, onError: (errno: number, remote: Endpoint) => void) {
    this.#libc = libc
    this.#fd = fd
    this.#family = family
    this.#onError = onError
    this.#remotes = new Remotes(libc)
    // The octets of the packet itself are not looked at: all may go to one place.
    for (let i = 0; i < MESSAGES; i++) {
      this.#messages.setVector(i, this.#payload.address, this.#payload.bytes.length)
      this.#messages.setVectors(i, i, 1)
    }
  }

  /** Empties it; the socket's pending error goes with it. Number of errors. */
  drain(): number {
    let errors = 0
    for (let round = 0; round < MAX_ROUNDS; round++) {
      for (let i = 0; i < MESSAGES; i++) this.#messages.prepare(i)
      const count = this.#libc.recvmmsg(this.#fd, this.#messages.address, MESSAGES, MessageFlag.ERRQUEUE | MessageFlag.DONTWAIT)
      for (let i = 0; i < count; i++) this.#tell(i)
      if (count <= 0) break
      errors += count
      if (this.#isFlooded(count) || count < MESSAGES) break
    }
    return errors
  }

  /** Before the descriptor is closed. */
  close(): void {
    clearTimeout(this.#deaf)
  }

  #isFlooded(count: number): boolean {
    const second = Math.floor(performance.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#errors = 0
    }
    this.#errors += count
    if (this.#errors <= MAX_ERRORS || this.#deaf !== undefined) return false
    // The kernel forgets what is in the queue, too.
    this.#hear(0)
    this.#deaf = setTimeout(() => {
      this.#deaf = undefined
      this.#hear(1)
    }, REST)
    this.#deaf.unref()
    return true
  }

  #hear(value: 0 | 1): void {
    if (this.#family === 6) this.#libc.setsockopt(this.#fd, IPPROTO_IPV6, IPV6_RECVERR, value)
    else this.#libc.setsockopt(this.#fd, IPPROTO_IP, IP_RECVERR, value)
  }

  #tell(message: number): void {
    const messages = this.#messages
    let error = messages.findControl(message, IPPROTO_IP, IP_RECVERR)
    if (error < 0) error = messages.findControl(message, IPPROTO_IPV6, IPV6_RECVERR)
    if (error < 0 || (messages.controlWords[error + 1] & 0xff) === SO_EE_ORIGIN_LOCAL) return
    this.#onError(messages.controlWords[error], this.#remotes.at(messages.names, message * NAME_WORDS))
  }
}
