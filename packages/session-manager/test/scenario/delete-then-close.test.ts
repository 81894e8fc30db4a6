import { describe, expect, it } from 'vitest'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.1 the end of a session', () => {
  it('(T-LIFE-1, T-LIFE-2): the client sends Delete, waits for its answer, and closes the connection', () => {
    const pair = new Pair()
    pair.connect()
    const from = pair.log.length
    pair.command(pair.client, { kind: 'terminate' })
    expect(pair.client.core.connections.size).toBe(1)
    pair.settle()
    expect(pair.transcript(from)).toEqual(['I → R  HDR, SK {D}', 'R → I  HDR, SK {}'])
    expect(pair.client.outputs.filter((output) => output.includes('close-connection'))).toEqual([
      '{"kind":"close-connection","connection":2,"how":"end"}',
    ])
    expect(pair.pipe.isOpen).toBe(false)
    for (const node of [pair.client, pair.gateway]) {
      expect(node.core.ikeSas.size + node.core.sad.size + node.core.connections.size).toBe(0)
      expect(node.eventsOf('ike-sa-closed')).toHaveLength(1)
    }
    expect(pair.gateway.eventsOf('ike-sa-closed')[0]!.byPeer).toBe(true)
    pair.run(600_000)
    expect(pair.pipes).toHaveLength(1)
  })

  it('(T-LIFE-1): the gateway sends Delete too, and leaves the closing to the originator', () => {
    const pair = new Pair()
    pair.connect()
    const from = pair.log.length
    pair.command(pair.gateway, { kind: 'terminate' })
    pair.settle()
    expect(pair.transcript(from)).toEqual(['R → I  HDR, SK {D}', 'I → R  HDR, SK {}'])
    expect(pair.gateway.outputs.some((output) => output.includes('close-connection'))).toBe(false)
    expect(pair.pipe.isOpen).toBe(false)
  })

  it('(T-LIFE-1): a peer that does not answer the Delete is not waited for longer than `timers.deletion`', () => {
    const pair = new Pair({ clientTimers: { deletion: 2_000 } })
    pair.connect()
    pair.gateway.isFrozen = true
    pair.command(pair.client, { kind: 'terminate' })
    pair.run(1_990)
    expect(pair.client.core.ikeSas.size).toBe(1)
    pair.run(20)
    expect(pair.client.core.ikeSas.size).toBe(0)
    expect(pair.client.core.connections.size).toBe(0)
  })

  it('the Delete leaves even where the socket was full and never drains', () => {
    const pair = new Pair()
    pair.connect()
    pair.input(pair.client, { kind: 'connection-flow', connection: pair.pipe.originatorId, state: 'blocked' })
    pair.command(pair.client, { kind: 'terminate' })
    pair.run(3_000)
    expect(pair.gateway.eventsOf('ike-sa-closed')).toMatchObject([{ byPeer: true }])
  })
})
