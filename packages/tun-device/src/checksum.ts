import { type Sum, sumOf } from './packet-memory.ts'

/*
 * The Internet checksum (RFC 1071). Sums are kept in the byte order of memory, which the one's complement sum allows (§2 (B)), and
 * every platform this runs on is little-endian: a sum is stored with its low octet first.
 */

let recentView: Uint8Array | undefined
let recentWords = new Uint32Array(0)
let recentSum: Sum | undefined
const wordsOfBuffers = new WeakMap<ArrayBufferLike, Uint32Array>()

/** Notes what is known of the buffer under `view`: how it is summed, or else its aligned 32-bit words, made once and not for a packet. */
function look(view: Uint8Array): void {
  const { buffer } = view
  recentView = view
  recentSum = sumOf(buffer)
  if (recentSum !== undefined) return
  let words = wordsOfBuffers.get(buffer)
  if (words === undefined) {
    words = new Uint32Array(buffer, 0, buffer.byteLength >>> 2)
    wordsOfBuffers.set(buffer, words)
  }
  recentWords = words as Uint32Array<ArrayBuffer>
}

/** One's complement sum, 16 bits, of up to 65,535 octets. An odd last octet is padded with zero (RFC 1071 §1). */
export function checksumOf(view: Uint8Array, offset: number, length: number): number {
  if (view !== recentView) look(view)
  return recentSum === undefined ? sumOfWords(recentWords, view, offset, length) : fold(recentSum(view.byteOffset + offset, length))
}

/**
 * In JavaScript. Whole 32-bit words are added as doubles, which hold the sum of 65,535 octets exactly and cost about half of splitting
 * each word into halves; the halves are added at the end.
 */
function sumOfWords(words: Uint32Array, view: Uint8Array, offset: number, length: number): number {
  let at = offset
  const end = offset + length
  const isOdd = ((view.byteOffset + offset) & 1) === 1
  let rest = 0
  if (isOdd && at < end) rest += view[at++] << 8
  if (((view.byteOffset + at) & 2) !== 0 && at + 2 <= end) {
    rest += view[at] | (view[at + 1] << 8)
    at += 2
  }
  let word = (view.byteOffset + at) >>> 2
  const lastWord = word + ((end - at) >>> 2)
  // Four sums that do not wait for one another.
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  for (; word + 8 <= lastWord; word += 8) {
    a += words[word] + words[word + 4]
    b += words[word + 1] + words[word + 5]
    c += words[word + 2] + words[word + 6]
    d += words[word + 3] + words[word + 7]
  }
  for (; word < lastWord; word++) a += words[word]
  at += (end - at) & ~3
  if (at + 2 <= end) {
    rest += view[at] | (view[at + 1] << 8)
    at += 2
  }
  if (at < end) rest += view[at]
  const total = a + b + c + d
  // 2³² leaves 1 when divided by 65,535, as every carry does: what stands above it is added back in.
  const above = Math.floor(total / 0x1_0000_0000)
  const below = (total - above * 0x1_0000_0000) >>> 0
  const sum = fold((below & 0xffff) + (below >>> 16) + above + rest)
  // From an odd address every octet was counted in the other half (§2 (B), byte swapping).
  return isOdd ? swap(sum) : sum
}

/** Adds the carries back in: any sum below 2³² to 16 bits. */
export function fold(sum: number): number {
  let folded = (sum & 0xffff) + (sum >>> 16)
  folded = (folded & 0xffff) + (folded >>> 16)
  return folded
}

/** A 16-bit number as it is added to a sum in memory order. */
export function swap(value: number): number {
  return ((value & 0xff) << 8) | ((value >>> 8) & 0xff)
}

/** Stores a sum, not complemented, as the partial checksum that the kernel or a network card completes. */
export function storeSum(buffer: Uint8Array, at: number, sum: number): void {
  buffer[at] = sum & 0xff
  buffer[at + 1] = sum >>> 8
}

/** Stores the complement of `sum`: the checksum itself. */
export function storeChecksum(buffer: Uint8Array, at: number, sum: number): void {
  storeSum(buffer, at, ~sum & 0xffff)
}

/**
 * Sum of the pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1) of the IP packet at `packet`, for a transport part of `length` octets; of a long
 * super-packet's length the upper half counts too, as the kernel has it.
 */
export function pseudoHeaderSum(buffer: Uint8Array, packet: number, protocol: number, length: number): number {
  const isIpv4 = buffer[packet] >>> 4 === 4
  const addresses = isIpv4 ? checksumOf(buffer, packet + 12, 8) : checksumOf(buffer, packet + 8, 32)
  return fold(addresses + swap(protocol) + swap(length & 0xffff) + swap(length >>> 16))
}

/** Computes and stores the header checksum of the IPv4 packet at `packet` (RFC 791 §3.1). */
export function storeIpv4HeaderChecksum(buffer: Uint8Array, packet: number, headerLength: number): void {
  buffer[packet + 10] = 0
  buffer[packet + 11] = 0
  storeChecksum(buffer, packet + 10, checksumOf(buffer, packet, headerLength))
}
