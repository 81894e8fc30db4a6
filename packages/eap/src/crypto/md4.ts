/** MD4 (RFC 1320), for what a standard wants it for and nothing else: it has been broken since 1995. */

const SHIFTS = [
  [3, 7, 11, 19],
  [3, 5, 9, 13],
  [3, 9, 11, 15],
] as const
const ADDENDS = [0, 0x5a827999, 0x6ed9eba1] as const
/** Which word of the block each step takes. */
const ORDERS = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
  [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
] as const

export function md4(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array(((message.length + 8) >> 6) * 64 + 64)
  padded.set(message)
  padded[message.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, message.length * 8, true)
  const state = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476]
  for (let offset = 0; offset < padded.length; offset += 64) mix(state, view, offset)
  padded.fill(0)
  const digest = new DataView(new ArrayBuffer(16))
  for (const [i, word] of state.entries()) digest.setUint32(4 * i, word, true)
  return new Uint8Array(digest.buffer)
}

function mix(state: number[], block: DataView, offset: number): void {
  let [a, b, c, d] = state as [number, number, number, number]
  for (let round = 0; round < 3; round++)
    for (const [step, word] of ORDERS[round]!.entries()) {
      const mixed = (a + choose(round, b, c, d) + block.getUint32(offset + 4 * word, true) + ADDENDS[round]!) | 0
      const shift = SHIFTS[round]![step % 4]!
      const rotated = (mixed << shift) | (mixed >>> (32 - shift))
      a = d
      d = c
      c = b
      b = rotated
    }
  for (const [i, word] of [a, b, c, d].entries()) state[i] = (state[i]! + word) | 0
}

/** F, G and H (RFC 1320 §3.4). */
function choose(round: number, x: number, y: number, z: number): number {
  if (round === 0) return (x & y) | (~x & z)
  return round === 1 ? (x & y) | (x & z) | (y & z) : x ^ y ^ z
}
