import { decodeHeader } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.2 (T-RTX-2): a request without an answer goes out again on the new connection', () => {
  it('identical octets where it never arrived; then a fresh empty INFORMATIONAL', () => {
    const pair = new Pair()
    pair.connect()
    const from = pair.log.length
    pair.link.isTcpSilent = true
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.settle()
    pair.link.isTcpSilent = false
    pair.cut(pair.pipe)
    pair.run(2_000)
    const sent = pair.log.slice(from)
    expect(pair.transcript(from)).toEqual([
      'I → R  HDR, SK {}',
      'I → R  HDR, SK {}',
      'R → I  HDR, SK {}',
      expect.stringMatching(/^I → R {2}HDR, SK \{N\(UPDATE_SA_ADDRESSES\)/),
      expect.stringMatching(/^R → I {2}HDR, SK/),
    ])
    expect(sent[1]!.octets).toEqual(sent[0]!.octets)
    expect(sent.map((entry) => decodeHeader(entry.octets).messageId)).toEqual([2, 2, 2, 3, 3])
    expect(pair.client.eventsOf('liveness').every((event) => event.result === 'alive')).toBe(true)
  })

  it('response lost on reconnect: the client resends identical octets, gets the cached answer, then asks anew, and only that moves the path', () => {
    const pair = new Pair()
    pair.connect()
    const from = pair.log.length
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.run(1_000, () => pair.log.length === from + 2)
    // The answer is in flight. Only the client's end breaks: the gateway does not know.
    pair.cut(pair.pipe, 'reset', pair.client)
    const old = pair.saOf(pair.gateway).path
    pair.run(2_000, () => pair.log.length === from + 4)
    const sent = pair.log.slice(from)
    expect(sent[2]!.octets).toEqual(sent[0]!.octets)
    expect(sent[3]!.octets).toEqual(sent[1]!.octets)
    expect(pair.saOf(pair.gateway).path).toBe(old)
    expect(pair.counter(pair.gateway, 'ike-retransmissions-in')).toBe(1)
    pair.run(2_000)
    expect(pair.transcript(from + 4)).toEqual([expect.stringMatching(/^I → R {2}HDR, SK/), expect.stringMatching(/^R → I {2}HDR, SK/)])
    expect(decodeHeader(pair.log[from + 4]!.octets).messageId).toBe(decodeHeader(sent[0]!.octets).messageId + 1)
    expect(pair.saOf(pair.gateway).path).not.toBe(old)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('the wait does not end while there is no connection, and goes on from the redial', () => {
    const pair = new Pair({ clientTimers: { response: 5_000, reconnect: 60_000 } })
    pair.connect()
    pair.link.isTcpSilent = true
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.run(4_000)
    pair.link.isTcpSilent = false
    pair.link.isTcpBlocked = true
    pair.cut(pair.pipe)
    pair.run(20_000)
    expect(pair.client.core.ikeSas.size).toBe(1)
    pair.link.isTcpBlocked = false
    pair.run(30_000, () => pair.pipes.length > 1)
    pair.settle()
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
  })

  it('a request of the gateway waits for the client to come back', () => {
    const pair = new Pair({ gatewayTimers: { response: 5_000 } })
    pair.connect()
    pair.link.isTcpSilent = true
    const from = pair.log.length
    pair.command(pair.gateway, { kind: 'check-liveness' })
    pair.link.isTcpSilent = false
    pair.link.isTcpBlocked = true
    pair.cut(pair.pipe)
    pair.run(10_000)
    pair.link.isTcpBlocked = false
    pair.run(20_000, () => pair.pipes.length > 1)
    pair.settle()
    const requests = pair.log.slice(from).filter((entry) => entry.from === pair.gateway && (entry.octets[19]! & 0x20) === 0)
    expect(requests).toHaveLength(2)
    expect(requests[1]!.octets).toEqual(requests[0]!.octets)
    expect(pair.gateway.eventsOf('liveness').map((event) => event.result)).toEqual(['alive'])
  })
})
