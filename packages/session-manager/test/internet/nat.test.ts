import { describe, expect, it } from 'vitest'
import { Network } from '../network.ts'
import { Host } from './host.ts'
import { Internet } from './internet.ts'
import { Nat, type NatBehaviour } from './nat.ts'
import { answerTo, datagram, OneHop, segment, unreachable } from './one-hop.ts'
import type { IpPacket } from './packet.ts'

const EXTERNAL = '203.0.113.10'
const INSIDE = '192.168.1.10 4500'
const GATEWAY = '198.51.100.1 4500'
const SAME_ADDRESS = '198.51.100.1 500'
const STRANGER = '198.51.100.9 4500'

const MINUTE = 60_000

describe('RFC 4787: a NAT, and UDP', () => {
  it.each([
    ['endpoint-independent', [true, true]],
    ['address-and-port-dependent', [false, false]],
  ] as const)('§4.1, REQ-1: mapping %s: the same port toward another port, and toward another address: %j', (mapping, same) => {
    const nat = natWith({ mapping })
    const first = portOf(nat.out(datagram(INSIDE, GATEWAY)))
    expect([SAME_ADDRESS, STRANGER].map((to) => portOf(nat.out(datagram(INSIDE, to))) === first)).toEqual(same)
    expect(portOf(nat.out(datagram(INSIDE, GATEWAY)))).toBe(first)
  })

  it.each(['endpoint-independent', 'address-and-port-dependent'] as const)('§4.2.1, REQ-3 (%s): no two have one port', (mapping) => {
    const nat = natWith({ mapping })
    const ports = [1, 2, 3].flatMap((host) =>
      [GATEWAY, STRANGER].map((to) => [`192.168.1.${host}`, portOf(nat.out(datagram(`192.168.1.${host} 4500`, to)))]),
    )
    const owners = new Map(ports.map(([host, port]) => [port, host]))
    expect(ports.every(([host, port]) => owners.get(port) === host)).toBe(true)
    expect(owners.size).toBe(mapping === 'endpoint-independent' ? 3 : 6)
  })

  it.each([
    ['endpoint-independent', { sameAddress: true, stranger: true }],
    ['address-dependent', { sameAddress: true, stranger: false }],
    ['address-and-port-dependent', { sameAddress: false, stranger: false }],
  ] as const)('§5, REQ-8: filtering %s: who was asked is heard, and of others %j', (filtering, others) => {
    const nat = natWith({ filtering })
    const sent = packetOf(nat.out(datagram(INSIDE, GATEWAY)))
    expect(sent.source).toEqual({ address: EXTERNAL, port: sent.source.port })
    const isHeard = (from: string): boolean => nat.in(datagram(from, textOf(sent.source))) !== 'nothing'
    expect(isHeard(GATEWAY)).toBe(true)
    expect({ sameAddress: isHeard(SAME_ADDRESS), stranger: isHeard(STRANGER) }).toEqual(others)
  })

  it('§5: what comes in has the address of who is behind it', () => {
    const nat = natWith()
    const answer = nat.in(answerTo(packetOf(nat.out(datagram(INSIDE, GATEWAY)))))
    expect(textOf(packetOf(answer).destination)).toBe(INSIDE)
    expect(nat.in(datagram(GATEWAY, `${EXTERNAL} 61000`))).toBe('nothing')
  })

  it.each([
    ['just before', 'two minutes', { udpTimeout: 2 * MINUTE }, 2 * MINUTE - 1, true],
    ['at', 'two minutes', { udpTimeout: 2 * MINUTE }, 2 * MINUTE, false],
    ['just before', 'five minutes, where nobody says otherwise', {}, 5 * MINUTE - 1, true],
    ['at', 'five minutes, where nobody says otherwise', {}, 5 * MINUTE, false],
  ] as const)('§4.3, REQ-5: %s the end of %s', (_, _timer, behaviour, wait, isMapped) => {
    const nat = natWith(behaviour)
    const sent = packetOf(nat.out(datagram(INSIDE, GATEWAY)))
    nat.clock.run(wait)
    expect(nat.in(answerTo(sent)) !== 'nothing').toBe(isMapped)
    expect(nat.hop.size).toBe(isMapped ? 1 : 0)
    expect(portOf(nat.out(datagram(INSIDE, GATEWAY))) === sent.source.port).toBe(isMapped)
  })

  it('§4.3, REQ-6: what goes out begins the timer anew', () => {
    const nat = natWith({ udpTimeout: 2 * MINUTE })
    const first = portOf(nat.out(datagram(INSIDE, GATEWAY)))
    for (let i = 0; i < 5; i++) {
      nat.clock.run(1.5 * MINUTE)
      expect(portOf(nat.out(datagram(INSIDE, GATEWAY)))).toBe(first)
    }
  })

  it.each([
    [false, false],
    [true, true],
  ])('§4.3, REQ-6a: what comes in does so where it may (%j)', (refreshesInbound, isMapped) => {
    const nat = natWith({ udpTimeout: 2 * MINUTE, refreshesInbound })
    const sent = packetOf(nat.out(datagram(INSIDE, GATEWAY)))
    nat.clock.run(1.5 * MINUTE)
    expect(nat.in(answerTo(sent))).not.toBe('nothing')
    nat.clock.run(1.5 * MINUTE)
    expect(nat.in(answerTo(sent)) !== 'nothing').toBe(isMapped)
  })

  it('§6, REQ-9: two behind it reach each other by the addresses outside', () => {
    const network = new Network()
    const internet = new Internet(network, 'hairpin')
    const access = { hops: [new Nat(network, EXTERNAL, { filtering: 'endpoint-independent' })] }
    const heard: IpPacket[] = []
    class Listener extends Host {
      override receiveDatagram(packet: IpPacket): void {
        heard.push(packet)
      }
    }
    const [one, other] = ['192.168.1.10', '192.168.1.11'].map((address) => new Listener(internet, address, access))
    internet.hosts.push(one!, other!)
    one!.send(datagram('192.168.1.10 4500', GATEWAY))
    other!.send(datagram('192.168.1.11 4500', `${EXTERNAL} 20000`))
    network.run(100)
    expect(heard.map(({ source, destination }) => [textOf(source), textOf(destination)])).toEqual([
      [`${EXTERNAL} 20001`, '192.168.1.10 4500'],
    ])
  })

  it('§9, REQ-12: an ICMP error comes to who caused it, with what it is about as that one sent it, and the mapping stays', () => {
    const nat = natWith()
    const sent = packetOf(nat.out(datagram(INSIDE, GATEWAY)))
    const error = packetOf(nat.in(unreachable(sent)))
    expect(textOf(error.destination)).toBe(INSIDE)
    expect(error.body).toMatchObject({ type: 'port unreachable', about: { source: { address: '192.168.1.10', port: 4500 } } })
    expect(nat.hop.size).toBe(1)
    expect(nat.in(answerTo(sent))).not.toBe('nothing')
    const inwards = packetOf(nat.in(answerTo(sent)))
    const back = packetOf(nat.out(unreachable(inwards)))
    expect(back.body).toMatchObject({ about: { destination: sent.source } })
  })

  it.each(['rebind', 'reboot'] as const)('§4.3: after a %s another port is seen, and what comes to the old one is lost', (how) => {
    const nat = natWith()
    const sent = packetOf(nat.out(datagram(INSIDE, GATEWAY)))
    nat.hop[how]()
    expect(nat.in(answerTo(sent))).toBe('nothing')
    expect(portOf(nat.out(datagram(INSIDE, GATEWAY)))).not.toBe(sent.source.port)
  })
})

describe('RFC 5382: a NAT, and TCP', () => {
  it('REQ-7: a connection has a port that no other has', () => {
    const nat = natWith()
    const ports = [INSIDE, '192.168.1.11 4500', '192.168.1.10 4501'].map((from) => portOf(nat.out(segment(from, GATEWAY, SYN))))
    expect(new Set(ports).size).toBe(3)
  })

  it('REQ-4: a SYN from outside that nobody asked for gets no answer', () => {
    const nat = natWith()
    expect(nat.in(segment(GATEWAY, `${EXTERNAL} 20000`, SYN))).toBe('nothing')
    nat.clock.run(6_000)
    expect([nat.inside, nat.outside]).toEqual([[], []])
  })

  it.each([
    ['just before', -1, true],
    ['at', 0, false],
  ] as const)('REQ-5: %s two hours and four minutes of silence', (_, more, isMapped) => {
    const nat = natWith()
    const sent = packetOf(nat.out(segment(INSIDE, GATEWAY, SYN)))
    nat.clock.run(124 * MINUTE + more)
    expect(nat.in(answerTo(sent)) !== 'nothing').toBe(isMapped)
  })

  it('REQ-5: segments in either direction begin it anew', () => {
    const nat = natWith()
    const sent = packetOf(nat.out(segment(INSIDE, GATEWAY, SYN)))
    for (let i = 0; i < 3; i++) {
      nat.clock.run(100 * MINUTE)
      expect(nat.in(answerTo(sent))).not.toBe('nothing')
    }
  })

  it('REQ-9, REQ-10: an ICMP error passes, and ends no connection', () => {
    const nat = natWith()
    const sent = packetOf(nat.out(segment(INSIDE, GATEWAY, SYN)))
    expect(textOf(packetOf(nat.in(unreachable(sent))).destination)).toBe(INSIDE)
    expect(nat.in(answerTo(sent))).not.toBe('nothing')
  })

  it.each([
    ['dropped', 'nothing'],
    ['reset', 'reset'],
    ['adopted', 'passed'],
  ] as const)('§8: after a reboot a segment of a connection that it does not know is %s', (unknownStreams, outcome) => {
    const nat = natWith({ unknownStreams })
    const before = packetOf(nat.out(segment(INSIDE, GATEWAY, SYN)))
    nat.hop.reboot()
    const result = nat.out(segment(INSIDE, GATEWAY, { seq: 1_001, ack: 5_001, bytes: new Uint8Array(10) }))
    if (outcome === 'nothing') expect(result).toBe('nothing')
    else if (outcome === 'passed') expect(nat.in(answerTo(packetOf(result)))).not.toBe('nothing')
    // RFC 9293 §3.5.2: the number that the segment acknowledges.
    else expect(result).toMatchObject({ back: { destination: { port: 4500 }, body: { flag: 'rst', seq: 5_001 } } })
    expect(nat.in(answerTo(before))).toBe('nothing')
  })

  it('§8: a NAT that binds UDP anew keeps its connections', () => {
    const nat = natWith()
    const sent = packetOf(nat.out(segment(INSIDE, GATEWAY, SYN)))
    nat.hop.rebind()
    expect(nat.in(answerTo(sent))).not.toBe('nothing')
  })
})

const SYN = { flag: 'syn', ack: undefined } as const

function natWith(behaviour: Partial<NatBehaviour> = {}): OneHop<Nat> {
  return new OneHop((clock) => new Nat(clock, EXTERNAL, behaviour))
}

function packetOf(passed: ReturnType<OneHop<Nat>['out']>): IpPacket {
  if (passed === 'nothing' || 'back' in passed) throw new Error('the packet did not pass')
  return passed
}

function portOf(passed: ReturnType<OneHop<Nat>['out']>): number {
  return packetOf(passed).source.port
}

function textOf({ address, port }: { address: string; port: number }): string {
  return `${address} ${port}`
}
