import { endianness } from 'node:os'
import { nativeBuffer } from './address.ts'
import { NativeError } from './native-error.ts'
import { SOCKADDR_IN6 } from './socket-address.ts'

/**
 * An array of `struct mmsghdr` with the `struct iovec`s, the socket addresses and the control messages that it points to, in memory
 * that is used again for each call: nothing is allocated. For 64-bit Linux, little-endian:
 *
 *      0          8          12    16       24         32        40           48      52    56       60   64
 *      | msg_name | namelen  | gap | msg_iov | iovlen  | control | controllen | flags | gap | msg_len | gap |
 *
 *      iovec       | base (8) | length (8) |
 *      cmsghdr     | cmsg_len (8) | level (4) | type (4) | data …, up to a multiple of 8 |
 *
 * It must stay reachable for as long as a call uses it.
 */
export class SocketMessages {
  readonly count: number
  /** Of the array, for `sendmmsg` and `recvmmsg`. */
  readonly address: number
  readonly #headers: Uint32Array
  readonly #vectors: Uint32Array
  readonly #vectorsAddress: number
  readonly #names: Uint32Array
  readonly #namesAddress: number
  readonly #controls: Uint32Array
  readonly #controlsAddress: number
  readonly #controlRoom: number

  /** @param controlRoom Octets for control messages of each message, a multiple of 8. @throws NativeError `UNAVAILABLE` */
  constructor(count: number, vectors: number, controlRoom: number) {
    // The structures and the numbers of the options differ elsewhere.
    if (!ARCHITECTURES.includes(process.arch) || endianness() !== 'LE') {
      throw new NativeError('UNAVAILABLE', `no struct msghdr for ${process.arch}`)
    }
    const headers = nativeBuffer(HEADER * count)
    const iovecs = nativeBuffer(VECTOR * vectors)
    const names = nativeBuffer(NAME * count)
    const controls = nativeBuffer(controlRoom * count)
    this.count = count
    this.address = headers.address
    this.#headers = new Uint32Array(headers.bytes.buffer)
    this.#vectors = new Uint32Array(iovecs.bytes.buffer)
    this.#vectorsAddress = iovecs.address
    this.#names = new Uint32Array(names.bytes.buffer)
    this.#namesAddress = names.address
    this.#controls = new Uint32Array(controls.bytes.buffer)
    this.#controlsAddress = controls.address
    this.#controlRoom = controlRoom
  }

  /** Address of entry `message` of the array. */
  addressOf(message: number): number {
    return this.address + HEADER * message
  }

  /** Octets at `address`. The caller answers for them, and keeps them reachable. */
  setVector(vector: number, address: number, length: number): void {
    setPointer(this.#vectors, (VECTOR / 4) * vector, address)
    this.#vectors[(VECTOR / 4) * vector + 2] = length
  }

  /** The message's octets are those of `count` vectors from `first`. */
  setVectors(message: number, first: number, count: number): void {
    const at = (HEADER / 4) * message
    setPointer(this.#headers, at + 4, this.#vectorsAddress + VECTOR * first)
    this.#headers[at + 6] = count
  }

  /** Where the message goes: a `struct sockaddr` elsewhere, which many messages may share. */
  setName(message: number, address: number, length: number): void {
    const at = (HEADER / 4) * message
    setPointer(this.#headers, at, address)
    this.#headers[at + 2] = length
  }

  /** Makes the message ready to receive: it has its own room for an address and for control messages. */
  prepare(message: number): void {
    const at = (HEADER / 4) * message
    setPointer(this.#headers, at, this.#namesAddress + NAME * message)
    this.#headers[at + 2] = SOCKADDR_IN6
    setPointer(this.#headers, at + 8, this.#controlsAddress + this.#controlRoom * message)
    this.#headers[at + 10] = this.#controlRoom
    this.#headers[at + 12] = 0
  }

  /** Sends the message without control messages. */
  clearControl(message: number): void {
    const at = (HEADER / 4) * message
    setPointer(this.#headers, at + 8, 0)
    this.#headers[at + 10] = 0
  }

  /** Sends the message with one control message, a number of at most 32 bits that takes `length` octets. */
  setControl(message: number, level: number, type: number, value: number, length: 2 | 4): void {
    const at = (HEADER / 4) * message
    setPointer(this.#headers, at + 8, this.#controlsAddress + this.#controlRoom * message)
    this.#headers[at + 10] = CONTROL_HEADER + 8
    const control = (this.#controlRoom / 4) * message
    this.#controls[control] = CONTROL_HEADER + length
    this.#controls[control + 1] = 0
    this.#controls[control + 2] = level
    this.#controls[control + 3] = type
    this.#controls[control + 4] = value
  }

  /** Octets received. */
  length(message: number): number {
    return this.#headers[(HEADER / 4) * message + 14]
  }

  /** {@link MessageFlag} bits of what was received. */
  flags(message: number): number {
    return this.#headers[(HEADER / 4) * message + 12]
  }

  /** The sender's `struct sockaddr`, in words of four octets; {@link NAME_WORDS} for each message. */
  get names(): Uint32Array {
    return this.#names
  }

  /** Index of the data of a received control message among {@link controlWords}, or −1 where there is none of that kind. */
  findControl(message: number, level: number, type: number): number {
    const start = (this.#controlRoom / 4) * message
    const end = start + (this.#headers[(HEADER / 4) * message + 10] >>> 2)
    const words = this.#controls
    for (let at = start; at + CONTROL_HEADER / 4 <= end; ) {
      const length = words[at]
      if (length < CONTROL_HEADER) return -1
      if (words[at + 2] === level && words[at + 3] === type) return at + CONTROL_HEADER / 4
      at += ((length + 7) & ~7) >>> 2
    }
    return -1
  }

  get controlWords(): Uint32Array {
    return this.#controls
  }
}

/** sys/socket.h: what `sendmmsg`, `recvmmsg` take and what {@link SocketMessages.flags} tells. */
export const MessageFlag = { CTRUNC: 0x8, TRUNC: 0x20, DONTWAIT: 0x40, ERRQUEUE: 0x2000, NOSIGNAL: 0x4000 } as const

/** Words of four octets that a socket address takes in {@link SocketMessages.names}. */
export const NAME_WORDS = 8

const ARCHITECTURES: readonly string[] = ['x64', 'arm64', 'riscv64', 'loong64']
const HEADER = 64
const VECTOR = 16
const NAME = 4 * NAME_WORDS
const CONTROL_HEADER = 16

/** As 32-bit halves: a 64-bit store would need a bigint. */
function setPointer(words: Uint32Array, index: number, address: number): void {
  words[index] = address
  words[index + 1] = address / 0x1_0000_0000
}
