import { describe, expect, it } from 'vitest'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-LIFE-16): one TCP connection for one IKE SA', () => {
  it('whatever is sent, however long, and after each cut exactly one more', () => {
    const pair = new Pair()
    pair.connect()
    for (let round = 0; round < 20; round++) {
      expect(pair.passesTraffic()).toBe(true)
      pair.command(pair.client, { kind: 'check-liveness' })
      pair.command(pair.client, { kind: 'initiate', peer: 'gateway' })
      pair.run(31_000)
    }
    expect(pair.pipes).toHaveLength(1)
    pair.cut(pair.pipe)
    pair.command(pair.client, { kind: 'initiate', peer: 'gateway' })
    pair.run(5_000)
    expect(pair.pipes).toHaveLength(2)
    expect(pair.client.core.connections.size).toBe(1)
    expect(pair.client.core.ikeSas.size).toBe(1)
  })
})
