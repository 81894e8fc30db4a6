import { describe, expect, it } from 'vitest'
import { ikeFrame } from '../frames.ts'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-LIFE-10): two IKE SAs do not share a connection', () => {
  it('a second IKE_SA_INIT on the connection of an IKE SA is refused: no answer, the connection is closed, the SA stays', () => {
    const other = new Pair()
    other.addClient('other', '192.0.2.99')
    other.connect()
    const request = other.log[0]!.octets.slice()
    request[0] = request[0]! ^ 0xff
    const pair = new Pair()
    pair.connect()
    const from = pair.log.length
    pair.inject(pair.pipe, pair.gateway, ikeFrame(request))
    expect(pair.gateway.core.ikeSas.size).toBe(1)
    expect(pair.gateway.core.halfOpen.size).toBe(0)
    expect(pair.log).toHaveLength(from)
    expect(pair.counter(pair.gateway, 'ike-second-sa-on-connection')).toBe(1)
    expect(pair.gateway.core.connections.size).toBe(0)
    pair.run(2_000)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('the IKE_SA_INIT that made the SA, replayed when it is established, makes no second one', () => {
    const pair = new Pair()
    pair.connect()
    pair.inject(pair.pipe, pair.gateway, ikeFrame(pair.log[0]!.octets))
    pair.settle()
    expect(pair.gateway.core.ikeSas.size).toBe(1)
    expect(pair.gateway.core.halfOpen.size).toBe(0)
  })

  it('a new session after the Delete of the first may use the connection', () => {
    const pair = new Pair()
    pair.connect()
    const pipe = pair.pipe
    pair.command(pair.gateway, { kind: 'terminate' })
    pair.run(10)
    // The client has the Delete now; its answer frees the connection, its FIN is still on the way.
    pair.run(10, () => pair.gateway.core.ikeSas.size === 0)
    const request = pair.log[0]!.octets.slice()
    request[0] = request[0]! ^ 0xff
    pair.inject(pipe, pair.gateway, ikeFrame(request))
    expect(pair.counter(pair.gateway, 'ike-second-sa-on-connection')).toBe(0)
    expect(pair.gateway.core.halfOpen.size).toBe(1)
  })
})
