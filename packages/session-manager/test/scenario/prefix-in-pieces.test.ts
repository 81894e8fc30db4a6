import { describe, expect, it } from 'vitest'
import { ikeFrame, join, PREFIX } from '../frames.ts'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-PFX-4): the responder waits for the whole prefix', () => {
  it('takes nothing before the sixth octet, then the message once', () => {
    const { pair, request } = recorded()
    const stranger = pair.dialRaw(pair.gateway)
    const octets = join(PREFIX, ikeFrame(request))
    stranger.write(octets.subarray(0, 3))
    pair.run(1_000)
    stranger.write(octets.subarray(3, 5))
    pair.run(1_000)
    expect(pair.counter(pair.gateway, 'ike-messages-in')).toBe(0)
    stranger.write(octets.subarray(5))
    pair.settle()
    expect(pair.counter(pair.gateway, 'ike-messages-in')).toBe(1)
    expect(pair.gateway.core.halfOpen.size).toBe(1)
  })

  it('takes a stream octet by octet', () => {
    const { pair, request } = recorded()
    const stranger = pair.dialRaw(pair.gateway)
    for (const octet of join(PREFIX, ikeFrame(request))) stranger.write(Uint8Array.of(octet))
    pair.settle()
    expect(pair.counter(pair.gateway, 'ike-messages-in')).toBe(1)
    expect(stranger.read().length).toBeGreaterThan(100)
  })

  it('a whole session in chunks of one octet comes up and passes traffic', () => {
    const pair = new Pair({ link: { chunk: 1 } })
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })
})

/** A gateway that nobody talked to yet, and an IKE_SA_INIT request for it. */
function recorded(): { pair: Pair; request: Uint8Array } {
  const other = new Pair()
  other.connect()
  return { pair: new Pair(), request: other.log[0]!.octets }
}
