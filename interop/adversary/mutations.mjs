// Damaged messages, the same ones for the same seed.

/** `count` messages with 1 to 8 octets changed, put in, taken out or repeated; the Length field is right in half of them. */
export function* mutations(message, count, seed) {
  const random = generator(seed)
  const below = (limit) => Math.floor(random() * limit)
  for (let made = 0; made < count; made++) {
    let octets = [...message]
    for (let change = below(8); change >= 0; change--) {
      const at = below(octets.length + 1)
      const some = Array.from({ length: 1 + below(8) }, () => below(256))
      const kind = below(6)
      if (kind === 0) octets.splice(at, some.length)
      else if (kind === 1) octets.splice(at, 0, ...some)
      else if (kind === 2) octets = [...octets.slice(0, at), ...octets.slice(below(at + 1), at), ...octets.slice(at)]
      else octets[at] = kind === 3 ? [0, 1, 0x7f, 0x80, 0xff][below(5)] : below(256)
    }
    const mutated = Buffer.from(octets)
    if (made % 2 === 0 && mutated.length >= 28) mutated.writeUInt32BE(mutated.length, 24)
    yield mutated.subarray(0, 60_000)
  }
}

/** Numbers below 1, by Marsaglia's xorshift of 32 bits. */
function generator(seed) {
  let state = [...seed].reduce((sum, character) => (Math.imul(sum, 31) + character.charCodeAt(0)) | 0, 0x1234_5678) || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
