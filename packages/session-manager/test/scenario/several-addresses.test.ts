import { describe, expect, it } from 'vitest'
import type { TransportOption } from '../../src/index.ts'
import { change, spisOf, transportOf } from '../moving.ts'
import { GATEWAY_ADDRESS, Pair, type PairOptions, TCP, UDP } from '../pair.ts'

/** Nobody has it: what goes there is lost. */
const DEAD = '2001:db8::dead'
const DEAD_TOO = '2001:db8::dead:2'

const to = (address: string, option: TransportOption): TransportOption => ({ ...option, address })
/** In the order in which a client with a name in its configuration makes them. */
const among = (...addresses: readonly string[]): TransportOption[] =>
  [UDP, TCP].flatMap((option) => addresses.map((address) => to(address, option)))

const chosen = (pair: Pair): string[] => pair.client.eventsOf('transport-chosen').map((event) => event.transport)
const tried = (pair: Pair): string[] => pair.client.eventsOf('transport-tried').map((event) => event.transport)
const took = (options: PairOptions): number => new Pair(options).connect()

describe('RFC 8305 §5: a gateway of several addresses', () => {
  it('(T-FB-1): UDP goes to each of them before anything goes over TCP', () => {
    const pair = new Pair({ transports: among(DEAD, GATEWAY_ADDRESS) })
    expect(pair.connect()).toBeLessThan(350)
    expect(chosen(pair)).toEqual([`udp:500 at ${GATEWAY_ADDRESS}`])
    expect(pair.pipes).toEqual([])
    expect(pair.client.core.ikeSas.size).toBe(1)
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([
    [1, [GATEWAY_ADDRESS]],
    [2, [GATEWAY_ADDRESS, DEAD]],
    [2, [DEAD, GATEWAY_ADDRESS]],
    [4, [DEAD, DEAD_TOO, '2001:db8::dead:3', GATEWAY_ADDRESS]],
  ])('(T-FB-2): with %d, a network that blocks UDP costs at most 2 s more than one that does not', (_, addresses) => {
    for (const latency of [10, 150]) {
      const open = took({ transports: [UDP, TCP], link: { latency } })
      expect(took({ transports: among(...addresses), link: { latency, isUdpBlocked: true } }) - open).toBeLessThan(2_000)
    }
  })

  it('(T-FB-2): nor does one of two addresses that lets IKE_SA_INIT pass and no IKE_AUTH', () => {
    const pair: Pair = new Pair({
      transports: among(GATEWAY_ADDRESS, DEAD),
      link: { loses: ({ from, bytes }) => from === pair.client && bytes[18] === 35 },
    })
    expect(pair.connect()).toBeLessThan(2_000)
    expect(chosen(pair)).toEqual([`tcp:4500 at ${GATEWAY_ADDRESS}`])
  })

  it('(T-FB-4): the address that did not answer is given no start the next time', () => {
    const pair = new Pair({ transports: among(DEAD, GATEWAY_ADDRESS) })
    const first = pair.connect()
    pair.command(pair.client, { kind: 'terminate' })
    pair.settle(3_000)
    expect(pair.connect()).toBeLessThan(first - 200)
    expect(chosen(pair)).toEqual([`udp:500 at ${GATEWAY_ADDRESS}`, `udp:500 at ${GATEWAY_ADDRESS}`])
  })
})

describe('a gateway whose addresses are others', () => {
  const setTransports = (pair: Pair, transports: readonly TransportOption[]): void =>
    pair.command(pair.client, { kind: 'set-transports', peer: 'gateway', transports })

  it('is dialled at the new ones in the next round', () => {
    const pair = new Pair({ transports: among(DEAD), client: {}, clientTimers: { handshake: 2_000, retry: 1_000 } })
    pair.initiate()
    pair.run(60_000, () => pair.client.eventsOf('retry-scheduled').length > 0)
    setTransports(pair, among(GATEWAY_ADDRESS))
    pair.run(3_000, () => pair.isUp)
    expect(pair.isUp).toBe(true)
    expect(chosen(pair)).toEqual([`udp:500 at ${GATEWAY_ADDRESS}`])
  })

  it('and at once where nothing has come of the old ones', () => {
    const pair = new Pair({ transports: among(DEAD) })
    pair.initiate()
    pair.run(200)
    setTransports(pair, among(GATEWAY_ADDRESS))
    pair.run(2_000, () => pair.isUp)
    expect(pair.isUp).toBe(true)
    expect(pair.client.eventsOf('retry-scheduled')).toEqual([])
    expect(pair.client.core.ikeSas.size).toBe(1)
  })

  it('nothing happens where they are the same, nor to an IKE SA that is well', () => {
    const pair = new Pair({ transports: among(GATEWAY_ADDRESS) })
    pair.connect()
    const from = pair.log.length
    setTransports(pair, among(GATEWAY_ADDRESS))
    setTransports(pair, among(DEAD))
    pair.run(5_000)
    expect(pair.transcript(from)).toEqual([])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 4555 §3.5 (T-MOB-1): a move goes to the new ones in their order, and what the IKE SA rides is among them still', () => {
    const pair = new Pair({ transports: [to(GATEWAY_ADDRESS, UDP)] })
    pair.connect()
    const spis = spisOf(pair)
    setTransports(pair, among(DEAD, DEAD_TOO))
    change(pair)
    expect(transportOf(pair)).toBe('udp')
    pair.link.isUdpBlocked = true
    setTransports(pair, among(DEAD, GATEWAY_ADDRESS))
    change(pair)
    expect(transportOf(pair)).toBe('tcp')
    expect(spisOf(pair)).toEqual(spis)
    expect(pair.passesTraffic()).toBe(true)
    expect(chosen(pair).at(-1)).toBe(`tcp:4500 at ${GATEWAY_ADDRESS}`)
    expect(pair.client.core.inspect(pair.now).peers[0]!.attempts.filter(({ outcome }) => outcome === 'chosen')).toMatchObject([
      { transport: `tcp:4500 at ${GATEWAY_ADDRESS}` },
    ])
  })

  it('(T-FB-4): a transport keeps its name, and what is known of it, when the list is set anew', () => {
    const pair = new Pair({ transports: among(GATEWAY_ADDRESS), link: { isUdpBlocked: true } })
    const first = pair.connect()
    pair.command(pair.client, { kind: 'terminate' })
    pair.settle(3_000)
    setTransports(pair, among(GATEWAY_ADDRESS, DEAD))
    pair.connect()
    expect(tried(pair).slice(2)).toContain(`udp:500 at ${DEAD}`)
    pair.command(pair.client, { kind: 'terminate' })
    pair.settle(3_000)
    expect(pair.connect()).toBeLessThan(first - 200)
    expect(chosen(pair)).toEqual(['tcp:4500', 'tcp:4500', 'tcp:4500'])
    // In the middle of it, too.
    pair.command(pair.client, { kind: 'terminate' })
    pair.settle(3_000)
    setTransports(pair, among(DEAD_TOO))
    pair.initiate()
    setTransports(pair, among(DEAD_TOO, GATEWAY_ADDRESS))
    pair.run(10_000, () => pair.isUp)
    expect(chosen(pair).at(-1)).toBe('tcp:4500')
    const { attempts } = pair.client.core.inspect(pair.now).peers[0]!
    expect(attempts.filter(({ outcome }) => outcome === 'pending')).toEqual([])
    expect(attempts.map(({ transport }) => transport)).toContain(`udp:500 at ${DEAD_TOO}`)
  })

  it('RFC 8305 §4: the address that the IKE SA rides goes before the others', () => {
    const pair = new Pair({ transports: among(DEAD, GATEWAY_ADDRESS) })
    pair.connect()
    pair.input(pair.client, { kind: 'network-changed', network: 'another' })
    const from = pair.log.length
    pair.run(200)
    expect(pair.transcript(from).filter((text) => text.startsWith('R → I'))).toHaveLength(1)
    expect(transportOf(pair)).toBe('udp')
  })

  it('RFC 4555 §3.5: a search that is under way is begun anew with them', () => {
    const pair = new Pair({ transports: [to(GATEWAY_ADDRESS, UDP)] })
    pair.connect()
    pair.link.isUdpBlocked = true
    change(pair, 1_000)
    setTransports(pair, among(GATEWAY_ADDRESS))
    pair.run(3_000)
    expect(transportOf(pair)).toBe('tcp')
    expect(pair.passesTraffic()).toBe(true)
  })

  it('a list of none, or with something else than an address, is refused', () => {
    const pair = new Pair()
    expect(() => setTransports(pair, [])).toThrow('transports is empty')
    expect(() => setTransports(pair, [to('gw.example', TCP)])).toThrow('"gw.example" is no address')
    expect(tried(pair)).toEqual([])
  })
})
