import { nativeBuffer } from './address.ts'

/**
 * An array of `struct epoll_event`, which is packed on x86-64 alone. Little-endian.
 *
 *      0        4                   12  16
 *      | events | data               |          x86-64
 *      | events | (gap) | data           |      elsewhere
 */
export class EpollEvents {
  readonly count: number
  readonly address: number
  readonly #view: DataView

  constructor(count: number) {
    const { bytes, address } = nativeBuffer(STRIDE * count)
    this.count = count
    this.address = address
    this.#view = new DataView(bytes.buffer)
  }

  set(index: number, events: number, data: number): void {
    this.#view.setUint32(STRIDE * index, events, true)
    this.#view.setUint32(STRIDE * index + DATA, data, true)
  }

  /** What the descriptor of entry `index` is ready for: {@link PollEvent} bits, which epoll shares. */
  events(index: number): number {
    return this.#view.getUint32(STRIDE * index, true)
  }

  /** What was registered with the descriptor that entry `index` is about. */
  data(index: number): number {
    return this.#view.getUint32(STRIDE * index + DATA, true)
  }
}

const isPacked = process.arch === 'x64'
const STRIDE = isPacked ? 12 : 16
const DATA = isPacked ? 4 : 8
