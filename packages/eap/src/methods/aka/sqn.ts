/**
 * Sequence numbers (3GPP TS 33.102 Annex C): 48 bits, of which the last five, IND, name one of 32 rows, so that vectors that are used out of
 * order are taken; those before them, SEQ, only grow within a row.
 */
const IND_BITS = 5n
const ROWS = 1 << Number(IND_BITS)
const MAX_SQN = (1n << 48n) - 1n
/** Δ (§C.3.1): how far SEQ may leap, lest it be driven to its end. */
const DELTA = 1n << 28n

export function sqnOctets(sqn: bigint): Uint8Array {
  return Uint8Array.from({ length: 6 }, (_, i) => Number((sqn >> BigInt(8 * (5 - i))) & 0xffn))
}

export function sqnOf(octets: Uint8Array): bigint {
  return octets.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n)
}

/** The home's next number (§C.1.1.1, not based on time): SEQ and IND both grow by one. */
export function nextSqn(sqn: bigint): bigint {
  const row = ((sqn & BigInt(ROWS - 1)) + 1n) & BigInt(ROWS - 1)
  return ((((sqn >> IND_BITS) + 1n) << IND_BITS) | row) & MAX_SQN
}

/** The card's rows (§C.2.2): the highest SEQ that was taken in each. */
export class SqnWindow {
  readonly #rows: bigint[]

  /** `sqn`: the highest that the card has taken already. */
  constructor(sqn = 0n) {
    this.#rows = Array.from({ length: ROWS }, () => sqn >> IND_BITS)
  }

  /** Whether it is fresh; then it is not a second time. */
  accept(sqn: bigint): boolean {
    const [seq, row] = [sqn >> IND_BITS, Number(sqn & BigInt(ROWS - 1))]
    if (seq <= this.#rows[row]! || seq - (this.highest >> IND_BITS) > DELTA) return false
    this.#rows[row] = seq
    return true
  }

  /** SQN_MS, which the home is told when they are out of step. */
  get highest(): bigint {
    const seq = this.#rows.reduce((highest, row) => (row > highest ? row : highest), 0n)
    return (seq << IND_BITS) | BigInt(this.#rows.indexOf(seq))
  }
}
