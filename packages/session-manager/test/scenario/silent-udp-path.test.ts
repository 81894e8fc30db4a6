import { expect, it } from 'vitest'
import { transportOf, up } from '../moving.ts'
import { ipv4Packet } from '../pair.ts'

it('RFC 9329 §7.1 (T-MOB-1): UDP is left for TCP when three repetitions are unanswered, though a packet came after the request first went', () => {
  const pair = up({ gatewayTimers: { liveness: 1_000_000 } })
  pair.send(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 100))
  pair.link.isUdpBlocked = true
  pair.command(pair.client, { kind: 'check-liveness' })
  pair.run(9_000)
  expect(pair.client.received).toHaveLength(1)
  expect(transportOf(pair)).toBe('tcp')
  expect(pair.passesTraffic()).toBe(true)
})
