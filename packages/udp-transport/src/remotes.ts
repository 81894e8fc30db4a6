import { type Libc, NAME_WORDS } from '@underpass/native'
import type { Endpoint } from './endpoint.ts'

const SLOTS = 1024
/** Slots that one address may be in: so many remotes of one hash get on without driving each other out. */
const WAYS = 4
const AF_INET = 2

interface Known {
  readonly words: Uint32Array
  readonly endpoint: Endpoint
}

/** The endpoints that socket addresses stand for: one object for one remote, and no text made for it again while it goes on sending. */
export class Remotes {
  readonly #libc: Libc
  readonly #slots: (Known | undefined)[] = new Array(SLOTS + WAYS).fill(undefined)
  /** Whose turn it is to go where all slots are taken. */
  #turn = 0
  #last: Known | undefined

  constructor(libc: Libc) {
    this.#libc = libc
  }

  /** @param words `struct sockaddr_in` or `sockaddr_in6` from `words[at]` on. */
  at(words: Uint32Array, at: number): Endpoint {
    const last = this.#last
    if (last !== undefined && isEqual(last.words, words, at)) return last.endpoint
    const first = hash(words, at) % SLOTS
    let free = first + (this.#turn++ % WAYS)
    for (let slot = first; slot < first + WAYS; slot++) {
      const known = this.#slots[slot]
      if (known === undefined) {
        free = slot
        break
      }
      if (isEqual(known.words, words, at)) {
        this.#last = known
        return known.endpoint
      }
    }
    const copy = words.slice(at, at + NAME_WORDS)
    this.#last = this.#slots[free] = { words: copy, endpoint: this.#libc.decodeAddress(new Uint8Array(copy.buffer)) }
    return this.#last.endpoint
  }
}

/** Family, port and address; for IPv6 the zone, but not the flow label. */
function isEqual(left: Uint32Array, right: Uint32Array, at: number): boolean {
  if (left[0] !== right[at]) return false
  if ((left[0] & 0xff) === AF_INET) return left[1] === right[at + 1]
  return (
    left[2] === right[at + 2] &&
    left[3] === right[at + 3] &&
    left[4] === right[at + 4] &&
    left[5] === right[at + 5] &&
    left[6] === right[at + 6]
  )
}

function hash(words: Uint32Array, at: number): number {
  let value = words[at]
  value ^= (words[at] & 0xff) === AF_INET ? words[at + 1] : words[at + 2] ^ words[at + 3] ^ words[at + 4] ^ words[at + 5]
  return (Math.imul(value, 0x9e3779b1) >>> 16) & 0xffff
}
