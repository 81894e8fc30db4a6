import { describe, expect, it } from 'vitest'
import { Pair } from '../pair.ts'

describe('RFC 9329 §1.2, §6.1 TCP Originator and TCP Responder', () => {
  it('(T-ROLE-1, T-LIFE-5): after a cut the client dials again and the gateway, which asks for things too, never does', () => {
    const pair = new Pair()
    pair.connect()
    for (let cut = 0; cut < 3; cut++) {
      pair.command(pair.gateway, { kind: 'check-liveness' })
      pair.cut(pair.pipe)
      pair.command(pair.gateway, { kind: 'check-liveness' })
      pair.run(2_000)
      expect(pair.passesTraffic()).toBe(true)
    }
    expect(pair.pipes).toHaveLength(4)
    expect(pair.pipes.every((pipe) => pipe.originator === pair.client)).toBe(true)
    expect(pair.gateway.outputs.some((output) => output.includes('open-connection'))).toBe(false)
  })

  it('(T-ROLE-1): the gateway does not dial when it is the one that ends the session', () => {
    const pair = new Pair()
    pair.connect()
    pair.command(pair.gateway, { kind: 'terminate' })
    pair.run(30_000)
    expect(pair.gateway.outputs.some((output) => output.includes('open-connection'))).toBe(false)
  })
})
