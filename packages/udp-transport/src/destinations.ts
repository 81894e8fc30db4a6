import type { Libc } from '@underpass/native'
import type { Endpoint } from './endpoint.ts'

/** Where packets go, with what was learned about the way there. */
export interface Destination {
  readonly remote: Endpoint
  /** `struct sockaddr`. */
  readonly name: Uint8Array
  /** Longest datagram that may be part of a segmented send; longer ones have to be fragmented, which the kernel does not do to segments. */
  maxSegment: number
  /** When `maxSegment` was lowered: a path's MTU may grow again. */
  loweredAt: number
}

/** Of {@link Destination.maxSegment}: no limit known. */
export const LONGEST = 0xffff

const MAX_KNOWN = 4096

/** Socket addresses of endpoints, so that an address is not parsed for every packet. */
export class Destinations {
  readonly #libc: Libc
  readonly #known = new Map<string, Map<number, Destination>>()
  #size = 0
  #last: Destination | undefined

  constructor(libc: Libc) {
    this.#libc = libc
  }

  find(remote: Endpoint): Destination | undefined {
    const last = this.#last
    if (last !== undefined && last.remote.port === remote.port && last.remote.address === remote.address) return last
    const found = this.#known.get(remote.address)?.get(remote.port)
    if (found !== undefined) this.#last = found
    return found
  }

  /** @throws NativeError `ARGUMENT` */
  add({ address, port }: Endpoint): Destination {
    const name = this.#libc.encodeAddress(address, port)
    const destination: Destination = { remote: { address, port }, name, maxSegment: LONGEST, loweredAt: 0 }
    if (this.#size++ >= MAX_KNOWN) {
      this.#known.clear()
      this.#size = 1
    }
    let ports = this.#known.get(address)
    if (ports === undefined) {
      ports = new Map()
      this.#known.set(address, ports)
    }
    ports.set(port, destination)
    return destination
  }
}
