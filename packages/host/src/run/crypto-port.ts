/** Key exchanges and signatures off the data path (RFC 7296 §2.12): one in a turn of the event loop, so that packets pass between two of them. */
import { nodeKeyExchange } from '@underpass/ike-crypto/node'
import type { CryptoResult, CryptoWork, RandomSource } from '@underpass/session-manager'
import { type Credentials, NO_CREDENTIALS } from '../config/authentication.ts'
import { reasonOf } from '../host-error.ts'
import { EapWorks } from './eap-works.ts'
import { nodeRandom } from './random.ts'
import { Signatures } from './signatures.ts'

export function cryptoPort(
  random: RandomSource = nodeRandom,
  credentials: Credentials = NO_CREDENTIALS,
): (work: CryptoWork) => Promise<CryptoResult> {
  const signatures = new Signatures(credentials)
  const eap = new EapWorks(credentials, random)
  const waiting: (() => void)[] = []
  const runOne = (): void => {
    waiting.shift()!()
    if (waiting.length > 0) setImmediate(runOne)
  }
  return (work) => {
    // Of its own time, and others' work beside it.
    if (work.kind === 'eap') return eap.perform(work.work)
    return new Promise((resolve) => {
      waiting.push(() => resolve(work.kind === 'sign' || work.kind === 'verify-peer' ? signatures.perform(work) : perform(work, random)))
      if (waiting.length === 1) setImmediate(runOne)
    })
  }
}

function perform(work: Exclude<CryptoWork, { kind: 'sign' | 'verify-peer' | 'eap' }>, random: RandomSource): CryptoResult {
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
