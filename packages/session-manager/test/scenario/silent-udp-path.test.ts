import { expect, it } from 'vitest'
import { transportOf, up } from '../moving.ts'
import { ipv4Packet } from '../pair.ts'

it('RFC 9329 §7.1 (T-MOB-1): UDP is left for TCP when three repetitions are unanswered, though a packet came after the request first went', () => {
  const pair = up({ gatewayTimers: { liveness: 1_000_000 } })
  pair.send(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 100))
  pair.link.isUdpBlocked = true
  pair.command(pair.client, { kind: 'check-liveness' })
  const silence = (): number | undefined => pair.client.core.inspect(pair.now).ikeSas[0]!.silentForMilliseconds
  expect(silence()).toBeUndefined()
  // Whoever asks for the status meanwhile hears of it.
  pair.run(2_000)
  expect(silence()).toBeGreaterThan(1_900)
  pair.run(7_000)
  expect(silence()).toBeUndefined()
  expect(pair.client.received).toHaveLength(1)
  expect(transportOf(pair)).toBe('tcp')
  expect(pair.passesTraffic()).toBe(true)
})
