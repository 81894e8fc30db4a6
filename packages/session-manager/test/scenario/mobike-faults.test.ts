import { describe, expect, it } from 'vitest'
import { change, spisOf, transportOf, up } from '../moving.ts'
import { type Pair, TCP, UDP } from '../pair.ts'

const TIMERS = { clientTimers: { udpProbe: 10_000, maxUdpProbe: 40_000 } }

describe('RFC 9329 §7.1, RFC 4555 §3.5: what may go wrong while another way is looked for', () => {
  it('(T-LIFE-5): new connections that die before they answer begin no second tunnel', () => {
    const pair = up()
    Object.assign(pair.link, { isUdpBlocked: true, isTcpSilent: true })
    pair.input(pair.client, { kind: 'network-changed' })
    pair.run(5_000, () => openPipes(pair).length === 2)
    expect(openPipes(pair)).toHaveLength(2)

    Object.assign(pair.link, { isTcpSilent: false })
    for (const pipe of openPipes(pair)) pair.cut(pipe)
    Object.assign(pair.link, { isUdpBlocked: false })
    pair.link.loses = ({ from }) => from === pair.client && pair.client.eventsOf('ike-sa-closed').length === 0
    pair.run(20_000)
    expect(pair.client.core.ikeSas.size).toBe(1)
    expect(stateOf(pair)).toBe('up')
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-MOB-9): a liveness check that is out when TCP dies goes over UDP, and the same SAs go on', () => {
    const pair = up({ link: { isUdpBlocked: true }, gatewayTimers: { liveness: 1_000_000 } })
    const spis = spisOf(pair)
    pair.link.isTcpSilent = true
    pair.command(pair.client, { kind: 'check-liveness' })
    const asked = pair.log.at(-1)!
    pair.run(1_000)
    Object.assign(pair.link, { isTcpBlocked: true, isUdpBlocked: false })
    change(pair, 25_000)
    const again = pair.log.filter(({ octets, transport }) => transport === 'udp' && octets.join() === asked.octets.join())
    expect(again.length).toBeGreaterThan(0)
    pair.run(120_000)
    expect(spisOf(pair)).toEqual(spis)
    expect(transportOf(pair)).toBe('udp')
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-LIFE-4): the old connection that dies when UDP is only tried again is dialled again', () => {
    const pair = upAndAskingForUdp()
    const spis = spisOf(pair)
    pair.link.isTcpSilent = true
    pair.run(1_000)
    pair.cut(pair.pipe)
    pair.link.isTcpSilent = false
    pair.run(10_000)
    expect(spisOf(pair)).toEqual(spis)
    expect(transportOf(pair)).toBe('tcp')
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-MOB-1): a network that changes while UDP is tried again has new connections dialled', () => {
    const pair = upAndAskingForUdp()
    const spis = spisOf(pair)
    pair.link.swallows = (port) => port === 4500
    change(pair, 10_000)
    expect(pair.pipes.at(-1)!.port).toBe(443)
    expect(spisOf(pair)).toEqual(spis)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-MOB-1): a network that changes many times in a row has no way begun twice at once', () => {
    const pair = up()
    Object.assign(pair.link, { isUdpBlocked: true, isTcpSilent: true })
    for (let i = 0; i < 3; i++) change(pair, 10)
    for (let i = 0; i < 60; i++) {
      pair.run(50)
      const ports = openPipes(pair).map(({ port }) => port)
      expect(ports).toEqual([...new Set(ports)])
    }
    expect(openPipes(pair)).toHaveLength(2)
    Object.assign(pair.link, { isUdpBlocked: false })
    pair.run(2_000)
    expect(transportOf(pair)).toBe('udp')
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-LIFE-1): `terminate` while UDP is tried again says Delete', () => {
    const pair = upAndAskingForUdp()
    pair.command(pair.client, { kind: 'terminate' })
    pair.run(5_000)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
  })

  it('RFC 7296 §2.4: with UDP alone the search begins again, and ends', () => {
    const pair = up({ transports: [UDP, { transport: 'udp', port: 4501, natPort: 4501 }] })
    pair.link.isUdpBlocked = true
    change(pair, 4 * 3_600_000)
    pair.link.isUdpBlocked = false
    pair.run(600_000)
    expect(stateOf(pair)).toBe('up')
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-LIFE-4): connections that a passing network swallowed cost no IKE SA', () => {
    const pair = up()
    Object.assign(pair.link, { isUdpBlocked: true, isTcpSilent: true })
    change(pair, 2_000)
    Object.assign(pair.link, { isTcpSilent: false, isTcpBlocked: true })
    for (const pipe of openPipes(pair)) pair.cut(pipe)
    change(pair, 5_000)
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
  })

  it('(T-LIFE-12): with one transport a network that changes has it dialled at once', () => {
    const pair = up({ transports: [TCP], gatewayTimers: { liveness: 1_000_000 } })
    const old = pair.pipe
    pair.link.swallows = () => pair.pipe === old
    const at = pair.now
    pair.input(pair.client, { kind: 'network-changed' })
    pair.run(60_000, () => pair.pipe !== old)
    expect(pair.pipe).not.toBe(old)
    expect(pair.now - at).toBeLessThan(5_000)
  })

  it('(T-LIFE-19): ESP by the new way is taken before its answer is there', () => {
    const pair = up({ link: { isUdpBlocked: true } })
    pair.link.isUdpBlocked = false
    let answers = 0
    pair.link.loses = ({ from, kind }) => from === pair.gateway && kind === 'ike' && answers++ === 0
    pair.input(pair.client, { kind: 'network-changed' })
    pair.run(100)
    expect(pair.saOf(pair.gateway).path?.transport).toBe('udp')
    expect(pair.saOf(pair.client).path?.transport).toBe('tcp')
    expect(pair.passesTraffic()).toBe(true)
  })
})

/** Over TCP, and in the middle of asking whether UDP is better. */
function upAndAskingForUdp(): Pair {
  const pair = up({ link: { isUdpBlocked: true }, ...TIMERS })
  const isAsking = (): boolean => pair.log.some(({ at, transport }) => transport === 'udp' && at > 5_000)
  pair.run(20_000, isAsking)
  expect(isAsking()).toBe(true)
  return pair
}

const openPipes = (pair: Pair) => pair.pipes.filter(({ isOpen }) => isOpen)

const stateOf = (pair: Pair) => pair.client.core.inspect(pair.now).peers[0]!.state
