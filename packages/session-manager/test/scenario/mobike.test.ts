import { decodeHeader } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { change, spisOf, transportOf, up } from '../moving.ts'

describe('RFC 9329 §7.1, RFC 4555: a live session moves between transports', () => {
  it('RFC 4555 §3.5 (T-MOB-1): UDP → TCP → TLS → UDP, with the same SAs', () => {
    const pair = up()
    const spis = spisOf(pair)

    pair.link.isUdpBlocked = true
    change(pair)
    expect(transportOf(pair)).toBe('tcp')
    expect(pair.passesTraffic()).toBe(true)

    pair.link.refusesTcp = (port) => port === 4500
    pair.cut(pair.pipe)
    pair.run(10_000, () => pair.pipe.isOpen && pair.pipe.port === 443)
    pair.settle()
    expect(pair.pipe.port).toBe(443)
    expect(pair.passesTraffic()).toBe(true)

    pair.link.isUdpBlocked = false
    change(pair)
    expect(transportOf(pair)).toBe('udp')
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.pipes.every((pipe) => !pipe.isOpen)).toBe(true)

    expect(spisOf(pair)).toEqual(spis)
    for (const node of [pair.client, pair.gateway]) expect(node.eventsOf('ike-sa-closed')).toEqual([])
  })

  it('(T-MOB-2, T-MOB-3): UPDATE_SA_ADDRESSES goes over UDP first, and where that is answered over nothing else', () => {
    const pair = up({ link: { isUdpBlocked: true } })
    expect(transportOf(pair)).toBe('tcp')
    pair.link.isUdpBlocked = false
    const from = pair.log.length
    change(pair, 150)
    expect(pair.transcript(from)).toEqual([
      'I → R  HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)}',
      'R → I  HDR, SK {N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)}',
    ])
    expect(pair.log.slice(from).every((entry) => entry.transport === 'udp')).toBe(true)
    pair.run(1_000)
    const before = pair.datagrams.length
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.datagrams.slice(before).map(({ kind }) => kind)).toEqual(['esp', 'esp'])
  })

  it('(T-MOB-4, T-MOB-5): where UDP is silent the same request goes over TCP, and after its answer a new one with the addresses of TCP', () => {
    const pair = up()
    pair.link.isUdpBlocked = true
    const from = pair.log.length
    change(pair)
    const sent = pair.log.slice(from).filter((entry) => entry.from === pair.client)
    const [first] = sent
    const again = sent.filter((entry) => entry.octets.join() === first!.octets.join())
    expect(again.map((entry) => entry.transport)).toEqual(['udp', 'udp', 'tcp'])
    const next = sent.filter((entry) => !again.includes(entry))
    expect(next.map((entry) => [entry.transport, decodeHeader(entry.octets).messageId - decodeHeader(first!.octets).messageId])).toEqual([
      ['tcp', 1],
    ])
    expect(next[0]!.text).toContain('N(UPDATE_SA_ADDRESSES)')
  })

  it('(T-MOB-6): the initiator closes the connection that it leaves', () => {
    const pair = up({ link: { isUdpBlocked: true } })
    pair.link.isUdpBlocked = false
    change(pair)
    expect(pair.pipe.isOpen).toBe(false)
    expect(pair.client.eventsOf('connection-closed')).toMatchObject([{ role: 'originator', reason: 'its IKE SA has moved' }])
  })

  it('(T-MOB-8): nothing of a return routability check goes over TCP', () => {
    const pair = up()
    pair.link.isUdpBlocked = true
    change(pair)
    expect(pair.transcript().filter((text) => text.includes('COOKIE2'))).toEqual([])
  })

  it('(T-MOB-9): a request that was out when the way was lost goes out again by the new one', () => {
    const pair = up({ gatewayTimers: { liveness: 1_000_000 } })
    pair.link.isUdpBlocked = true
    pair.command(pair.client, { kind: 'check-liveness' })
    const [asked] = pair.log.slice(-1)
    change(pair)
    const repeated = pair.log.filter((entry) => entry.octets.join() === asked!.octets.join())
    expect(repeated.at(-1)!.transport).toBe('tcp')
    expect(transportOf(pair)).toBe('tcp')
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-MOB-9): and so does the gateway’s', () => {
    const pair = up()
    pair.link.isUdpBlocked = true
    pair.command(pair.gateway, { kind: 'check-liveness' })
    change(pair)
    expect(pair.gateway.eventsOf('liveness')).toMatchObject([{ result: 'alive' }])
  })

  it('RFC 9329 §7.1 (T-LIFE-19): what was under way by the old transport still arrives', () => {
    const pair = up({ link: { isUdpBlocked: true } })
    pair.link.isUdpBlocked = false
    pair.link.latency = 50
    pair.input(pair.client, { kind: 'network-changed' })
    pair.run(60)
    // The gateway has moved, its answer is on its way.
    expect(pair.saOf(pair.gateway).path?.transport).toBe('udp')
    expect(pair.passesTraffic()).toBe(true)
    pair.run(200)
    expect(transportOf(pair)).toBe('udp')
  })

  it('RFC 9329 §7.1 (T-MOB-1): UDP that falls silent is left for TCP with the same SAs', () => {
    const pair = up({ gatewayTimers: { liveness: 1_000_000 } })
    const spis = spisOf(pair)
    pair.link.isUdpBlocked = true
    pair.run(60_000, () => pair.saOf(pair.gateway).path?.transport === 'tcp')
    pair.settle()
    expect(spisOf(pair)).toEqual(spis)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.4: a gateway that has lost the SAs is found out, and all begins anew', () => {
    const pair = up({ link: { isUdpBlocked: true } })
    for (const { inboundSpi } of pair.saOf(pair.gateway).children) pair.gateway.core.sad.delete(inboundSpi)
    pair.gateway.core.ikeSas.clear()
    pair.link.refusesTcp = (port) => port === 4500
    pair.cut(pair.pipe)
    pair.run(20_000, () => pair.client.eventsOf('child-sa-installed').length > 1)
    pair.settle()
    expect(pair.client.eventsOf('ike-sa-closed')).toMatchObject([{ reason: expect.stringContaining('none was answered') }])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 4555 §3.5 (T-LIFE-4): where no way is left it is tried again, and found when there is one', () => {
    const pair = up()
    const spis = spisOf(pair)
    Object.assign(pair.link, { isUdpBlocked: true, isTcpBlocked: true })
    change(pair, 20_000)
    expect(pair.client.core.inspect(pair.now).peers[0]!.state).toBe('waiting')
    Object.assign(pair.link, { isUdpBlocked: false, isTcpBlocked: false })
    pair.run(30_000, () => pair.client.core.inspect(pair.now).peers[0]!.state === 'up')
    expect(spisOf(pair)).toEqual(spis)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 4555 §3.5 (T-MOB-1): a network that changes once more has all begun anew, at once', () => {
    const pair = up()
    Object.assign(pair.link, { isUdpBlocked: true, isTcpBlocked: true })
    change(pair, 20_000)
    Object.assign(pair.link, { isUdpBlocked: false })
    change(pair, 100)
    expect(transportOf(pair)).toBe('udp')
    pair.settle()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §1.4.1 (T-LIFE-1): `terminate` ends the search', () => {
    const pair = up()
    Object.assign(pair.link, { isUdpBlocked: true, isTcpSilent: true })
    change(pair, 1_000)
    pair.command(pair.client, { kind: 'terminate' })
    pair.run(100_000)
    expect(pair.client.core.ikeSas.size).toBe(0)
    expect(pair.client.eventsOf('transport-tried')).toHaveLength(1)
  })

  it('RFC 7296 §2.2: a stranger who writes a gateway’s answer from elsewhere moves nothing', () => {
    const pair = up({ link: { isUdpBlocked: true } })
    const from = pair.log.length
    pair.link.isUdpBlocked = false
    change(pair)
    const answer = pair.log.slice(from).find((entry) => entry.from === pair.gateway)!
    for (const transport of ['203.0.113.9', pair.gateway.address])
      pair.input(pair.client, {
        kind: 'datagram',
        local: { address: '0.0.0.0', port: 0 },
        remote: { address: transport, port: 4500 },
        message: 'ike',
        bytes: answer.octets,
      })
    expect(pair.client.eventsOf('path-moved')).toHaveLength(1)
    expect(pair.passesTraffic()).toBe(true)
  })
})

describe('RFC 9329 §9 (T-PERF-1): back to UDP', () => {
  const TIMERS = { clientTimers: { udpProbe: 10_000, maxUdpProbe: 40_000 } }

  it('(T-PERF-1, T-MOB-3): a tunnel over TCP asks for UDP after a while, moves when it answers, and asks no more', () => {
    const pair = up({ link: { isUdpBlocked: true }, ...TIMERS })
    pair.link.isUdpBlocked = false
    pair.run(13_000)
    expect(transportOf(pair)).toBe('udp')
    expect(pair.client.eventsOf('path-moved')).toMatchObject([{ from: { transport: 'tcp' }, to: { transport: 'udp' } }])
    const from = pair.log.length
    pair.run(25_000)
    expect(pair.transcript(from).filter((text) => text.includes('UPDATE_SA_ADDRESSES'))).toEqual([])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-PERF-1): in vain: after 10, 20, 40, 40 s, with no new connection, no news, and not a packet lost', () => {
    const pair = up({ link: { isUdpBlocked: true }, ...TIMERS, gatewayTimers: { liveness: 1_000_000 } })
    const events = pair.client.events.length
    const from = pair.log.length
    for (let i = 0; i < 600; i++) {
      pair.run(1)
      if (i % 20 === 0) expect(pair.passesTraffic()).toBe(true)
      else pair.run(200)
    }
    const asked = pair.log.slice(from).filter((entry) => entry.transport === 'udp')
    const first = asked.filter((entry, i) => asked[i - 1]?.octets.join() !== entry.octets.join()).map(({ at }) => at)
    const waits = first.map((at, i) => at - (first[i - 1] ?? 0))
    expect(waits.length).toBeGreaterThan(3)
    for (const [i, middle] of [10_000, 20_000, 40_000, 40_000].entries()) {
      expect(waits[i]).toBeGreaterThanOrEqual(0.79 * middle)
      expect(waits[i]).toBeLessThanOrEqual(1.2 * middle + 1_500)
    }
    expect(pair.pipes).toHaveLength(1)
    expect(pair.client.events.slice(events).filter(({ kind }) => kind !== 'liveness')).toEqual([])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-MOB-4): where a gateway without path checks hears UDP and is not heard, it is back on TCP within a second', () => {
    const pair = up({ link: { isUdpBlocked: true }, gateway: { pathChecks: false }, ...TIMERS })
    pair.link.isUdpBlocked = false
    pair.link.loses = ({ from }) => from === pair.gateway
    pair.run(13_000, () => pair.saOf(pair.gateway).path?.transport === 'udp')
    expect(pair.saOf(pair.gateway).path?.transport).toBe('udp')
    pair.run(1_000)
    expect(transportOf(pair)).toBe('tcp')
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-LIFE-4, T-LIFE-5): a connection that dies while UDP is asked for is dialled again', () => {
    const pair = up({ link: { isUdpBlocked: true }, ...TIMERS })
    pair.run(13_000, () => pair.log.some(({ at, transport }) => transport === 'udp' && at > 5_000))
    pair.cut(pair.pipe)
    pair.run(10_000)
    expect(transportOf(pair)).toBe('tcp')
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-MOB-2): a network that changes has it asked for at once', () => {
    const pair = up({ link: { isUdpBlocked: true } })
    pair.link.isUdpBlocked = false
    change(pair, 100)
    expect(transportOf(pair)).toBe('udp')
  })
})
