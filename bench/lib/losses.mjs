// Which packets a link loses, the same ones for the same seed.

/**
 * Packets that a bad spell lasts in the mean, the share of them that it takes, and the milliseconds without a packet after which it is drawn
 * anew whether it is one. Otherwise a flow that waits for a timeout, twice as long each time, would find the spell where it left it.
 */
export const BURST = { packets: 5, share: 0.8, milliseconds: 20 }

/**
 * @param {{ pattern: 'random' | 'bursty', loss: number, seed: number }} how `loss`: the share of all packets. 'bursty' is the model of Gilbert
 *   and Elliott: two states, nothing is lost in the good one
 * @returns {(now: number) => boolean} asked once for each packet, in milliseconds
 */
export function losses({ pattern, loss, seed }) {
  const random = generator(seed)
  if (pattern === 'random' || loss === 0) return () => random() < loss
  const isBadShare = loss / BURST.share
  const toGood = 1 / BURST.packets
  const toBad = (toGood * isBadShare) / (1 - isBadShare)
  let isBad = false
  let last = Number.NEGATIVE_INFINITY
  return (now) => {
    if (now - last > BURST.milliseconds) isBad = random() < isBadShare
    else if (random() < (isBad ? toGood : toBad)) isBad = !isBad
    last = now
    return isBad && random() < BURST.share
  }
}

/** A linear congruential generator modulo 2^32 whose upper bits are used; 0 to below 1. */
function generator(seed) {
  // Neighbouring seeds are to begin far apart.
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
