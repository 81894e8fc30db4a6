import { describe, expect, it } from 'vitest'
import type { TransportOption } from '../../src/index.ts'
import { Pair, type PairOptions, TCP, UDP } from '../pair.ts'

const TLS: TransportOption = { transport: 'tcp', port: 443, framing: 'rfc9329', carrier: 'tls:443' }
const ALL = [UDP, TCP, TLS]
const TIMERS = { clientTimers: { udpProbe: 10_000, maxUdpProbe: 40_000 } }
function up(options: PairOptions = {}): Pair {
  const pair = new Pair({ transports: ALL, ...options })
  pair.connect()
  return pair
}
function change(pair: Pair, milliseconds = 3_000): void {
  pair.input(pair.client, { kind: 'network-changed' })
  pair.run(milliseconds)
}
const state = (pair: Pair) => pair.client.core.inspect(pair.now).peers[0]!.state

describe('RFC 9329 §7.1, RFC 4555: what may go wrong while another way is looked for', () => {
  it('(T-LIFE-5): new connections that die before they answer begin no second tunnel', () => {
    const pair = up()
    // gateway loses all
    Object.assign(pair.link, { isUdpBlocked: true })
    pair.link.isTcpSilent = true
    pair.input(pair.client, { kind: 'network-changed' })
    pair.run(5_000, () => pair.pipes.filter((p) => p.isOpen).length === 2)
    expect(pair.pipes.filter((p) => p.isOpen)).toHaveLength(2)
    pair.link.isUdpBlocked = false
    pair.link.isTcpSilent = false
    // dead gateway resets both, before UDP candidate is dropped
    pair.link.isUdpBlocked = true
    for (const p of pair.pipes.filter((x) => x.isOpen)) pair.cut(p)
    pair.link.isUdpBlocked = false
    pair.link.loses = ({ from }) => from === pair.client && pair.client.eventsOf('ike-sa-closed').length === 0
    pair.run(20_000)
    expect(pair.client.core.ikeSas.size).toBe(1)
    expect(state(pair)).toBe('up')
  })

  it('(T-MOB-9): a liveness check that is out when TCP dies goes over UDP, is answered, and moves nothing by itself', () => {
    const pair = up({ link: { isUdpBlocked: true }, gatewayTimers: { liveness: 1_000_000 } })
    Object.assign(pair.link, { isTcpSilent: true })
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.run(1_000)
    Object.assign(pair.link, { isTcpBlocked: true, isUdpBlocked: false })
    change(pair, 25_000)
    pair.run(120_000)
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
  })

  it('(T-LIFE-4): the old connection that dies when UDP is only tried again is dialled again', () => {
    const pair = up({ link: { isUdpBlocked: true }, ...TIMERS })
    pair.run(20_000, () => pair.log.some(({ at, transport }) => transport === 'udp' && at > 5_000))
    pair.link.isTcpSilent = true
    pair.run(1_000)
    pair.cut(pair.pipe)
    pair.link.isTcpSilent = false
    pair.run(10_000)
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
  })

  it('(T-MOB-1): a network that changes while UDP is tried again has new connections dialled', () => {
    const pair = up({ link: { isUdpBlocked: true }, ...TIMERS })
    pair.run(20_000, () => pair.log.some(({ at, transport }) => transport === 'udp' && at > 5_000))
    pair.link.swallows = (port) => port === 4500
    change(pair, 10_000)
    expect(pair.pipes.at(-1)!.port).toBe(443)
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
  })

  it('(T-LIFE-1): `terminate` while UDP is tried again says Delete', () => {
    const pair = up({ link: { isUdpBlocked: true }, ...TIMERS })
    pair.run(20_000, () => pair.log.some(({ at, transport }) => transport === 'udp' && at > 5_000))
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
    expect(state(pair)).toBe('up')
  })

  it('(T-LIFE-4): connections that a passing network swallowed cost no IKE SA', () => {
    const pair = up()
    Object.assign(pair.link, { isUdpBlocked: true, isTcpSilent: true })
    change(pair, 2_000)
    Object.assign(pair.link, { isTcpSilent: false, isTcpBlocked: true })
    for (const p of pair.pipes.filter((x) => x.isOpen)) pair.cut(p)
    change(pair, 5_000)
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
  })

  it('(T-LIFE-12): with one transport a network that changes has it dialled at once', () => {
    const pair = up({ transports: [TCP], gatewayTimers: { liveness: 1_000_000 } })
    const port = pair.pipe
    pair.link.swallows = () => pair.pipes.at(-1) === port
    const at = pair.now
    pair.input(pair.client, { kind: 'network-changed' })
    pair.run(60_000, () => pair.pipes.length > 1)
    expect(pair.now - at).toBeLessThan(5_000)
  })

  it('(T-LIFE-19): ESP by the new way is taken before its answer is there', () => {
    const pair = up({ link: { isUdpBlocked: true } })
    pair.link.isUdpBlocked = false
    let n = 0
    pair.link.loses = ({ from, kind }) => from === pair.gateway && kind === 'ike' && n++ === 0
    pair.input(pair.client, { kind: 'network-changed' })
    pair.run(100)
    expect(pair.passesTraffic()).toBe(true)
  })
})
