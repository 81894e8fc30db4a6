import { EspDrop } from '@underpass/esp-crypto'
import { describe, expect, it } from 'vitest'
import { ipv4Packet, Pair } from '../pair.ts'

describe('RFC 4303 §3.3.3 (E-1): Sequence Numbers never cycle', () => {
  it.each(['client', 'gateway'] as const)(
    'when those of the %s are used up nothing more is sent, the SA ends, and the client makes a new one',
    (name) => {
      const pair = new Pair()
      pair.connect()
      const node = name === 'client' ? pair.client : pair.gateway
      const [child] = node.core.sad.values()
      child!.outbound.encapsulate = () => EspDrop.SEQUENCE_EXHAUSTED
      const packet = name === 'client' ? ipv4Packet(pair.clientAddress, '10.2.0.1', 80) : ipv4Packet('10.2.0.1', pair.clientAddress, 80)
      pair.send(node, packet, packet)
      expect(pair.counter(node, 'esp-sequence-exhausted')).toBe(2)
      pair.run(5_000)
      expect(node.eventsOf('ike-sa-closed')).toHaveLength(1)
      expect(pair.passesTraffic()).toBe(true)
      expect([...node.core.sad.values()]).not.toContain(child)
    },
  )
})
