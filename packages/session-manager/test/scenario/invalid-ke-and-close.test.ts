import { describe, expect, it } from 'vitest'
import { parseIkeSuite } from '../../src/index.ts'
import { Pair } from '../pair.ts'

// Libreswan 4.10 does this, against RFC 9329 §6.4.
describe('RFC 9329 §6.4 (T-ERR-2): a responder that closes the connection with its INVALID_KE_PAYLOAD', () => {
  const options = {
    client: { ikeProposals: ['aes256gcm16-prfsha256-x25519', 'aes256gcm16-prfsha256-ecp256'].map(parseIkeSuite) },
    gateway: { ikeProposals: [parseIkeSuite('aes256gcm16-prfsha256-ecp256')] },
  }

  it('gets the repeated IKE_SA_INIT on a new connection, with the group that it asked for', () => {
    const pair = new Pair(options)
    refuseAndClose(pair)
    pair.run(5_000, () => pair.isUp)
    expect(pair.isUp).toBe(true)
    expect(pair.pipes).toHaveLength(2)
    expect(pair.client.eventsOf('transport-failed')).toEqual([])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('is given up when it closes again without having asked for anything', () => {
    const pair = new Pair(options)
    refuseAndClose(pair)
    pair.run(5_000, () => pair.pipes.length === 2)
    pair.cut(pair.pipes[1]!, 'end')
    expect(pair.client.eventsOf('transport-failed')).toHaveLength(1)
    pair.settle()
    expect(pair.pipes).toHaveLength(2)
  })
})

function refuseAndClose(pair: Pair): void {
  pair.initiate()
  pair.run(5_000, () => pair.log.some((entry) => entry.text.includes('INVALID_KE_PAYLOAD')))
  pair.run(15)
  pair.cut(pair.pipes[0]!, 'end')
}
