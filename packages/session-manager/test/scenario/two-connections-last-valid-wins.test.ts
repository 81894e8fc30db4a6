import { describe, expect, it } from 'vitest'
import { espFrame, ikeFrame, ikeRequest, join, PREFIX, withFlippedBit } from '../frames.ts'
import type { RawConnection } from '../network.ts'
import { ipv4Packet, Pair } from '../pair.ts'

describe('RFC 9329 §6.1 two live connections of one IKE SA', () => {
  it('(T-LIFE-17, T-LIFE-18): the gateway sends on the one that brought the last valid message, and on that alone', () => {
    const { pair, second, up, downTo } = twoConnections()
    second.write(join(PREFIX, up()))
    expect(downTo()).toEqual({ first: false, second: true })
    pair.inject(pair.pipe, pair.gateway, up())
    expect(downTo()).toEqual({ first: true, second: false })
    second.write(up())
    expect(downTo()).toEqual({ first: false, second: true })
    second.write(ikeFrame(ikeRequest(pair.saOf(pair.client), [])))
    expect(downTo()).toEqual({ first: false, second: true })
    pair.inject(pair.pipe, pair.gateway, ikeFrame(ikeRequest(pair.saOf(pair.client), [])))
    expect(downTo()).toEqual({ first: true, second: false })
  })

  it('(T-LIFE-19): what comes on either is taken until the originator closes the old one', () => {
    const { pair, second, up } = twoConnections()
    second.write(PREFIX)
    for (let count = 0; count < 10; count++) {
      if (count % 2 === 0) second.write(up())
      else pair.inject(pair.pipe, pair.gateway, up())
    }
    expect(pair.gateway.received).toHaveLength(10)
    pair.cut(pair.pipe)
    second.write(up())
    expect(pair.gateway.received).toHaveLength(11)
  })

  it('(T-LIFE-20): the one that was replaced is closed when it stays silent for `timers.idleConnection`', () => {
    const { pair, second, up, downTo } = twoConnections()
    second.write(join(PREFIX, up()))
    pair.run(4_900)
    expect(pair.gateway.core.connections.size).toBe(2)
    pair.run(200)
    expect(pair.gateway.core.connections.size).toBe(1)
    expect(second.isClosed()).toBe(false)
    expect(downTo().second).toBe(true)
  })

  it('(T-LIFE-18, T-LIFE-21): replayed ESP and IKE on a new prefixed connection never move the path', () => {
    const { pair, second, up, downTo } = twoConnections()
    const oldEsp = up()
    const oldIke = ikeFrame(ikeRequest(pair.saOf(pair.client), []))
    const older = ikeFrame(pair.log[2]!.octets)
    pair.inject(pair.pipe, pair.gateway, join(oldEsp, oldIke))
    pair.run(1_000)
    const lastInboundAt = pair.saOf(pair.gateway).lastInboundAt
    const delivered = pair.gateway.received.length
    second.write(join(PREFIX, oldEsp, oldIke, older, oldEsp, oldIke))
    expect(downTo().first).toBe(true)
    expect(pair.gateway.eventsOf('path-moved')).toEqual([])
    expect(pair.gateway.received).toHaveLength(delivered)
    expect(pair.counter(pair.gateway, 'esp-drop-replay')).toBe(2)
    expect(pair.saOf(pair.gateway).lastInboundAt).toBe(lastInboundAt)
  })

  it('(T-LIFE-21): a forged ICV on a new prefixed connection closes that connection and moves nothing', () => {
    for (const kind of ['ESP', 'IKE'] as const) {
      const { pair, second, up, downTo } = twoConnections()
      const frame = kind === 'ESP' ? up() : ikeFrame(ikeRequest(pair.saOf(pair.client), []))
      second.write(join(PREFIX, withFlippedBit(frame, -1)))
      expect(second.isClosed()).toBe(true)
      expect(downTo().first).toBe(true)
      expect(pair.gateway.core.connections.size).toBe(1)
      expect(pair.gateway.eventsOf('path-moved')).toEqual([])
    }
  })

  it('(T-RTX-2): a request of the gateway that waits is asked again on the connection that its peer moved to', () => {
    const { pair, second, up } = twoConnections()
    pair.command(pair.gateway, { kind: 'check-liveness' })
    const request = pair.log.at(-1)!
    expect(request.from).toBe(pair.gateway)
    second.write(join(PREFIX, up()))
    const seen = second.read()
    expect(seen.slice(6)).toEqual(request.octets)
  })

  it('(T-LIFE-17): only the responder follows: the originator goes on sending by the connection that it opened', () => {
    const pair = new Pair()
    pair.connect()
    pair.gateway.isFrozen = true
    const { path } = pair.saOf(pair.client)
    const other = pair.dialRaw(pair.client, '203.0.113.50')
    other.write(join(PREFIX, ikeFrame(ikeRequest(pair.saOf(pair.gateway), []))))
    expect(pair.saOf(pair.client).path).toBe(path)
    expect(pair.client.eventsOf('path-moved')).toEqual([])
  })
})

/** A session whose client is frozen: the test holds both its connections. */
function twoConnections(): { pair: Pair; second: RawConnection; up: () => Uint8Array; downTo: () => { first: boolean; second: boolean } } {
  const pair = new Pair()
  pair.connect()
  pair.client.isFrozen = true
  const second = pair.dialRaw(pair.gateway, '203.0.113.50')
  const inner = pair.clientAddress
  return {
    pair,
    second,
    up: () => espFrame(pair.client, ipv4Packet(inner, '10.2.0.1', 80)),
    downTo: () => {
      const before = [pair.pipe.fromResponder.length, second.read().length]
      pair.send(pair.gateway, ipv4Packet('10.2.0.1', inner, 80))
      return { first: pair.pipe.fromResponder.length > before[0]!, second: second.read().length > before[1]! }
    },
  }
}
