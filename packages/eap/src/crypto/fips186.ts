/** The generator of FIPS 186-2, change notice 1, as EAP-AKA has it (RFC 4187 Appendix A): no reduction modulo q, no XSEED. */

const WORDS = 5
const DIGEST = 20

/** `length` octets that come of a key of 20. */
export function fips186Prf(key: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(Math.ceil(length / DIGEST) * DIGEST)
  const xkey = key.slice(0, DIGEST)
  for (let offset = 0; offset < out.length; offset += DIGEST) {
    const w = g(xkey)
    out.set(w, offset)
    addWithOne(xkey, w)
  }
  xkey.fill(0)
  return out.slice(0, length)
}

/** XKEY = (1 + XKEY + w) mod 2^160. */
function addWithOne(xkey: Uint8Array, w: Uint8Array): void {
  let carry = 1
  for (let i = DIGEST - 1; i >= 0; i--) {
    const sum = xkey[i]! + w[i]! + carry
    xkey[i] = sum & 0xff
    carry = sum >> 8
  }
}

/** G(t, c): SHA-1's compression of c and zeros, without the padding that SHA-1 would put there. */
function g(c: Uint8Array): Uint8Array {
  const block = new Uint8Array(64)
  block.set(c)
  const initial = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]
  const mixed = rounds(schedule(block), initial)
  const out = new Uint8Array(DIGEST)
  const view = new DataView(out.buffer)
  for (let i = 0; i < WORDS; i++) view.setUint32(4 * i, (initial[i]! + mixed[i]!) >>> 0)
  return out
}

function schedule(block: Uint8Array): Uint32Array {
  const words = new Uint32Array(80)
  const view = new DataView(block.buffer)
  for (let i = 0; i < 16; i++) words[i] = view.getUint32(4 * i)
  for (let i = 16; i < 80; i++) words[i] = rotl(words[i - 3]! ^ words[i - 8]! ^ words[i - 14]! ^ words[i - 16]!, 1)
  return words
}

function rounds(words: Uint32Array, initial: readonly number[]): number[] {
  let [a = 0, b = 0, c = 0, d = 0, e = 0] = initial
  for (const [i, word] of words.entries()) {
    const [mix, constant] = stage(i, b, c, d)
    const next = (rotl(a, 5) + mix + e + constant + word) >>> 0
    ;[e, d, c, b, a] = [d, c, rotl(b, 30), a, next]
  }
  return [a, b, c, d, e]
}

/** FIPS 180 §4.1.1, §4.2.1. */
function stage(i: number, b: number, c: number, d: number): readonly [number, number] {
  if (i < 20) return [((b & c) | (~b & d)) >>> 0, 0x5a827999]
  if (i < 40) return [(b ^ c ^ d) >>> 0, 0x6ed9eba1]
  if (i < 60) return [((b & c) | (b & d) | (c & d)) >>> 0, 0x8f1bbcdc]
  return [(b ^ c ^ d) >>> 0, 0xca62c1d6]
}

function rotl(word: number, by: number): number {
  return ((word << by) | (word >>> (32 - by))) >>> 0
}
