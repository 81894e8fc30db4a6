import { NotifyType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import type { IkeSa } from '../../src/ike/ike-sa.ts'
import { isIkeAuth, MeddledPair, replacing } from '../meddler.ts'
import type { Node } from '../network.ts'
import { CLIENT_ADDRESS, identity, type Pair, type PairOptions } from '../pair.ts'

describe('RFC 7296 §2.4: what one identity may hold', () => {
  it('above limits.maxIkeSasPerIdentity the oldest gives way, with an event and a counter', () => {
    const pair = newPair({ gatewayLimits: { maxIkeSasPerIdentity: 3 } })
    const clients = [1, 2, 3, 4].map((number) => comesUp(pair, number))
    pair.settle(500)
    expect(established(pair)).toBe(3)
    expect(pair.counter(pair.gateway, 'limit-maxIkeSasPerIdentity')).toBe(1)
    expect(pair.gateway.eventsOf('limit-reached')).toHaveLength(1)
    expect(clients[0]!.eventsOf('ike-sa-closed')).toHaveLength(1)
    expect(clients[3]!.core.sad.size).toBe(1)
  })

  it('one without a connection gives way before one that has one', () => {
    const pair = newPair({ gatewayLimits: { maxIkeSasPerIdentity: 3 } })
    const clients = [1, 2].map((number) => comesUp(pair, number))
    pair.cut(pair.pipes.at(-1)!, 'reset', pair.gateway)
    clients.push(comesUp(pair, 3), comesUp(pair, 4))
    pair.settle(500)
    expect(saOf(pair, clients[0]!).state.kind).toBe('ESTABLISHED')
    expect(saOf(pair, clients[1]!)).toBeUndefined()
    expect(established(pair)).toBe(3)
  })

  it('the addresses that it left behind are had again before another is told that the pool is empty', () => {
    const pair = newPair({ gateway: { pool: { ranges: ['10.8.0.10-10.8.0.11'], dns: [], subnets: [] } } })
    for (const number of [1, 2]) {
      comesUp(pair, number)
      pair.cut(pair.pipes.at(-1)!, 'reset', pair.gateway)
    }
    const third = comesUp(pair, 3)
    expect(third.eventsOf('addresses-assigned')).toHaveLength(1)
    expect(pair.gateway.eventsOf('handshake-failed')).toEqual([])
  })
})

describe('RFC 9329 §6.1 (T-LIFE-10): two IKE SAs do not share a connection', () => {
  it('nor when valid messages of both come by it: the second does not move there', () => {
    const pair = newPair()
    const first = comesUp(pair, 1)
    const second = comesUp(pair, 2)
    const [ofFirst, ofSecond] = [saOf(pair, first), saOf(pair, second)]
    const own = ofSecond.path
    const from = pair.log.length
    pair.command(second, { kind: 'check-liveness' })
    const request = pair.log[from]!.octets
    const connection = ofFirst.path!
    if (connection.transport !== 'tcp') throw new Error('not over TCP')
    const frame = Uint8Array.of((request.length + 6) >> 8, (request.length + 6) & 0xff, 0, 0, 0, 0, ...request)
    pair.input(pair.gateway, { kind: 'connection-bytes', connection: connection.connection.id, bytes: frame })
    expect(ofSecond.path).toBe(own)
    expect([...connection.connection.ikeSas]).toEqual([ofFirst])
    expect(pair.counter(pair.gateway, 'ike-second-sa-on-connection')).toBe(1)
  })
})

/** INITIAL_CONTACT is taken out on the way: these are several devices of one person. */
function newPair(options: PairOptions = {}): Pair {
  const pair = new MeddledPair(options)
  pair.meddle = (message) =>
    isIkeAuth(message, 'request')
      ? [
          pair.resealed(
            message,
            replacing('N', (notify) => (notify.notifyType === NotifyType.INITIAL_CONTACT ? undefined : notify)),
          ),
        ]
      : undefined
  return pair
}

function comesUp(pair: Pair, number: number): Node {
  const client = pair.addClient(`device${number}`, CLIENT_ADDRESS.replace('.10', `.${20 + number}`), { localId: identity('@client') })
  pair.command(client, { kind: 'initiate', peer: 'gateway' })
  pair.run(5_000, () => client.core.sad.size > 0)
  if (client.core.sad.size === 0) throw new Error(`device ${number} did not come up: ${JSON.stringify(client.events.at(-1))}`)
  return client
}

/** The gateway's end of a client's IKE SA. */
function saOf(pair: Pair, client: Node): IkeSa {
  const [own] = client.core.ikeSas.values()
  return [...pair.gateway.core.ikeSas.values()].find((sa) => sa.initiatorSpi === own!.initiatorSpi)!
}

function established(pair: Pair): number {
  return [...pair.gateway.core.ikeSas.values()].filter((sa) => sa.state.kind === 'ESTABLISHED').length
}
