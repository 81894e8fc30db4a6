import { nativeBuffer } from './address.ts'

/** poll(2): readable, writable; error and hang-up are reported without being asked for. */
export const PollEvent = { POLLIN: 0x1, POLLOUT: 0x4, POLLERR: 0x8, POLLHUP: 0x10, POLLNVAL: 0x20 } as const

/**
 * An array of `struct pollfd`. It must stay reachable while a poll is under way, since the kernel writes to it.
 *
 *      0       4        6         8
 *      |  fd   | events | revents |
 */
export class PollSet {
  readonly count: number
  readonly address: number
  readonly #view: DataView
  readonly #isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

  constructor(entries: readonly { readonly fd: number; readonly events: number }[]) {
    const { bytes, address } = nativeBuffer(8 * entries.length)
    this.count = entries.length
    this.address = address
    this.#view = new DataView(bytes.buffer)
    for (const [i, { fd, events }] of entries.entries()) {
      this.#view.setInt32(8 * i, fd, this.#isLittleEndian)
      this.#view.setInt16(8 * i + 4, events, this.#isLittleEndian)
    }
  }

  /** What the last poll said about entry `index`: {@link PollEvent} bits, 0 when nothing. */
  ready(index: number): number {
    return this.#view.getInt16(8 * index + 6, this.#isLittleEndian)
  }
}
