import { describe, expect, it } from 'vitest'
import { Pair, TCP } from '../pair.ts'

describe('RFC 9329 §6.2 (T-RTX-1): over TCP a request is sent once on a connection, and silence is its end, and then that of the IKE SA', () => {
  it('a liveness check of a mute peer: one request on the stream, the connection goes after `timers.response`, the SA `timers.resume` later', () => {
    const pair = new Pair({ clientTimers: { response: 30_000 } })
    pair.connect()
    pair.link.isTcpSilent = true
    const from = pair.log.length
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.run(29_900)
    expect(pair.transcript(from).filter((line) => line.startsWith('I'))).toEqual(['I → R  HDR, SK {}'])
    expect(pair.client.core.ikeSas.size).toBe(1)
    // T-RTX-2: the same request, once, on another connection.
    pair.run(3_000)
    const asked = pair.log.slice(from).filter((entry) => entry.from === pair.client)
    expect(asked).toHaveLength(2)
    expect(asked[0]!.octets).toEqual(asked[1]!.octets)
    expect(pair.pipes).toHaveLength(2)
    pair.run(600)
    expect(pair.client.eventsOf('ike-sa-closed')).toMatchObject([
      { byPeer: false, reason: expect.stringContaining('no answer to liveness') },
    ])
    expect(pair.client.eventsOf('liveness')).toMatchObject([{ result: 'dead' }])
    expect(pair.client.core.sad.size).toBe(0)
  })

  it('IKE_SA_INIT: one request in the whole of `timers.handshake`', () => {
    const pair = new Pair({ transports: [TCP], clientTimers: { handshake: 20_000 } })
    pair.gateway.isFrozen = true
    pair.initiate()
    pair.run(19_900)
    expect(pair.transcript()).toHaveLength(1)
    pair.run(200)
    expect(pair.client.core.ikeSas.size).toBe(0)
    expect(pair.client.core.connections.size).toBe(0)
    expect(pair.client.eventsOf('transport-failed')).toHaveLength(1)
  })

  it('IKE_AUTH: one request, too', () => {
    const pair = new Pair({ transports: [TCP] })
    pair.initiate()
    pair.run(1_000, () => pair.log.length === 2)
    pair.link.isTcpSilent = true
    pair.run(29_000)
    expect(pair.transcript().filter((line) => line.includes('IDi'))).toHaveLength(1)
    pair.run(2_000)
    expect(pair.client.eventsOf('transport-failed')).toHaveLength(1)
  })
})
