import { randomFillSync } from 'node:crypto'
import type { RandomSource } from '@underpass/session-manager'

/** The runtime's cryptographically strong randomness. */
export const nodeRandom: RandomSource = (length) => randomFillSync(new Uint8Array(length))
