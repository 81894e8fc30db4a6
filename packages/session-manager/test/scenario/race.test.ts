import { decodeMessage, ExchangeType, encodeMessage, HeaderFlag, NotifyType, notify } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import type { TransportOption } from '../../src/index.ts'
import { CLIENT_ADDRESS, GATEWAY_ADDRESS, Pair, type PairOptions, sharedKey, TCP, UDP } from '../pair.ts'

const TLS: TransportOption = { transport: 'tcp', port: 443, framing: 'rfc9329', carrier: 'tls:443 via http://proxy:3128' }
const ALL = [UDP, TCP, TLS]

const chosen = (pair: Pair): string[] => pair.client.eventsOf('transport-chosen').map((event) => event.transport)
const tried = (pair: Pair): string[] => pair.client.eventsOf('transport-tried').map((event) => event.transport)

/** The datagrams of IKE from the IKE_AUTH request on are lost. */
function isAuthLost(pair: () => Pair): NonNullable<PairOptions['link']> {
  return { loses: ({ from, bytes }) => from === pair().client && bytes[18] === 35 }
}

describe('RFC 9329 §5.1, §9: transports that race', () => {
  it('(T-FB-1): where UDP is open nothing else is begun', () => {
    const pair = new Pair({ transports: ALL })
    expect(pair.connect()).toBeLessThan(100)
    pair.run(10_000)
    expect([tried(pair), chosen(pair)]).toEqual([['udp:500'], ['udp:500']])
    expect(pair.pipes).toEqual([])
  })

  it.each([10, 50, 150])(
    '(T-FB-2): a network that blocks UDP costs at most 2 s more than one that does not, with %d ms one way',
    (latency) => {
      const open = new Pair({ transports: ALL, link: { latency } }).connect()
      const pair = new Pair({ transports: ALL, link: { latency, isUdpBlocked: true } })
      expect(pair.connect() - open).toBeLessThan(2_000)
      expect(chosen(pair)).toEqual(['tcp:4500'])
      expect(pair.passesTraffic()).toBe(true)
    },
  )

  it('(T-FB-4): and at most 300 ms where that is known', () => {
    const pair = new Pair({ transports: ALL, link: { latency: 50, isUdpBlocked: true } })
    pair.connect()
    pair.command(pair.client, { kind: 'terminate' })
    pair.settle(3_000)
    const open = new Pair({ transports: ALL, link: { latency: 50 } }).connect()
    expect(pair.connect() - open).toBeLessThan(300)
    expect(chosen(pair)).toEqual(['tcp:4500', 'tcp:4500'])
    // It is forgotten.
    pair.command(pair.client, { kind: 'terminate' })
    pair.run(600_000)
    expect(pair.connect() - open).toBeGreaterThan(500)
  })

  it('(T-PERF-1): UDP over a satellite, 700 ms there and back, is chosen, and the stream that began beside it is closed without a word', () => {
    const pair = new Pair({ transports: ALL, link: { latency: 350 } })
    pair.connect()
    pair.run(10_000)
    expect(chosen(pair)).toEqual(['udp:500'])
    expect(tried(pair).length).toBeGreaterThan(1)
    expect(pair.pipes.every((pipe) => !pipe.isOpen)).toBe(true)
    expect(pair.transcript().filter((text) => text.includes('SK {D'))).toEqual([])
    expect(pair.client.core.ikeSas.size).toBe(1)
    expect(pair.gateway.core.halfOpen.size).toBe(0)
    pair.link.latency = 10
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-FB-3): UDP that is blocked half way: IKE_SA_INIT is answered, IKE_AUTH is not', () => {
    const pair: Pair = new Pair({ transports: ALL, link: isAuthLost(() => pair) })
    expect(pair.connect()).toBeLessThan(2_000)
    expect(chosen(pair)).toEqual(['tcp:4500'])
    expect(pair.client.eventsOf('transport-failed')).toMatchObject([
      {
        transport: 'udp:500',
        reason: expect.stringMatching(/^IKE_SA_INIT was answered, IKE_AUTH was not within \d+ ms: UDP is blocked half way$/),
      },
    ])
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([
    ['IKE_AUTH', (pair: Pair) => isAuthLost(() => pair).loses!],
    [
      'ESP',
      () =>
        ({ kind }: { kind: string }) =>
          kind === 'esp',
    ],
  ] as const)('(T-FB-4): and at most 300 ms more than an open network where that is known: %s never passes over UDP', (_, losing) => {
    const open = new Pair({ transports: ALL, link: { latency: 50 } }).connect()
    const pair = new Pair({ transports: ALL, link: { latency: 50 } })
    pair.link.loses = losing(pair)
    pair.input(pair.client, { kind: 'network-changed', network: 'hotel' })
    pair.connect()
    pair.run(3_000, () => pair.saOf(pair.client).transport === 'tcp')
    const { network, transport, blockedForMilliseconds, isHalfWay } = pair.client.eventsOf('transport-remembered').at(-1)!
    expect([network, transport, isHalfWay]).toEqual(['hotel', 'udp:500', true])
    pair.command(pair.client, { kind: 'terminate' })
    pair.settle(3_000)
    expect(pair.connect() - open).toBeLessThan(300)
    expect(pair.saOf(pair.client).transport).toBe('tcp')
    expect(pair.passesTraffic()).toBe(true)
    // So it is for a process after this one.
    const later = new Pair({ transports: ALL, link: { latency: 50 } })
    later.link.loses = losing(later)
    const remembered = { network, transport, blockedForMilliseconds, isHalfWay: isHalfWay === true }
    later.command(later.client, { kind: 'remember-transport', peer: 'gateway', ...remembered })
    later.input(later.client, { kind: 'network-changed', network: 'hotel' })
    expect(later.connect() - open).toBeLessThan(300)
    expect(later.saOf(later.client).transport).toBe('tcp')
  })

  it('(T-FB-4): UDP that was blocked half way and is not any more is taken again, once ESP has been seen to pass', () => {
    const pair: Pair = new Pair({ transports: ALL, link: isAuthLost(() => pair), clientTimers: { udpProbe: 10_000 } })
    pair.connect()
    pair.command(pair.client, { kind: 'terminate' })
    pair.settle(3_000)
    pair.link.loses = () => false
    pair.connect()
    expect(pair.saOf(pair.client).transport).toBe('tcp')
    pair.run(20_000)
    expect(pair.saOf(pair.client).transport).toBe('udp')
    expect(pair.client.core.inspect(pair.now).peers[0]!.blocked).toEqual([])
  })

  it('RFC 7296 §2.4: a lost answer to IKE_AUTH leaves one IKE SA at the gateway: the new one says INITIAL_CONTACT', () => {
    const pair: Pair = new Pair({ transports: ALL, link: { loses: ({ from, bytes }) => from === pair.gateway && bytes[18] === 35 } })
    pair.connect()
    expect(chosen(pair)).toEqual(['tcp:4500'])
    pair.settle()
    expect(pair.gateway.core.ikeSas.size).toBe(1)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-FB-1): status says of each what came of it, where nothing but the last of the list gets through', () => {
    const pair = new Pair({ transports: ALL, link: { isUdpBlocked: true, refusesTcp: (port) => port === 4500 } })
    expect(pair.connect()).toBeLessThan(2_000)
    expect(chosen(pair)).toEqual(['tls:443 via http://proxy:3128'])
    expect(pair.client.core.inspect(pair.now).peers[0]!.attempts).toEqual([
      { transport: 'udp:500', outcome: 'failed', reason: expect.stringContaining('no answer to IKE_SA_INIT within') },
      { transport: 'tcp:4500', outcome: 'failed', reason: 'connection refused' },
      {
        transport: 'tls:443 via http://proxy:3128',
        outcome: 'chosen',
        reason: 'the first that answered; failed before it: udp:500, tcp:4500',
      },
    ])
  })

  it('(T-CFG-3): a stream whose connection opens and is never answered loses to the next', () => {
    const pair = new Pair({ transports: ALL, link: { isUdpBlocked: true, swallows: (port) => port === 4500 } })
    expect(pair.connect()).toBeLessThan(2_000)
    expect(chosen(pair)).toEqual(['tls:443 via http://proxy:3128'])
    expect(pair.gateway.core.halfOpen.size).toBe(0)
  })

  it('RFC 7296 §2.4: IKE_AUTH of one that was dropped, held up on the way, does not end the one that came after it', () => {
    const held: Uint8Array[] = []
    const pair: Pair = new Pair({
      transports: ALL,
      link: {
        loses: ({ from, bytes }) => {
          if (from !== pair.client || bytes[18] !== 35) return false
          held.push(bytes.slice())
          return true
        },
      },
    })
    pair.connect()
    expect(chosen(pair)).toEqual(['tcp:4500'])
    const sa = pair.gateway.core.identities
    const message = { kind: 'datagram', local: { address: GATEWAY_ADDRESS, port: 4500 }, message: 'ike' } as const
    pair.input(pair.gateway, { ...message, remote: { address: CLIENT_ADDRESS, port: 4500 }, bytes: held[0]! })
    pair.settle()
    expect(pair.counter(pair.gateway, 'ike-overtaken')).toBe(1)
    expect(sa.of(pair.saOf(pair.gateway).peer!, pair.saOf(pair.gateway).remoteId!, undefined)).toHaveLength(1)
    expect(pair.gateway.core.halfOpen.size).toBe(0)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.4: and as a peer may go by the order of arrival, it is asked once after `timers.resume` whether it has the IKE SA', () => {
    const pair: Pair = new Pair({ transports: ALL, link: isAuthLost(() => pair) })
    pair.connect()
    const from = pair.log.length
    pair.run(10_000)
    expect(pair.transcript(from)).toEqual(['I → R  HDR, SK {}', 'R → I  HDR, SK {}'])
  })

  it('RFC 7296 §2.6: a forged COOKIE over UDP costs that attempt, and TCP gets through', () => {
    const pair = new Pair({ transports: ALL, clientTimers: { retry: 60_000 } })
    pair.initiate()
    pair.run(1)
    const request = decodeMessage(pair.log[0]!.octets)
    const forged = encodeMessage({
      header: { ...request.header, exchangeType: ExchangeType.IKE_SA_INIT, flags: HeaderFlag.RESPONSE },
      payloads: [notify(NotifyType.COOKIE, new Uint8Array(16))],
    })
    const message = { kind: 'datagram', local: { address: CLIENT_ADDRESS, port: 500 }, message: 'ike' } as const
    pair.input(pair.client, { ...message, remote: { address: GATEWAY_ADDRESS, port: 500 }, bytes: forged })
    pair.run(5_000, () => pair.isUp)
    expect(chosen(pair)).toEqual(['tcp:4500'])
    expect(pair.client.eventsOf('retry-scheduled')).toEqual([])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-FB-1): a network that changes all the time has the race begun anew once in a second, and it comes to its end', () => {
    const pair = new Pair({ transports: ALL, link: { latency: 100 } })
    pair.initiate()
    for (let i = 0; i < 100 && !pair.isUp; i++) {
      pair.input(pair.client, { kind: 'network-changed' })
      pair.run(50, () => pair.isUp)
    }
    expect(pair.isUp).toBe(true)
  })

  it('(T-FB-4): what is known of a network is known again where it is met again, also by a process after this one', () => {
    const pair = new Pair({ transports: ALL, link: { isUdpBlocked: true } })
    pair.input(pair.client, { kind: 'network-changed', network: 'hotel' })
    pair.connect()
    expect(pair.client.eventsOf('transport-remembered')).toMatchObject([
      { network: 'hotel', transport: 'udp:500', blockedForMilliseconds: 600_000 },
    ])
    const later = new Pair({ transports: ALL, link: { isUdpBlocked: true } })
    later.command(later.client, {
      kind: 'remember-transport',
      peer: 'gateway',
      network: 'hotel',
      transport: 'udp:500',
      blockedForMilliseconds: 60_000,
    })
    later.input(later.client, { kind: 'network-changed', network: 'home' })
    const home = later.connect()
    later.command(later.client, { kind: 'terminate' })
    later.settle(3_000)
    later.input(later.client, { kind: 'network-changed', network: 'hotel' })
    expect(later.connect()).toBeLessThan(home - 300)
  })

  it('RFC 7296 §2.21.2: a peer that says no over one says no over all', () => {
    const pair = new Pair({
      transports: ALL,
      link: { latency: 350 },
      client: { auth: sharedKey(new Uint8Array(32)) },
      clientTimers: { retry: 60_000 },
    })
    pair.initiate()
    pair.run(10_000, () => pair.client.eventsOf('retry-scheduled').length > 0)
    expect(pair.client.eventsOf('authentication-failed').length + pair.client.eventsOf('handshake-failed').length).toBeGreaterThan(0)
    expect(pair.client.eventsOf('transport-failed').map((event) => event.transport)).toContain('tcp:4500')
    expect(pair.client.core.ikeSas.size).toBe(0)
    pair.settle(6_000)
    expect(pair.gateway.core.halfOpen.size).toBeLessThanOrEqual(1)
  })

  it('RFC 7296 §2.6: what loses leaves no half-open IKE SA at the gateway, over TCP after `timers.idleConnection` at the latest', () => {
    const pair = new Pair({ transports: [TCP, TLS], link: { latency: 200 } })
    pair.connect()
    pair.run(5_000)
    expect(tried(pair)).toEqual(['tcp:4500', 'tls:443 via http://proxy:3128'])
    expect([pair.gateway.core.ikeSas.size, pair.gateway.core.halfOpen.size, pair.client.core.ikeSas.size]).toEqual([1, 0, 1])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §1.4.1: `terminate` in the middle of a race ends all of it', () => {
    const pair = new Pair({ transports: ALL, link: { isUdpBlocked: true, isTcpSilent: true } })
    pair.initiate()
    pair.run(1_000)
    expect(tried(pair)).toHaveLength(3)
    pair.command(pair.client, { kind: 'terminate' })
    pair.run(60_000)
    expect(pair.client.core.ikeSas.size).toBe(0)
    expect(tried(pair)).toHaveLength(3)
    expect(pair.pipes.every((pipe) => !pipe.isOpen)).toBe(true)
  })
})
