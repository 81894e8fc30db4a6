import { describe, expect, it } from 'vitest'
import { BadNetwork } from '../bad-networks.ts'
import type { Rule } from '../firewall.ts'

const OPEN = new BadNetwork().comesUpIn()
/** More than an open network costs, at most: met for the first time, and where it is known. */
const FIRST = 2_000
const KNOWN = 300

const DROPPED: Rule = { transport: 'udp', action: 'drop' }

describe('a network that blocks UDP', () => {
  it.each<[string, Rule[], string]>([
    ['is dropped', [DROPPED], 'tcp 4500'],
    ['is rejected', [{ transport: 'udp', action: 'reject' }], 'tcp 4500'],
    ['is prohibited', [{ transport: 'udp', action: 'prohibit' }], 'tcp 4500'],
    ['is dropped on its way back', [{ transport: 'udp', direction: 'in', action: 'drop' }], 'tcp 4500'],
    // RFC 7296 §2.23: IKE_SA_INIT passes by 500.
    ['4500 is dropped', [{ transport: 'udp', port: 4500, action: 'drop' }], 'tcp 4500'],
    ['4500 is dropped on its way back', [{ transport: 'udp', port: 4500, direction: 'in', action: 'drop' }], 'tcp 4500'],
    ['500 is dropped', [{ transport: 'udp', port: 500, action: 'drop' }], 'tcp 4500'],
    ['is dropped, and TCP 4500, too', [DROPPED, { transport: 'tcp', port: 4500, action: 'drop' }], 'tcp 443'],
    ['is dropped, and TCP 4500 rejected', [DROPPED, { transport: 'tcp', port: 4500, action: 'reject' }], 'tcp 443'],
    ['is dropped, and TCP 4500 prohibited', [DROPPED, { transport: 'tcp', port: 4500, action: 'prohibit' }], 'tcp 443'],
    ['is dropped, and TCP 4500 opens and stalls', [DROPPED, { transport: 'tcp', port: 4500, action: 'stall' }], 'tcp 443'],
    ['is dropped, and TCP 4500 opens and is reset', [DROPPED, { transport: 'tcp', port: 4500, action: 'reset' }], 'tcp 443'],
    ['is dropped, and all TCP but 443', [DROPPED, { port: 443, action: 'pass' }, { action: 'drop' }], 'tcp 443'],
  ])('RFC 9329 §5.1 (T-FB-2, T-FB-4): UDP %s: at most 2 s more than an open network, and less where it is known', (_, rules, way) => {
    const network = new BadNetwork()
    network.firewall.rules = rules
    expect(network.comesUpIn()).toBeLessThanOrEqual(OPEN + FIRST)
    expect(network.way).toBe(way)
    // It holds, and no loser of the race is left at either end.
    network.run(40_000)
    expect(network.passesWithin(1_000)).toBeDefined()
    for (const { core } of [network.client, network.gateway])
      expect([core.ikeSas.size, core.sad.size, core.halfOpen.size, core.connections.size]).toEqual([1, 1, 0, 1])
    network.goDown()
    expect(network.comesUpIn()).toBeLessThanOrEqual(OPEN + KNOWN)
    expect(network.way).toBe(way)
  })

  it('RFC 9329 §5.1 (T-FB-2, T-FB-3): IKE_SA_INIT is repeated over UDP first, and goes over TCP with another SPI', () => {
    const network = new BadNetwork()
    network.firewall.rules = [DROPPED]
    network.comesUpIn()
    const inits = network.log.filter(({ text }) => text.includes('KEi'))
    expect(inits.map(({ transport }) => transport)).toEqual(['udp', 'udp', 'tcp'])
    const [first, second, third] = inits.map(({ octets }) => octets.slice(0, 8).join())
    expect(second).toBe(first)
    expect(third).not.toBe(first)
  })

  it('RFC 9329 §5.1 (T-FB-4): what is known of it ends: UDP that is open again has its chance', () => {
    const network = new BadNetwork({ clientTimers: { blocked: 60_000 } })
    network.firewall.rules = [DROPPED]
    network.comesUpIn()
    network.goDown()
    network.firewall.rules = []
    network.run(60_000)
    network.comesUpIn()
    expect(network.way).toBe('udp')
    expect(network.log.filter(({ text, transport }) => text.includes('KEi') && transport === 'tcp')).toHaveLength(1)
  })

  it('RFC 9329 §9, §7.1 (T-PERF-1, T-MOB-2, T-MOB-6): UDP that opens in mid-session is moved to, and the stream is closed', () => {
    const network = new BadNetwork({ clientTimers: { udpProbe: 10_000 } })
    network.firewall.rules = [DROPPED]
    network.comesUpIn()
    network.firewall.rules = []
    network.run(30_000)
    expect(network.way).toBe('udp')
    expect(network.passesWithin(1_000)).toBeDefined()
    network.run(100_000)
    expect([network.client.core.connections.size, network.gateway.core.connections.size]).toEqual([0, 0])
    expect(network.client.eventsOf('ike-sa-established')).toHaveLength(1)
  })

  it('RFC 9329 §7.1 (T-MOB-1, T-MOB-4): UDP that is blocked in mid-session is left, with the same SAs', () => {
    const network = new BadNetwork()
    network.comesUpIn()
    network.firewall.rules = [DROPPED]
    expect(network.passesWithin(60_000)).toBeDefined()
    expect(network.way).toBe('tcp 4500')
    expect(network.client.eventsOf('ike-sa-established')).toHaveLength(1)
  })
})

describe('a network that lets IKE through over UDP, and drops ESP', () => {
  it.each([
    ['both ways', {}],
    ['on its way out', { direction: 'out' }],
    ['on its way in', { direction: 'in' }],
  ] as const)('RFC 9329 §5.1, §7.1 (T-FB-4, T-MOB-1): %s: packets pass at most 2 s later, by TCP, with the same SAs', (_, direction) => {
    const network = new BadNetwork()
    const esp: Rule = { transport: 'udp', message: 'esp', action: 'drop', ...direction }
    network.firewall.rules = [esp]
    expect(network.comesUpIn()).toBeLessThanOrEqual(OPEN + FIRST)
    expect(network.way).toBe('tcp 4500')
    expect(network.client.eventsOf('ike-sa-established')).toHaveLength(1)
    expect(network.client.eventsOf('path-judged')).toMatchObject([{ decision: 'esp-blocked' }])
    network.goDown()
    expect(network.comesUpIn()).toBeLessThanOrEqual(OPEN + KNOWN)
    expect(network.way).toBe('tcp 4500')
  })

  it('RFC 9329 §7.1 (T-MOB-1): ESP that is dropped in mid-session, with traffic: left within three intervals of looking', () => {
    const network = new BadNetwork()
    network.comesUpIn()
    network.run(1_000)
    network.firewall.rules = [{ transport: 'udp', message: 'esp', action: 'drop' }]
    expect(network.passesWithin(15_000)).toBeDefined()
    expect(network.way).toBe('tcp 4500')
  })
})
