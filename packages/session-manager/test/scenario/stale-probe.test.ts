import { expect, it } from 'vitest'
import { transportOf, up } from '../moving.ts'

it('RFC 9329 §7.1 (T-PERF-1): a probe for UDP that was put off while a stream was ridden is none for a later IKE SA that rides UDP', () => {
  const pair = up({ link: { isUdpBlocked: true }, gatewayTimers: { liveness: 1_000_000 } })
  expect(transportOf(pair)).toBe('tcp')
  // The IKE SA goes, and the next one has UDP.
  pair.link.isUdpBlocked = false
  pair.command(pair.gateway, { kind: 'terminate' })
  pair.run(1_000)
  // UDP falls silent before the time of the old probe (48 to 72 s after the start). A liveness check and three repetitions later TCP is ridden.
  pair.run(47_000 - pair.now)
  expect(transportOf(pair)).toBe('udp')
  pair.link.isUdpBlocked = true
  pair.run(45_000)
  expect(transportOf(pair)).toBe('tcp')
})
