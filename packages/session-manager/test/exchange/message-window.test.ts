import { decodeMessage, ExchangeType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import type { TransportOption } from '../../src/index.ts'
import { isResponse, isSilent, type MeddledPair, nextRequestOf, upPair } from '../meddler.ts'
import type { Node } from '../network.ts'
import { TCP, UDP } from '../pair.ts'

const TRANSPORTS: [string, TransportOption][] = [
  ['TCP', TCP],
  ['UDP', UDP],
]

describe.each(TRANSPORTS)('RFC 7296 §2.1 to §2.3 the message window over %s', (_, transport) => {
  it('RFC 7296 §2.1 (C-2, C-3): a repeated request gets the very same response, and is done once', () => {
    const pair = upPair(transport)
    const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    const before = pair.log.length
    for (let count = 0; count < 3; count++) pair.deliverIke(pair.gateway, request)
    const answers = pair.log.slice(before).map((entry) => entry.octets)
    expect(answers).toHaveLength(3)
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
    expect(pair.gateway.core.counters['ike-retransmissions-in']).toBe(2)
  })

  it('RFC 7296 §2.1 (C-2): the cached response is the core’s own: what a driver does to the octets it got does not show', () => {
    const pair = upPair(transport)
    const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    const given: Uint8Array[] = []
    const collect = (): void => {
      pair.gateway.core.handleInput(inputFor(pair, pair.gateway, request), pair.now)
      for (let output = pair.gateway.core.pollOutput(); output.kind !== 'wait-until'; output = pair.gateway.core.pollOutput())
        if (output.kind === 'send-datagram' || output.kind === 'write-connection') {
          given.push(output.bytes.slice())
          output.bytes.fill(0)
        }
    }
    collect()
    collect()
    expect(given).toHaveLength(2)
    expect(given[1]).toEqual(given[0])
  })

  it('RFC 7296 §2.2 (C-3): a request older than the window is ignored', () => {
    const pair = upPair(transport)
    const old = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [])
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [])
    expect(isSilent(pair, () => pair.deliverIke(pair.gateway, old))).toBe(true)
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([2, 100, 0x7fffffff, 0xffffffff])(
    'RFC 7296 §2.3 (C-7): a request %i ahead is not answered, with INVALID_MESSAGE_ID least of all',
    (ahead) => {
      const pair = upPair(transport)
      const messageId = Math.min(0xffffffff, nextRequestOf(pair, pair.client) + ahead)
      const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [], { messageId })
      expect(isSilent(pair, () => pair.deliverIke(pair.gateway, request))).toBe(true)
      expect(pair.passesTraffic()).toBe(true)
    },
  )

  it('RFC 7296 §2.1 (C-3): another request under an answered Message ID is ignored, though it is authentic', () => {
    const pair = upPair(transport)
    const messageId = pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [])
    const other = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [{ type: 'D', protocol: 1, spis: [] }], { messageId })
    expect(isSilent(pair, () => pair.deliverIke(pair.gateway, other))).toBe(true)
    expect(pair.isUp).toBe(true)
  })

  it('RFC 7296 §2.2 (C-5): Message IDs start at 0 in each direction and rise by one', () => {
    const pair = upPair(transport)
    const idsOf = (node: Node): number[] =>
      pair.log
        .map((entry) => ({ entry, header: decodeMessage(entry.octets).header }))
        .filter(({ entry, header }) => entry.from === node && !isResponse(header))
        .map(({ header }) => header.messageId)
    for (const node of [pair.client, pair.gateway, pair.client]) {
      pair.command(node, { kind: 'check-liveness' })
      pair.settle()
    }
    expect(idsOf(pair.client)).toEqual([0, 1, 2, 3])
    expect(idsOf(pair.gateway)).toEqual([0])
  })

  it('RFC 7296 §3.1 (C-30): a response is never answered, expected or not', () => {
    const pair = upPair(transport)
    for (const messageId of [0, 1, 2, 5])
      for (const exchange of [ExchangeType.INFORMATIONAL, ExchangeType.CREATE_CHILD_SA, ExchangeType.IKE_AUTH]) {
        const response = pair.forge(pair.client, exchange, [], { messageId, isResponse: true })
        expect(isSilent(pair, () => pair.deliverIke(pair.gateway, response))).toBe(true)
      }
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.2: a response of another exchange type is not the one awaited', () => {
    const pair = upPair(transport)
    pair.client.isFrozen = false
    pair.command(pair.client, { kind: 'check-liveness' })
    const { messageId } = pair.saOf(pair.client).window.outstanding!
    pair.deliverIke(pair.client, pair.forge(pair.gateway, ExchangeType.CREATE_CHILD_SA, [], { messageId, isResponse: true }))
    expect(pair.saOf(pair.client).window.outstanding).toBeDefined()
  })
})

describe('RFC 7296 §2.11 (C-21) ports', () => {
  it('RFC 7296 §2.11 (C-21): a request from any port is answered to that port', () => {
    const pair = upPair(UDP)
    const seen: unknown[] = []
    for (const port of [1, 500, 4500, 4501, 65_535]) {
      const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [], { messageId: pair.saOf(pair.client).window.takeMessageId() })
      const bytes = request
      pair.gateway.core.handleInput(
        {
          kind: 'datagram',
          local: { address: '198.51.100.1', port: 4500 },
          remote: { address: '192.0.2.10', port },
          message: 'ike',
          bytes,
        },
        pair.now,
      )
      for (let output = pair.gateway.core.pollOutput(); output.kind !== 'wait-until'; output = pair.gateway.core.pollOutput())
        if (output.kind === 'send-datagram') seen.push([output.remote.port, output.local.port])
    }
    expect(seen).toEqual([1, 500, 4500, 4501, 65_535].map((port) => [port, 4500]))
  })

  it('RFC 7296 §2.23 (C-21): a NAT that gives another port is followed by valid messages only', () => {
    const pair = upPair(UDP)
    // With MOBIKE only UPDATE_SA_ADDRESSES and ESP are followed (RFC 4555 §3.8).
    for (const node of [pair.client, pair.gateway]) pair.saOf(node).isMobike = false
    const remote = { address: '203.0.113.5', port: 6000 }
    const forged = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    forged[forged.length - 1]! ^= 1
    pair.deliverIke(pair.gateway, forged, { transport: 'udp', remote })
    expect(pair.gateway.eventsOf('path-moved')).toHaveLength(0)
    pair.deliverIke(pair.gateway, pair.forge(pair.client, ExchangeType.INFORMATIONAL, []), { transport: 'udp', remote })
    expect(pair.gateway.eventsOf('path-moved')).toMatchObject([{ to: { remote } }])
  })

  it('RFC 7296 §2.23: a repeated request is answered where it came from and moves nothing', () => {
    const pair = upPair(UDP)
    const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    pair.deliverIke(pair.gateway, request)
    pair.deliverIke(pair.gateway, request, { transport: 'udp', remote: { address: '203.0.113.5', port: 6000 } })
    expect(pair.gateway.eventsOf('path-moved')).toHaveLength(0)
  })
})

function inputFor(pair: MeddledPair, to: Node, octets: Uint8Array): Parameters<Node['core']['handleInput']>[0] {
  const inputs: Parameters<Node['core']['handleInput']>[0][] = []
  const deliver = pair.deliver.bind(pair)
  pair.deliver = (_, input) => void inputs.push(input)
  pair.deliverIke(to, octets)
  pair.deliver = deliver
  return inputs[0]!
}
