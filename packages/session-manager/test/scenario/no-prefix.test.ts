import { describe, expect, it } from 'vitest'
import { espFrame, ikeFrame, ikeRequest } from '../frames.ts'
import { ipv4Packet, Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-PFX-5): nothing for an existing session is taken on a connection without the prefix', () => {
  it.each(['IKE', 'ESP'] as const)(
    'a valid, authenticated %s message is not taken: no answer, no packet, no path, no Message ID',
    (kind) => {
      const pair = new Pair()
      pair.connect()
      const sa = pair.saOf(pair.gateway)
      const path = sa.path
      const inner = ipv4Packet(pair.clientAddress, '10.2.0.1', 80)
      const request = ikeRequest(pair.saOf(pair.client), [])
      const frame = kind === 'IKE' ? ikeFrame(request) : espFrame(pair.client, inner)
      const lastInboundAt = sa.lastInboundAt
      pair.run(1_000)
      const stranger = pair.dialRaw(pair.gateway)
      stranger.write(frame)
      pair.settle()
      expect(stranger.isClosed()).toBe(true)
      expect(stranger.read()).toHaveLength(0)
      expect(pair.gateway.received).toEqual([])
      expect(sa.path).toBe(path)
      expect(sa.lastInboundAt).toBe(lastInboundAt)
      // The very same octets are good where they belong.
      pair.inject(pair.pipe, pair.gateway, frame)
      if (kind === 'IKE') expect(sa.window.responseTo(request, (a, b) => a.join() === b.join())).toBeDefined()
      else expect(pair.gateway.received).toEqual([inner])
    },
  )
})
