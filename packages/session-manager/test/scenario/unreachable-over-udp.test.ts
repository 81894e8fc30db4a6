import { describe, expect, it } from 'vitest'
import { MeddledPair } from '../meddler.ts'
import { CLIENT_ADDRESS, GATEWAY_ADDRESS, Pair, type PairOptions, TCP, UDP } from '../pair.ts'

const LOCAL = { address: '0.0.0.0', port: 0 }

describe('RFC 9329 §5.1 a UDP port that is refused', () => {
  it('(T-FB-2): leads to TCP after one retransmission of IKE_SA_INIT, bit-identical, and sooner than silence does', () => {
    const refused = new Pair({ transports: [UDP, TCP], link: { isUdpRefused: true } })
    const silent = new Pair({ transports: [UDP, TCP], link: { isUdpBlocked: true } })
    const took = [refused.connect(), silent.connect()] as const
    const overUdp = refused.log.filter((entry) => entry.transport === 'udp')
    expect(overUdp).toHaveLength(2)
    expect(overUdp[1]!.octets).toEqual(overUdp[0]!.octets)
    expect(took[0]).toBeLessThan(took[1])
    expect(refused.client.eventsOf('transport-failed')).toMatchObject([
      { transport: 'udp:500', reason: 'no answer to IKE_SA_INIT, and a datagram did not get there: port unreachable' },
    ])
    expect(refused.passesTraffic()).toBe(true)
  })

  it('(T-FB-2): so it does where the sockets say it only once, and not to whom', () => {
    const pair = new Pair({ transports: [UDP, TCP], link: { isUdpBlocked: true } })
    pair.initiate()
    pair.run(20)
    pair.input(pair.client, { kind: 'datagram-failed', local: LOCAL, remote: undefined, reason: 'EPERM' })
    pair.run(800, () => pair.isUp)
    expect(pair.isUp).toBe(true)
    expect(pair.log.filter((entry) => entry.transport === 'udp')).toHaveLength(2)
  })

  it('(C-8): what is said of another place changes nothing', () => {
    const pair = new Pair({ transports: [UDP, TCP], link: { isUdpBlocked: true } })
    pair.initiate()
    pair.run(20)
    for (const remote of [
      { address: GATEWAY_ADDRESS, port: 4501 },
      { address: '203.0.113.1', port: 500 },
    ])
      pair.input(pair.client, { kind: 'datagram-failed', local: LOCAL, remote, reason: 'forged' })
    pair.run(570)
    expect(pair.client.eventsOf('transport-tried')).toHaveLength(1)
    pair.run(20)
    expect(pair.client.eventsOf('transport-tried')).toHaveLength(2)
  })

  it('(C-8): one that is forged does not keep the handshake from its end over UDP', () => {
    const pair = new Pair({ transports: [UDP, TCP], link: { latency: 100 } })
    pair.initiate()
    for (let i = 0; i < 5; i++) refuse(pair, 500)
    pair.run(5_000, () => pair.isUp)
    expect(pair.client.eventsOf('transport-chosen')).toMatchObject([{ transport: 'udp:500' }])
    expect(pair.pipes).toEqual([])
  })

  it('(C-8): nor does a second one, after the repetition, as long as the answer comes within the time of the first', () => {
    const pair = new Pair({ transports: [UDP, TCP], link: { latency: 190 } })
    pair.initiate()
    pair.run(5)
    refuse(pair, 500)
    pair.run(310)
    expect(pair.log.filter((entry) => entry.from === pair.client)).toHaveLength(2)
    refuse(pair, 500)
    pair.run(5_000, () => pair.isUp)
    expect(pair.client.eventsOf('transport-chosen')).toMatchObject([{ transport: 'udp:500' }])
  })

  it('§6.3: nor is the full time of a request shortened that follows a cookie', () => {
    const pair = new MeddledPair({ transports: [UDP, TCP], gatewayLimits: { cookieThreshold: 0 } })
    pair.initiate()
    refuse(pair, 500)
    pair.run(25)
    pair.link.isUdpBlocked = true
    pair.run(590)
    expect(pair.log.filter((entry) => entry.text.includes('N(COOKIE)')).length).toBeGreaterThan(1)
    expect(pair.client.eventsOf('transport-tried')).toHaveLength(1)
    pair.run(50)
    expect(pair.client.eventsOf('transport-tried')).toHaveLength(2)
  })

  it('(C-8): the last transport of the list is not given up for it', () => {
    const pair = new Pair({ transports: [UDP], link: { isUdpRefused: true } })
    pair.initiate()
    pair.run(10_000)
    expect(pair.client.eventsOf('transport-failed')).toEqual([])
    pair.link.isUdpRefused = false
    pair.run(30_000, () => pair.isUp)
    expect(pair.isUp).toBe(true)
  })
})

describe('RFC 7296 §2.4 (C-8): ICMP about an IKE SA that is up', () => {
  it.each(['client', 'gateway'] as const)('makes the %s ask whether the other end is alive, and once for many', (name) => {
    const pair = up()
    const from = pair.log.length
    const before = pair[name].eventsOf('liveness').length
    const [address, port] = name === 'client' ? [GATEWAY_ADDRESS, 4500] : [CLIENT_ADDRESS, 4500]
    for (let i = 0; i < 50; i++)
      pair.input(pair[name], { kind: 'datagram-failed', local: LOCAL, remote: { address, port }, reason: 'host unreachable' })
    pair.settle()
    expect(pair.log.slice(from).map((entry) => entry.text)).toEqual(['HDR, SK {}', 'HDR, SK {}'])
    expect(pair[name].eventsOf('liveness').slice(before)).toMatchObject([{ result: 'alive' }])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('goes on for a minute and tears nothing down', () => {
    const pair = up()
    for (let second = 0; second < 60; second++) {
      refuse(pair, 4500)
      pair.run(1_000)
    }
    for (const node of [pair.client, pair.gateway]) expect(node.eventsOf('ike-sa-closed')).toEqual([])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('a gateway does not ask everybody where it is not said whom it is about', () => {
    const pair = up()
    const from = pair.log.length
    pair.input(pair.gateway, { kind: 'datagram-failed', local: LOCAL, remote: undefined, reason: 'EPERM' })
    pair.settle()
    expect(pair.log).toHaveLength(from)
  })

  it('nor does it walk its table for each of a flood', () => {
    const pair = up()
    const from = pair.log.length
    for (let i = 0; i < 20; i++)
      pair.input(pair.gateway, { kind: 'datagram-failed', local: LOCAL, remote: { address: '203.0.113.1', port: i }, reason: 'forged' })
    pair.input(pair.gateway, { kind: 'datagram-failed', local: LOCAL, remote: { address: CLIENT_ADDRESS, port: 4500 }, reason: 'late' })
    pair.settle()
    expect(pair.log).toHaveLength(from)
    expect(pair.counter(pair.gateway, 'datagram-failures')).toBe(21)
  })

  it('over TCP nothing is asked', () => {
    const pair = new Pair()
    pair.connect()
    const from = pair.log.length
    refuse(pair, 4500)
    pair.settle()
    expect(pair.log).toHaveLength(from)
  })
})

describe('RFC 7296 §2.4, RFC 9329 §9: UDP that stops in mid-session', () => {
  it('§7.1: a client with another transport moves when the third repetition of a request is unanswered, and keeps its SAs', () => {
    const pair = up()
    pair.link.isUdpBlocked = true
    const start = pair.now
    pair.run(200_000, () => pair.saOf(pair.gateway).path?.transport === 'tcp')
    // 30 s of silence, 7.5 s for four transmissions.
    expect(pair.now - start).toBeGreaterThan(37_000)
    expect(pair.now - start).toBeLessThan(39_000)
    pair.settle()
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
    expect(pair.client.eventsOf('transport-chosen').map((event) => event.transport)).toEqual(['udp:500', 'tcp:4500'])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('and starts anew, and keeps its inner address, where the gateway has no MOBIKE', () => {
    const pair = up()
    withoutMobike(pair)
    const had = pair.clientAddress
    pair.link.isUdpBlocked = true
    const took = timeToRecover(pair)
    // 30 s of silence, 7.5 s for four transmissions, 0.6 s for UDP to show that it is blocked.
    expect(took).toBeGreaterThan(37_000)
    expect(took).toBeLessThan(40_000)
    expect(pair.client.eventsOf('ike-sa-closed')).toMatchObject([{ reason: expect.stringContaining('after 4 transmissions') }])
    expect(pair.client.eventsOf('transport-chosen').map((event) => event.transport)).toEqual(['udp:500', 'tcp:4500'])
    expect(pair.clientAddress).toBe(had)
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.gateway.core.ikeSas.size).toBe(1)
  })

  it('§9 (T-FB-1): where UDP is there again by then it is UDP again', () => {
    const pair = up()
    withoutMobike(pair)
    pair.link.isUdpBlocked = true
    pair.run(60_000, () => pair.client.eventsOf('ike-sa-closed').length > 0)
    pair.link.isUdpBlocked = false
    pair.run(1_000)
    expect(pair.client.eventsOf('transport-chosen').map((event) => event.transport)).toEqual(['udp:500', 'udp:500'])
    expect(pair.pipes).toEqual([])
  })

  it('ICMP makes it sooner by the silence before the first question', () => {
    const pair = up()
    pair.link.isUdpBlocked = true
    refuse(pair, 4500)
    pair.run(10_000, () => pair.saOf(pair.gateway).path?.transport === 'tcp')
    expect(pair.saOf(pair.gateway).path?.transport).toBe('tcp')
  })

  it('without another transport all repetitions are made (C-8)', () => {
    const pair = up({ transports: [UDP] })
    pair.link.isUdpBlocked = true
    pair.run(300_000, () => pair.client.eventsOf('ike-sa-closed').length > 0)
    expect(pair.client.eventsOf('ike-sa-closed')).toMatchObject([{ reason: expect.stringContaining('after 7 transmissions') }])
  })

  it('nor is the path left while valid ESP comes by it', () => {
    const pair = up()
    pair.link.loses = ({ kind }) => kind === 'ike'
    pair.command(pair.client, { kind: 'check-liveness' })
    for (let second = 0; second < 20; second++) {
      pair.passesTraffic()
      pair.run(1_000)
    }
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
  })
})

function up(options: PairOptions = {}): Pair {
  const pair = new Pair({ transports: [UDP, TCP], gatewayTimers: { liveness: 1_000_000 }, ...options })
  pair.connect()
  return pair
}

function withoutMobike(pair: Pair): void {
  for (const node of [pair.client, pair.gateway]) pair.saOf(node).isMobike = false
}

/** The client hears that its datagrams to a port of the gateway did not get there. */
function refuse(pair: Pair, port: number): void {
  const remote = { address: GATEWAY_ADDRESS, port }
  pair.input(pair.client, { kind: 'datagram-failed', local: LOCAL, remote, reason: 'port unreachable' })
}

/** Milliseconds until a second Child SA is there. */
function timeToRecover(pair: Pair): number {
  const start = pair.now
  pair.run(200_000, () => pair.client.eventsOf('child-sa-installed').length > 1)
  const took = pair.now - start
  pair.settle()
  return took
}
