import { describe, expect, it } from 'vitest'
import { Firewall, type FirewallAction, type Rule } from './firewall.ts'
import { answerTo, datagram, OneHop, segment } from './one-hop.ts'

const CLIENT = '192.0.2.10 40000'
const UDP_4500 = '198.51.100.1 4500'
const TCP_443 = '198.51.100.1 443'
const OCTETS = new Uint8Array(10)

describe('a firewall: what becomes of a datagram', () => {
  it.each<[FirewallAction, unknown]>([
    ['pass', { body: { protocol: 'udp' } }],
    ['drop', 'nothing'],
    // RFC 1122 §3.2.2.1.
    ['reject', { back: { source: { port: 4500 }, destination: { port: 40_000 }, body: { protocol: 'icmp', type: 'port unreachable' } } }],
    // RFC 1812 §5.2.7.1.
    ['prohibit', { back: { body: { protocol: 'icmp', type: 'administratively prohibited' } } }],
  ])('RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1: %s', (action, outcome) => {
    const firewall = firewallWith({ transport: 'udp', action })
    const result = firewall.out(datagram(CLIENT, UDP_4500))
    if (typeof outcome === 'string') expect(result).toBe(outcome)
    else expect(result).toMatchObject(outcome as object)
    expect(firewall.hop.counters[action]).toBe(1)
  })

  it.each([
    [
      { transport: 'udp', port: 4500 },
      { ike500: true, ike4500: false, esp: false, back: false },
    ],
    [
      { transport: 'udp', port: 500 },
      { ike500: false, ike4500: true, esp: true, back: true },
    ],
    [
      { transport: 'udp', message: 'esp' },
      { ike500: true, ike4500: true, esp: false, back: false },
    ],
    [
      { transport: 'udp', message: 'ike' },
      { ike500: false, ike4500: false, esp: true, back: true },
    ],
    [
      { transport: 'udp', message: 'esp', direction: 'in' },
      { ike500: true, ike4500: true, esp: true, back: false },
    ],
    [{ transport: 'tcp' }, { ike500: true, ike4500: true, esp: true, back: true }],
    [{}, { ike500: false, ike4500: false, esp: false, back: false }],
  ] as const)('RFC 3948 §2: the rule %j: what passes is %j', (rule, passes) => {
    const firewall = firewallWith({ ...rule, action: 'drop' })
    const esp = datagram(CLIENT, UDP_4500, 'esp')
    expect({
      ike500: firewall.out(datagram(CLIENT, '198.51.100.1 500')) !== 'nothing',
      ike4500: firewall.out(datagram(CLIENT, UDP_4500)) !== 'nothing',
      esp: firewall.out(esp) !== 'nothing',
      back: firewall.in(answerTo(esp)) !== 'nothing',
    }).toEqual(passes)
  })

  it('the first rule that fits is obeyed', () => {
    const firewall = firewallWith({ transport: 'udp', port: 4500, action: 'pass' }, { transport: 'udp', action: 'drop' })
    expect(firewall.out(datagram(CLIENT, UDP_4500))).not.toBe('nothing')
    expect(firewall.out(datagram(CLIENT, '198.51.100.1 500'))).toBe('nothing')
  })
})

describe('a firewall: what becomes of a connection', () => {
  it.each<[FirewallAction, unknown, unknown]>([
    ['pass', 'passes', 'passes'],
    ['drop', 'nothing', 'nothing'],
    // The SYN has one number, which the RST acknowledges.
    ['reject', { back: { body: { flag: 'rst', ack: 1_001 } } }, { back: { body: { flag: 'rst' } } }],
    ['prohibit', { back: { body: { type: 'administratively prohibited' } } }, { back: { body: { type: 'administratively prohibited' } } }],
    ['stall', 'passes', 'nothing'],
    ['reset', 'passes', 'reset'],
  ])('RFC 9293 §3.5.2: %s', (action, ofSyn, ofOctets) => {
    const firewall = firewallWith({ transport: 'tcp', port: 443, action })
    expectOutcome(firewall.out(segment(CLIENT, TCP_443, { flag: 'syn', ack: undefined })), ofSyn)
    if (action === 'reset') return
    expectOutcome(firewall.out(segment(CLIENT, TCP_443, { seq: 1_001, bytes: OCTETS })), ofOctets)
    expect(firewall.out(segment(CLIENT, UDP_4500, { flag: 'syn', ack: undefined }))).toMatchObject({ body: { flag: 'syn' } })
  })

  it('RFC 9293 §3.10.7.4: reset: the first octets bring a RST to both ends, each with the number that it waits for', () => {
    const firewall = firewallWith({ transport: 'tcp', action: 'reset' })
    open(firewall)
    firewall.out(segment(CLIENT, TCP_443, { seq: 1_001, ack: 5_001, bytes: OCTETS }))
    expect(firewall.outside.at(-1)!.packet).toMatchObject({ source: { port: 40_000 }, body: { flag: 'rst', seq: 1_011 } })
    expect(firewall.inside.at(-1)!.packet).toMatchObject({ source: { port: 443 }, body: { flag: 'rst', seq: 5_001 } })
  })

  it.each([
    [undefined, 2],
    [443, 2],
    [4500, 0],
  ] as const)('RFC 9293 §3.10.7.4: RST for all connections, or those to one port (%s): %d', (port, count) => {
    const firewall = firewallWith()
    open(firewall)
    const before = firewall.outside.length + firewall.inside.length
    firewall.hop.resetStreams(port)
    firewall.hop.resetStreams(port)
    expect(firewall.outside.length + firewall.inside.length - before).toBe(count)
  })
})

function firewallWith(...rules: Rule[]): OneHop<Firewall> {
  const firewall = new OneHop(() => new Firewall())
  firewall.hop.rules = rules
  return firewall
}

function open(firewall: OneHop<Firewall>): void {
  firewall.out(segment(CLIENT, TCP_443, { flag: 'syn', ack: undefined }))
  firewall.in(segment(TCP_443, CLIENT, { flag: 'syn', seq: 5_000, ack: 1_001 }))
  firewall.out(segment(CLIENT, TCP_443, { seq: 1_001, ack: 5_001 }))
}

function expectOutcome(result: unknown, outcome: unknown): void {
  if (outcome === 'nothing') expect(result).toBe('nothing')
  else if (outcome === 'passes') expect(result).toHaveProperty('body.protocol', 'tcp')
  else expect(result).toMatchObject(outcome as object)
}
