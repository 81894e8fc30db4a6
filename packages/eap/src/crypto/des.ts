/** DES (FIPS 46-3), one block at a time, for MS-CHAP-V2 and nothing else: its key is too short for anything. */

const IP = [
  58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
].concat([57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7])
const FP = IP.map((_, i) => IP.indexOf(i + 1) + 1)
const P = [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25]
/** The expansion: six bits for each of eight boxes, each with its neighbours' edges. */
const E = Array.from({ length: 48 }, (_, i) => ((Math.floor(i / 6) * 4 + (i % 6) + 31) % 32) + 1)
const PC1 = [57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36].concat([
  63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
])
const PC2 = [14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2].concat([
  41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
])
const ROTATIONS = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1]
/** Each box as the hex digits of its four rows, one behind the other. */
const S = [
  'e4d12fb83a6c59070f74e2d1a6cb953841e8d62bfc973a50fc8249175b3ea06d',
  'f18e6b34972dc05a3d47f28ec01a69b50e7ba4d158c6932fd8a13f42b67c05e9',
  'a09e63f51dc7b428d709346a285ecbf1d6498f30b12c5ae71ad069874fe3b52c',
  '7de3069a1285bc4fd8b56f03472c1ae9a690cb7df13e52843f06a1d8945bc72e',
  '2c417ab6853fd0e9eb2c47d150fa3986421bad78f9c5630eb8c71e2d6f09a453',
  'c1af92680d34e75baf427c9561de0b389ef528c3704a1db6432c95fabe17608d',
  '4b2ef08d3c975a61d0b7491ae35c2f8614bdc37eaf6805926bd814a7950fe23c',
  'd2846fb1a93e50c71fd8a374c56b0e927b419ce206adf35821e74a8dfc90356b',
]

type Bits = readonly number[]

/** `key`: 8 octets, whose parity bits do not count; `block`: 8 octets. */
export function desEncrypt(key: Uint8Array, block: Uint8Array): Uint8Array {
  const keys = schedule(key)
  const bits = pick(bitsOf(block), IP)
  let [left, right] = [bits.slice(0, 32), bits.slice(32)]
  for (const roundKey of keys) [left, right] = [right, xor(left, feistel(right, roundKey))]
  return octetsOf(pick([...right, ...left], FP))
}

/** RFC 2759 §8.6: 7 octets as the 56 bits of a key. */
export function keyOfSeven(octets: Uint8Array): Uint8Array {
  const bits = bitsOf(octets)
  return octetsOf(Array.from({ length: 64 }, (_, i) => (i % 8 === 7 ? 0 : bits[Math.floor(i / 8) * 7 + (i % 8)]!)))
}

function schedule(key: Uint8Array): Bits[] {
  const bits = pick(bitsOf(key), PC1)
  let [c, d] = [bits.slice(0, 28), bits.slice(28)]
  return ROTATIONS.map((by) => {
    ;[c, d] = [rotate(c, by), rotate(d, by)]
    return pick([...c, ...d], PC2)
  })
}

function feistel(half: Bits, roundKey: Bits): Bits {
  const mixed = xor(pick(half, E), roundKey)
  const out = S.flatMap((box, i) => {
    const [a, b, c, d, e, f] = mixed.slice(6 * i, 6 * i + 6) as [number, number, number, number, number, number]
    const place = (2 * a + f) * 16 + 8 * b + 4 * c + 2 * d + e
    const value = Number.parseInt(box[place]!, 16)
    return [value >> 3, (value >> 2) & 1, (value >> 1) & 1, value & 1]
  })
  return pick(out, P)
}

function pick(bits: Bits, places: readonly number[]): number[] {
  return places.map((place) => bits[place - 1]!)
}

function rotate(bits: Bits, by: number): number[] {
  return [...bits.slice(by), ...bits.slice(0, by)]
}

function xor(a: Bits, b: Bits): number[] {
  return a.map((bit, i) => bit ^ b[i]!)
}

function bitsOf(octets: Uint8Array): number[] {
  return [...octets].flatMap((octet) => Array.from({ length: 8 }, (_, i) => (octet >> (7 - i)) & 1))
}

function octetsOf(bits: Bits): Uint8Array {
  return Uint8Array.from({ length: bits.length / 8 }, (_, i) => bits.slice(8 * i, 8 * i + 8).reduce((octet, bit) => 2 * octet + bit, 0))
}
