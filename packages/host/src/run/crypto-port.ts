/** Key exchanges off the data path (RFC 7296 §2.12): one in a turn of the event loop, so that packets pass between two of them. */
import { nodeKeyExchange } from '@underpass/ike-crypto/node'
import type { CryptoResult, CryptoWork, RandomSource } from '@underpass/session-manager'
import { reasonOf } from '../host-error.ts'
import { nodeRandom } from './random.ts'

export function cryptoPort(random: RandomSource = nodeRandom): (work: CryptoWork) => Promise<CryptoResult> {
  const waiting: (() => void)[] = []
  const runOne = (): void => {
    waiting.shift()!()
    if (waiting.length > 0) setImmediate(runOne)
  }
  return (work) =>
    new Promise((resolve) => {
      waiting.push(() => resolve(perform(work, random)))
      if (waiting.length === 1) setImmediate(runOne)
    })
}

function perform(work: CryptoWork, random: RandomSource): CryptoResult {
  const exchange = nodeKeyExchange(work.method)
  if (exchange === undefined) return { kind: 'failed', detail: `key exchange method ${work.method} is not implemented` }
  try {
    switch (work.kind) {
      case 'ke-initiate':
        return { kind: 'ke-initiated', ...exchange.initiate(random) }
      case 'ke-respond':
        return { kind: 'ke-responded', ...exchange.respond(random, work.peerPublic) }
      case 'ke-complete':
        return { kind: 'ke-completed', sharedSecret: exchange.complete(work.secret, work.peerPublic) }
    }
  } catch (error) {
    return { kind: 'failed', detail: reasonOf(error) }
  }
}
