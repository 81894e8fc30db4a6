import { describe, expect, it } from 'vitest'
import { isIpPacket, PacketSelector } from '../../src/child/packet-selector.ts'
import { type IpSelector, selectorsOfSubnets } from '../../src/ike/traffic-selectors.ts'
import { parseAddress } from '../../src/index.ts'
import { ipv4Packet } from '../pair.ts'

describe('RFC 4301 §4.4.1.1 addresses', () => {
  it.each([
    ['10.2.0.0/24', '10.2.0.0', true],
    ['10.2.0.0/24', '10.2.0.255', true],
    ['10.2.0.0/24', '10.1.255.255', false],
    ['10.2.0.0/24', '10.2.1.0', false],
    ['10.2.0.7-10.2.0.9', '10.2.0.8', true],
    ['10.2.0.7-10.2.0.9', '10.2.0.10', false],
    ['200.0.0.0/8', '200.1.2.3', true],
    ['0.0.0.0/0', '255.255.255.255', true],
    ['::/0', '10.2.0.1', false],
  ])('%s holds the source %s: %j', (range, source, isHeld) => {
    expect(matches([range], ipv4Packet(source, '192.0.2.1', 40), 0)).toBe(isHeld)
    expect(matches([range], ipv4Packet('192.0.2.1', source, 40), 1)).toBe(isHeld)
  })

  it.each([
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['2001:db8::5-2001:db8::1:0', '2001:db8::ffff', true],
    ['2001:db8::5-2001:db8::1:0', '2001:db8::1:1', false],
    ['2001:db8::5-2001:db8::1:0', '2001:db8::4', false],
    ['0.0.0.0/0', '::', false],
  ])('%s holds the destination %s: %j', (range, destination, isHeld) => {
    expect(matches([range], ipv6Packet('2001:db8:1::1', destination), 1)).toBe(isHeld)
  })

  it('any of several selectors will do, and the packet may stand anywhere in the buffer', () => {
    const selector = new PacketSelector(selectorsOfSubnets(['10.1.0.0/16', 'fd00::/8', '10.2.0.0/24']))
    const packet = ipv4Packet('10.2.0.1', '192.0.2.1', 40)
    const buffer = new Uint8Array(100)
    buffer.set(packet, 33)
    expect(selector.matches(buffer, 33, packet.length, 0)).toBe(true)
    expect(selector.matches(buffer, 33, packet.length, 1)).toBe(false)
  })
})

describe('RFC 4301 §4.4.1.1 protocols and ports', () => {
  const packet = ipv4Packet('10.2.0.1', '10.8.0.1', 40)

  it.each([
    [{ ipProtocol: 17 }, true],
    [{ ipProtocol: 6 }, false],
    [{ ipProtocol: 17, startPort: 12_345, endPort: 12_345 }, true],
    [{ ipProtocol: 17, startPort: 12_346, endPort: 65_535 }, false],
    [{ startPort: 12_000, endPort: 13_000 }, true],
  ])('a UDP packet from port 12345 within %j: %j', (narrower, isWithin) => {
    expect(new PacketSelector([narrowed('10.2.0.0/24', narrower)]).matches(packet, 0, packet.length, 0)).toBe(isWithin)
  })

  it('each side is compared with its own port', () => {
    const dns = new PacketSelector([narrowed('0.0.0.0/0', { ipProtocol: 17, startPort: 53, endPort: 53 })])
    expect(dns.matches(packet, 0, packet.length, 1)).toBe(true)
    expect(dns.matches(packet, 0, packet.length, 0)).toBe(false)
  })

  it('RFC 4301 §7: a later fragment shows no port: it matches any port only', () => {
    const fragment = packet.slice()
    fragment[7] = 10
    expect(
      new PacketSelector([narrowed('10.2.0.0/24', { ipProtocol: 17, startPort: 0, endPort: 65_535 })]).matches(fragment, 0, 40, 0),
    ).toBe(true)
    expect(
      new PacketSelector([narrowed('10.2.0.0/24', { ipProtocol: 17, startPort: 1, endPort: 65_535 })]).matches(fragment, 0, 40, 0),
    ).toBe(false)
  })

  it('ports are not read beyond the packet', () => {
    const short = ipv4Packet('10.2.0.1', '10.8.0.1', 40).slice(0, 22)
    expect(
      new PacketSelector([narrowed('10.2.0.0/24', { ipProtocol: 17, startPort: 12_345, endPort: 12_345 })]).matches(short, 0, 22, 0),
    ).toBe(false)
  })

  it('options of the IPv4 header stand before the ports', () => {
    const withOptions = new Uint8Array(48)
    withOptions.set(packet.subarray(0, 20))
    withOptions.set([0x46, 0, 0, 48])
    withOptions.set(packet.subarray(20, 28), 24)
    const dns = new PacketSelector([narrowed('0.0.0.0/0', { ipProtocol: 17, startPort: 53, endPort: 53 })])
    expect(dns.matches(withOptions, 0, 48, 1)).toBe(true)
  })

  it.each([
    [1, 8, 0, true],
    [1, 8, 1, false],
    [1, 0, 0, false],
  ])('RFC 7296 §3.13.1: protocol %i, type %i, code %i is port 0x0800 (echo request): %j', (protocol, type, code, isEcho) => {
    const ping = ipv4Packet('10.2.0.1', '10.8.0.1', 40)
    ping[9] = protocol
    ping.set([type, code], 20)
    const echo = new PacketSelector([narrowed('0.0.0.0/0', { ipProtocol: 1, startPort: 0x0800, endPort: 0x0800 })])
    expect(echo.matches(ping, 0, 40, 0)).toBe(isEcho)
    expect(echo.matches(ping, 0, 40, 1)).toBe(isEcho)
  })

  it('RFC 7296 §3.13.1: ICMPv6 likewise', () => {
    const ping = ipv6Packet('2001:db8::1', '2001:db8::2', 58)
    ping.set([128, 0], 40)
    const echo = new PacketSelector([narrowed('::/0', { ipProtocol: 58, startPort: 0x8000, endPort: 0x8000 })])
    expect(echo.matches(ping, 0, ping.length, 0)).toBe(true)
    ping[40] = 129
    expect(echo.matches(ping, 0, ping.length, 0)).toBe(false)
  })
})

describe('what is an IP packet', () => {
  it.each<[string, Uint8Array, boolean]>([
    ['a whole IPv4 packet', ipv4Packet('10.2.0.1', '10.8.0.1', 40), true],
    ['a whole IPv6 packet', ipv6Packet('::1', '::2'), true],
    ['nothing', new Uint8Array(0), false],
    ['an IPv4 header cut short', ipv4Packet('10.2.0.1', '10.8.0.1', 40).slice(0, 19), false],
    ['an IPv4 packet cut short', ipv4Packet('10.2.0.1', '10.8.0.1', 40).slice(0, 39), false],
    ['an IPv6 packet cut short', ipv6Packet('::1', '::2').slice(0, -1), false],
    ['version 5', changed(ipv4Packet('10.2.0.1', '10.8.0.1', 40), 0, 0x55), false],
    ['an IPv4 header of 16 octets', changed(ipv4Packet('10.2.0.1', '10.8.0.1', 40), 0, 0x44), false],
    ['an IPv4 header longer than its packet', changed(ipv4Packet('10.2.0.1', '10.8.0.1', 40), 0, 0x4f), false],
    ['an IPv4 packet shorter than its header', changed(ipv4Packet('10.2.0.1', '10.8.0.1', 40), 3, 8), false],
  ])('%s: %s', (_, packet, isOne) => {
    expect(isIpPacket(packet, 0, packet.length)).toBe(isOne)
  })
})

function matches(ranges: readonly string[], packet: Uint8Array, side: 0 | 1): boolean {
  return new PacketSelector(selectorsOfSubnets(ranges)).matches(packet, 0, packet.length, side)
}

function narrowed(range: string, narrower: Partial<IpSelector>): IpSelector {
  return { ...selectorsOfSubnets([range])[0]!, ...narrower }
}

function changed(packet: Uint8Array, at: number, octet: number): Uint8Array {
  packet[at] = octet
  return packet
}

function ipv6Packet(source: string, destination: string, protocol = 17): Uint8Array {
  const packet = new Uint8Array(60)
  packet.set([0x60, 0, 0, 0, 0, 20, protocol, 64])
  packet.set(parseAddress(source)!, 8)
  packet.set(parseAddress(destination)!, 24)
  return packet
}
