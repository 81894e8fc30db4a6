import { describe, expect, it } from 'vitest'
import { ikeFrame, ikeRequest, join, PREFIX } from '../frames.ts'
import { Pair } from '../pair.ts'

describe('RFC 9329 §10 (T-SEC-1): who sends IKE messages without end loses the connection, and holds up nobody', () => {
  const init = (): Uint8Array => {
    const other = new Pair()
    other.connect()
    return ikeFrame(other.log[0]!.octets)
  }

  it('a stranger has 32 of them at once, and no more is looked at', () => {
    const pair = new Pair()
    const stranger = pair.dialRaw(pair.gateway)
    const message = init()
    stranger.write(join(PREFIX, ...new Array<Uint8Array>(2_000).fill(message)))
    pair.settle()
    expect(stranger.isClosed()).toBe(true)
    expect(pair.gateway.eventsOf('limit-reached')).toMatchObject([{ limit: 'ikeMessages' }])
  })

  it('and 128 of them one by one, for as long as no IKE SA is established', () => {
    const pair = new Pair()
    const stranger = pair.dialRaw(pair.gateway)
    const message = init()
    stranger.write(join(PREFIX, message))
    for (let count = 2; count <= 128; count++) stranger.write(message)
    expect(stranger.isClosed()).toBe(false)
    stranger.write(message)
    expect(stranger.isClosed()).toBe(true)
  })

  it('RFC 7296 §2.3: a peer whose requests do not wait for their answers keeps its IKE SA and loses the connection', () => {
    const pair = new Pair()
    pair.connect()
    const sa = pair.saOf(pair.client)
    const requests = (count: number): Uint8Array => join(...Array.from({ length: count }, () => ikeFrame(ikeRequest(sa, []))))
    for (let round = 0; round < 20; round++) pair.inject(pair.pipe, pair.gateway, requests(32))
    expect(pair.gateway.core.connections.size).toBe(1)
    pair.inject(pair.pipe, pair.gateway, requests(33))
    expect(pair.gateway.core.connections.size).toBe(0)
    expect(pair.gateway.core.ikeSas.size).toBe(1)
  })

  it('answers that a stranger leaves unread are 16 KiB at most, each counted as 256 octets or more', () => {
    const pair = new Pair()
    const stranger = pair.dialRaw(pair.gateway)
    const message = init()
    stranger.write(join(PREFIX, message))
    pair.settle()
    pair.input(pair.gateway, { kind: 'connection-flow', connection: stranger.id, state: 'blocked' })
    const [connection] = pair.gateway.core.connections.values()
    for (let count = 0; count < 126 && !stranger.isClosed(); count++) stranger.write(message)
    expect(stranger.isClosed()).toBe(true)
    expect(connection!.queuedIkeOctets).toBeLessThan(17_000)
    expect(pair.gateway.eventsOf('limit-reached')).toMatchObject([{ limit: 'maxSendQueue' }])
  })
})
