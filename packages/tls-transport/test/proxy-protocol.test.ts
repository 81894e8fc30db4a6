import { describe, expect, it } from 'vitest'
import { type ProxyHeader, parseProxyHeader } from '../src/index.ts'

const text = (line: string): Uint8Array => new TextEncoder().encode(line)

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
const binary = (versionAndCommand: number, family: number, ...body: number[]): Uint8Array =>
  Uint8Array.of(...SIGNATURE, versionAndCommand, family, body.length >> 8, body.length & 0xff, ...body)

const IPV4 = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb]
const IPV6 = [
  0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0xdc, 0x04, 0x01, 0xbb,
]
const MAPPED = [...Array(10).fill(0), 0xff, 0xff, 192, 0, 2, 1, ...Array(10).fill(0), 0xff, 0xff, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb]
const V4_ENDS = { remote: { address: '192.0.2.1', port: 56_324 }, local: { address: '198.51.100.2', port: 443 } }
const V6_ENDS = { remote: { address: '2001:db8::1', port: 56_324 }, local: { address: '2001:db8::2', port: 443 } }
/** PP2_TYPE_NOOP, 3 octets. */
const TLV = [0x04, 0, 3, 1, 2, 3]

const HEADERS: readonly [string, Uint8Array, ProxyHeader & { kind: 'header' }][] = [
  ['v1 TCP4', text('PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n'), { kind: 'header', length: 45, origin: V4_ENDS }],
  ['v1 TCP6', text('PROXY TCP6 2001:DB8:0::1 2001:db8::2 56324 443\r\n'), { kind: 'header', length: 48, origin: V6_ENDS }],
  [
    'v1 TCP6, IPv4 inside',
    text('PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6402 56324 443\r\n'),
    { kind: 'header', length: 56, origin: V4_ENDS },
  ],
  ['v1 UNKNOWN', text('PROXY UNKNOWN\r\n'), { kind: 'header', length: 15 }],
  ['v1 UNKNOWN and words', text('PROXY UNKNOWN ffff:f...f:ffff and so on\r\n'), { kind: 'header', length: 41 }],
  ['v2 IPv4', binary(0x21, 0x11, ...IPV4), { kind: 'header', length: 28, origin: V4_ENDS }],
  ['v2 IPv6', binary(0x21, 0x21, ...IPV6), { kind: 'header', length: 52, origin: V6_ENDS }],
  ['v2 IPv6, IPv4 inside', binary(0x21, 0x21, ...MAPPED), { kind: 'header', length: 52, origin: V4_ENDS }],
  ['v2 with TLVs', binary(0x21, 0x11, ...IPV4, ...TLV), { kind: 'header', length: 34, origin: V4_ENDS }],
  ['v2 LOCAL', binary(0x20, 0x00), { kind: 'header', length: 16 }],
  ['v2 LOCAL with addresses', binary(0x20, 0x11, ...IPV4), { kind: 'header', length: 28 }],
  ['v2 unspecified', binary(0x21, 0x00, ...TLV), { kind: 'header', length: 22 }],
]

describe.each(HEADERS)('PROXY protocol: %s', (_, header, expected) => {
  it('whole, and with the stream behind it', () => {
    expect(parseProxyHeader(header)).toEqual(expected)
    expect(parseProxyHeader(Uint8Array.of(...header, ...text('IKETCP')))).toEqual(expected)
  })

  it('cut at each offset it needs more, and never more than there is', () => {
    for (let length = 0; length < header.length; length++) {
      const found = parseProxyHeader(header.subarray(0, length))
      expect(found.kind).toBe('more')
      if (found.kind !== 'more') continue
      expect(found.needs).toBeGreaterThan(length)
      expect(found.needs).toBeLessThanOrEqual(header.length)
    }
  })

  it('octet by octet it comes to the same, whatever is waited for', () => {
    let wanted = 1
    for (;;) {
      const found = parseProxyHeader(header.subarray(0, wanted))
      if (found.kind !== 'more') return expect(found).toEqual(expected)
      wanted = found.needs
    }
  })
})

describe('PROXY protocol: what is none', () => {
  it.each([
    ['a ClientHello', Uint8Array.of(0x16, 3, 1, 0, 200), 'octet 0'],
    ['the stream itself', text('IKETCP'), 'octet 0'],
    ['a request', text('POST / HTTP/1.1\r\n'), 'octet 1'],
    ['lower case', text('proxy tcp4 '), 'octet 0'],
    ['no such protocol', text('PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n'), 'protocol'],
    ['a field too many', text('PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n'), '5 fields'],
    ['a field too few', text('PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n'), '3 fields'],
    ['two spaces', text('PROXY TCP4 192.0.2.1  198.51.100.2 1 2\r\n'), '5 fields'],
    ['another family', text('PROXY TCP4 2001:db8::1 198.51.100.2 1 2\r\n'), 'address'],
    ['a zone', text('PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n'), 'address'],
    ['no address', text('PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n'), 'address'],
    ['a port with a zero before it', text('PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n'), 'port'],
    ['a port out of range', text('PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n'), 'port'],
    ['a line feed alone', text(`PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n${' '.repeat(100)}`), 'no end of line'],
    ['a carriage return alone', text('PROXY TCP4 192.0.2.1 198.51.100.2 1 2\rX'), 'does not end'],
    ['too long a line', text(`PROXY UNKNOWN ${'x'.repeat(100)}\r\n`), 'does not end'],
    ['no end', text(`PROXY UNKNOWN ${'x'.repeat(100)}`), 'no end of line'],
    ['another signature', Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0b), 'octet 3'],
    ['version 1 in binary', binary(0x11, 0x11, ...IPV4), 'version 1'],
    ['command 2', binary(0x22, 0x11, ...IPV4), 'command 2'],
    ['UDP', binary(0x21, 0x12, ...IPV4), '0x12'],
    ['UNIX', binary(0x21, 0x31, ...Array(216).fill(0)), '0x31'],
    ['too few octets for IPv4', binary(0x21, 0x11, ...IPV4.slice(1)), '11 octets'],
    ['too few octets for IPv6', binary(0x21, 0x21, ...IPV6.slice(1)), '35 octets'],
    ['longer than is taken', Uint8Array.of(...SIGNATURE, 0x21, 0x11, 0x08, 0x00), '2064 octets'],
  ])('%s', (_, octets, why) => {
    const found = parseProxyHeader(octets)
    expect(found.kind).toBe('malformed')
    expect(found.kind === 'malformed' ? found.reason : '').toContain(why)
  })

  it('whatever comes, it ends, and says one of three things', () => {
    let seed = 1
    const next = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff
      return seed >> 16
    }
    for (let i = 0; i < 2_000; i++) {
      const header = HEADERS[next() % HEADERS.length]![1].slice()
      header[next() % header.length] = next() & 0xff
      const found = parseProxyHeader(header)
      expect(['more', 'header', 'malformed']).toContain(found.kind)
      if (found.kind === 'header') expect(found.length).toBeLessThanOrEqual(header.length)
    }
  })
})
