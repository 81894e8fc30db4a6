import { describe, expect, it } from 'vitest'
import { ikeFrame, join, PREFIX } from '../frames.ts'
import { MeddledPair, replacing, rewritten } from '../meddler.ts'
import { Pair, sharedKey, UDP } from '../pair.ts'

describe('RFC 7296 §2.6 half-open IKE SAs are bounded', () => {
  it('`limits.maxHalfOpen`: no more are made, and the limit is told', () => {
    const pair = new MeddledPair({ gatewayLimits: { cookieThreshold: 4, maxHalfOpen: 5 } })
    floodOverTcp(pair, 20)
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(5)
    expect(pair.gateway.eventsOf('limit-reached')[0]).toMatchObject({ limit: 'maxHalfOpen' })
    expect(pair.counter(pair.gateway, 'limit-maxHalfOpen')).toBe(15)
  })

  it('`limits.maxHalfOpenPerAddress`: one address does not take the room of others', () => {
    const pair = flooded(20, { maxHalfOpenPerAddress: 3 })
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(3)
    expect(pair.gateway.eventsOf('limit-reached')[0]).toMatchObject({ limit: 'maxHalfOpenPerAddress', remote: { address: '203.0.113.9' } })
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('`limits.maxIkeSas`: bounds all of them together, and what is up stays up', () => {
    const pair = new MeddledPair({ transports: [UDP], gatewayLimits: { maxIkeSas: 2 } })
    pair.connect()
    flood(pair, pair.log[0]!.octets, 20)
    expect(pair.gateway.core.ikeSas.size).toBe(2)
    expect(pair.gateway.eventsOf('limit-reached')[0]).toMatchObject({ limit: 'maxIkeSas' })
    expect(pair.passesTraffic()).toBe(true)
  })

  it('`timers.handshake`: a half-open IKE SA that nobody goes on with is gone, and makes room', () => {
    const pair = new MeddledPair({ gatewayLimits: { cookieThreshold: 4, maxHalfOpen: 5 }, gatewayTimers: { handshake: 3_000 } })
    floodOverTcp(pair, 20)
    pair.run(2_000)
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(5)
    pair.run(2_000)
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(0)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.1: a repeated IKE_SA_INIT makes no second half-open IKE SA and gets the same answer', () => {
    const pair = new MeddledPair({ transports: [UDP] })
    const request = aRequest()
    for (let count = 0; count < 5; count++) {
      pair.deliverIke(pair.gateway, request, { transport: 'udp' })
      pair.settle(50)
    }
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(1)
    const answers = pair.log.filter((entry) => entry.from === pair.gateway).map((entry) => entry.octets.join())
    expect(answers).toHaveLength(5)
    expect(new Set(answers).size).toBe(1)
  })

  it('RFC 6989 §2.5, RFC 7296 §2.6 (K-2): bad public values buy no more key exchanges than good ones before a cookie is asked for', () => {
    const pair = new MeddledPair({ transports: [UDP], gatewayLimits: { cookieThreshold: 5 } })
    const bad = rewritten(
      { octets: aRequest() },
      replacing('KE', (payload) => ({ ...payload, data: new Uint8Array(payload.data.length) })),
    )
    for (let spi = 1; spi <= 20; spi++) {
      flood(pair, bad, spi, spi)
      pair.run(100)
    }
    expect(pair.counter(pair.gateway, 'ike-invalid-public-values')).toBe(5)
    expect(pair.counter(pair.gateway, 'ike-cookies-asked')).toBe(15)
    expect(pair.gateway.outputs.filter((output) => output.includes('crypto-job'))).toHaveLength(5)
  })

  it('RFC 7296 §2.12: repetitions while the key exchange is still computed start no further one', () => {
    const pair = new MeddledPair({ transports: [UDP] })
    pair.gateway.holdsJobs = true
    const request = aRequest()
    for (let count = 0; count < 5; count++) pair.deliverIke(pair.gateway, request, { transport: 'udp' })
    expect(pair.gateway.heldJobs).toHaveLength(1)
  })

  it('a gateway that accepts nobody answers nobody and keeps nothing', () => {
    const pair = new MeddledPair({ transports: [UDP] })
    pair.deliverIke(pair.client, aRequest(), { transport: 'udp' })
    pair.settle()
    expect(pair.log).toHaveLength(0)
    expect(pair.client.core.ikeSas.size).toBe(0)
    expect(pair.counter(pair.client, 'ike-not-accepting')).toBe(1)
  })

  it('an established IKE SA is no longer half-open, nor is one that failed', () => {
    const pair = new Pair()
    pair.connect()
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(0)
    const failed = new Pair({ gateway: { auth: sharedKey(Uint8Array.of(1)) }, clientTimers: { retry: 60_000 } })
    failed.initiate()
    failed.run(1_000)
    expect(failed.gateway.core.inspect(failed.now).halfOpen).toBe(0)
  })
})

function flooded(count: number, gatewayLimits: Record<string, number>): MeddledPair {
  const pair = new MeddledPair({ transports: [UDP], gatewayLimits })
  flood(pair, aRequest(), count)
  return pair
}

/** Requests of one stranger under many SPIs. */
function flood(pair: MeddledPair, request: Uint8Array, count: number, from = 1): void {
  for (let spi = from; spi <= count; spi++) {
    const other = request.slice()
    other.set([0xee, 0, spi], 0)
    pair.deliverIke(pair.gateway, other, { transport: 'udp', remote: { address: '203.0.113.9', port: 500 + spi } })
  }
  pair.settle()
}

/** Over TCP no cookie stands before the limit. */
function floodOverTcp(pair: MeddledPair, count: number): void {
  const request = aRequest()
  for (let spi = 1; spi <= count; spi++) {
    const other = request.slice()
    other.set([0xee, 0, spi], 0)
    pair.dialRaw(pair.gateway).write(join(PREFIX, ikeFrame(other)))
  }
  pair.settle()
}

function aRequest(): Uint8Array {
  const pair = new Pair({ transports: [UDP] })
  pair.initiate()
  pair.run(1000, () => pair.log.length > 0)
  return pair.log[0]!.octets
}
