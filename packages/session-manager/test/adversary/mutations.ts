/** Damaged messages, reproducible from a seed. */
import { seededRandom } from '../network.ts'

/** Every octet string that begins like the message and ends before it does, its Length field as it was and then corrected. */
export function* truncations(message: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < message.length; length++) {
    yield message.slice(0, length)
    if (length >= 28) yield withLength(message.slice(0, length))
  }
}

/** `count` messages with 1 to 8 octets changed, inserted, removed or repeated; the Length field is right in half of them. */
export function* mutations(message: Uint8Array, count: number, seed: string): Generator<Uint8Array> {
  const random = seededRandom(seed)
  const number = (below: number): number => {
    const [a, b, c] = random(3)
    return ((a! << 16) | (b! << 8) | c!) % below
  }
  for (let made = 0; made < count; made++) {
    let octets: number[] = [...message]
    for (let change = number(8); change >= 0; change--) {
      const at = number(octets.length + 1)
      const kind = number(6)
      if (kind === 0) octets.splice(at, 1 + number(8))
      else if (kind === 1) octets.splice(at, 0, ...random(1 + number(8)))
      else if (kind === 2) octets = [...octets.slice(0, at), ...octets.slice(number(at + 1), at), ...octets.slice(at)]
      else if (kind === 3) octets[at] = [0, 1, 0x7f, 0x80, 0xff][number(5)]!
      else octets[at] = number(256)
    }
    const mutated = Uint8Array.from(octets, (octet) => octet ?? 0)
    yield made % 2 === 0 ? withLength(mutated) : mutated
  }
}

/** The header's Length field made true. */
export function withLength(message: Uint8Array): Uint8Array {
  if (message.length >= 28)
    message.set([message.length >>> 24, (message.length >> 16) & 0xff, (message.length >> 8) & 0xff, message.length & 0xff], 24)
  return message
}
