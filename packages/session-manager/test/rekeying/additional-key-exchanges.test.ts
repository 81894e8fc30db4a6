import { expect, it } from 'vitest'
import { parseIkeSuite } from '../../src/index.ts'
import { UDP } from '../pair.ts'
import { WatchedPair } from './support.ts'

it.each(['client', 'gateway'] as const)(
  'RFC 7296 §2.18, RFC 7383 §2.3: an IKE SA with an additional key exchange is rekeyed by the %s without one, and goes on taking fragments',
  (who) => {
    const peer = { ikeProposals: [parseIkeSuite('aes256gcm16-prfsha256-x25519-ke1_ecp256')] }
    const pair = new WatchedPair({ transports: [UDP], client: peer, gateway: peer })
    pair.connect()
    const before = pair.currentOf(pair[who])
    pair.rekey(pair[who], 'ike-sa')
    pair.run(6_000)
    for (const node of [pair.client, pair.gateway]) {
      expect(pair.currentOf(node)).not.toBe(before)
      expect(pair.currentOf(node)).toMatchObject({ isFragmenting: true, suite: parseIkeSuite('aes256gcm16-prfsha256-x25519') })
    }
    expect(pair.leftovers()).toEqual([])
  },
)
