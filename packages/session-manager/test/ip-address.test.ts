import { describe, expect, it } from 'vitest'
import { compareAddresses, formatAddress, formatRange, parseAddress, parseRange, prefixLengthOf } from '../src/ip-address.ts'

describe('addresses as text', () => {
  it.each(['0.0.0.0', '192.0.2.1', '255.255.255.255', '::', '::1', '2001:db8::1', 'fd00:8:0:1::', '1:2:3:4:5:6:7:8', 'fe80::1:0:0:1'])(
    'RFC 5952 §4: "%s" reads as it was written',
    (text) => {
      expect(formatAddress(parseAddress(text)!)).toBe(text)
    },
  )

  it.each([
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4:5:6:c000:201'],
  ])('RFC 5952 §4: "%s" is written "%s"', (text, canonical) => {
    expect(formatAddress(parseAddress(text)!)).toBe(canonical)
  })

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.-4',
    '1.2.3.4 ',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '1:2:3:4:5:6:7:8::',
    '::1.2.3',
    '1.2.3.4::',
    '[::1]',
    'gw',
  ])('"%s" is no address', (text) => {
    expect(parseAddress(text)).toBeUndefined()
  })
})

describe('ranges as text', () => {
  it.each([
    ['10.2.0.0/24', '10.2.0.0', '10.2.0.255', '10.2.0.0/24'],
    ['10.2.0.77/24', '10.2.0.0', '10.2.0.255', '10.2.0.0/24'],
    ['10.2.0.0/0', '0.0.0.0', '255.255.255.255', '0.0.0.0/0'],
    ['10.2.0.7', '10.2.0.7', '10.2.0.7', '10.2.0.7/32'],
    ['10.2.0.7/31', '10.2.0.6', '10.2.0.7', '10.2.0.6/31'],
    ['10.2.0.7-10.2.0.9', '10.2.0.7', '10.2.0.9', '10.2.0.7-10.2.0.9'],
    ['10.2.0.0 - 10.2.0.255', '10.2.0.0', '10.2.0.255', '10.2.0.0/24'],
    ['fd00:2::/64', 'fd00:2::', 'fd00:2::ffff:ffff:ffff:ffff', 'fd00:2::/64'],
    ['fd00:2::1', 'fd00:2::1', 'fd00:2::1', 'fd00:2::1/128'],
    ['fd00:2::/65', 'fd00:2::', 'fd00:2::7fff:ffff:ffff:ffff', 'fd00:2::/65'],
  ])('"%s" is %s to %s', (text, start, end, canonical) => {
    const range = parseRange(text)!
    expect([formatAddress(range.start), formatAddress(range.end)]).toEqual([start, end])
    expect(formatRange(range)).toBe(canonical)
  })

  it.each([
    '',
    '10.2.0.0/33',
    '10.2.0.0/',
    '10.2.0.0/-1',
    '10.2.0.0/8/8',
    'fd00::/129',
    '10.2.0.9-10.2.0.7',
    '10.2.0.1-fd00::1',
    '10.2.0.1-',
    '-10.2.0.1',
  ])('"%s" is no range', (text) => {
    expect(parseRange(text)).toBeUndefined()
  })

  it('a range that is no prefix has no prefix length', () => {
    expect(prefixLengthOf(parseRange('10.2.0.0-10.2.0.2')!)).toBeUndefined()
    expect(prefixLengthOf(parseRange('10.2.0.1-10.2.0.2')!)).toBeUndefined()
    expect(prefixLengthOf(parseRange('10.2.0.0-10.2.0.3')!)).toBe(30)
  })

  it('addresses are in the order of their numbers', () => {
    const sorted = ['10.0.0.200', '9.255.255.255', '10.0.1.0'].map((text) => parseAddress(text)!).sort(compareAddresses)
    expect(sorted.map(formatAddress)).toEqual(['9.255.255.255', '10.0.0.200', '10.0.1.0'])
  })
})
