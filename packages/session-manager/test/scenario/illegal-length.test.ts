import { describe, expect, it } from 'vitest'
import { Pair } from '../pair.ts'

describe('RFC 9329 §3.1, §3.2 (T-FRM-5): Length 0 or 1 is fatal for the connection, not for the SAs', () => {
  it.each([0, 1])('Length %i at the gateway: the connection is closed, the SAs stay, the client dials again', (length) => {
    const pair = new Pair()
    pair.connect()
    const spis = [...pair.gateway.core.sad.keys()]
    pair.inject(pair.pipe, pair.gateway, Uint8Array.of(0, length))
    expect(pair.gateway.eventsOf('connection-closed').map((event) => event.reason)).toEqual(['ILLEGAL_LENGTH'])
    expect(pair.counter(pair.gateway, 'connection-illegal-length')).toBe(1)
    expect([...pair.gateway.core.sad.keys()]).toEqual(spis)
    pair.run(1_000)
    expect(pair.pipes).toHaveLength(2)
    expect(pair.passesTraffic()).toBe(true)
    expect([...pair.gateway.core.sad.keys()]).toEqual(spis)
  })

  it('Length 1 at the client: it closes, keeps its SAs and dials again', () => {
    const pair = new Pair()
    pair.connect()
    pair.inject(pair.pipe, pair.client, Uint8Array.of(0, 1))
    pair.run(1_000)
    expect(pair.pipes).toHaveLength(2)
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
  })
})
