import { expect, it } from 'vitest'
import { gatewayPeer, sessionConfig, UDP } from '../pair.ts'
import { WatchedPair } from './support.ts'

const SECRET = new Uint8Array(32).fill(7)
const QUIET = { liveness: 600_000, resume: 20_000, response: 60_000, reconnect: 120_000 }

it.each(['client', 'gateway'] as const)('RFC 6290 §4.3: an IKE SA that the %s made of another has a token of its own', (who) => {
  const pair = new WatchedPair({ transports: [UDP], gatewayCrashSecret: SECRET, clientTimers: QUIET, gatewayTimers: QUIET })
  pair.connect()
  const [before] = pair.saOf(pair.client).crashTokens
  pair.rekey(pair[who], 'ike-sa')
  pair.run(3_000)
  expect(pair.leftovers()).toEqual([])
  const { crashTokens } = pair.currentOf(pair.client)
  expect(crashTokens).toHaveLength(1)
  // The old one can be had by whoever asks, now that its IKE SA is gone: it must not be worth anything.
  expect(crashTokens).not.toContainEqual(before)
  pair.nodes.splice(pair.nodes.indexOf(pair.gateway), 1)
  const fresh = pair.add('gateway-2', pair.gateway.address, { ...sessionConfig([gatewayPeer()], true), crashSecret: SECRET })
  pair.command(pair.client, { kind: 'check-liveness' })
  pair.run(2_500)
  expect(pair.counter(pair.client, 'ike-crashes-proved')).toBe(1)
  expect(fresh.core.sad.size).toBe(1)
})
