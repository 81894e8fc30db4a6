import { describe, expect, it } from 'vitest'
import { contains, formatIp, formatIpPrefix, isCovered, parseIp, parseIpPrefix, parseIpRange, prefixesOf } from '../src/ip-prefix.ts'

describe('prefixes and ranges', () => {
  it.each([
    ['10.2.0.0/24', ['10.2.0.0/24']],
    ['10.2.0.7', ['10.2.0.7/32']],
    ['10.2.0.7/24', ['10.2.0.0/24']],
    ['0.0.0.0-255.255.255.255', ['0.0.0.0/0']],
    ['0.0.0.0/0', ['0.0.0.0/0']],
    ['::/0', ['::/0']],
    ['10.99.0.2-10.99.0.9', ['10.99.0.2/31', '10.99.0.4/30', '10.99.0.8/31']],
    ['255.255.255.255-255.255.255.255', ['255.255.255.255/32']],
    ['2001:db8::-2001:db8::ffff', ['2001:db8::/112']],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127']],
  ])('%s is covered exactly by %j', (text, prefixes) => {
    expect(prefixesOf(parseIpRange(text)!).map(formatIpPrefix)).toEqual(prefixes)
  })

  it.each(['', '10.0.0', '10.0.0.0/33', '::/129', '10.0.0.9-10.0.0.1', '10.0.0.1-::1', 'fe80::1%eth0', '10.0.0.0/', '1-2-3', 'x'])(
    '%j is none',
    (text) => {
      expect(parseIpRange(text)).toBeUndefined()
    },
  )

  it('an address is in a prefix or not', () => {
    const inside = (prefix: string, address: string): boolean => contains(parseIpPrefix(prefix)!, parseIp(address)!)
    expect(inside('128.0.0.0/1', '192.0.2.9')).toBe(true)
    expect(inside('0.0.0.0/1', '192.0.2.9')).toBe(false)
    expect(inside('::/0', '192.0.2.9')).toBe(false)
    expect(formatIp(parseIp('2001:DB8:0:0:0::1')!)).toBe('2001:db8::1')
  })

  it.each([
    ['10.2.0.0/24', ['10.2.0.0/24'], true],
    ['10.2.0.0/24', ['10.2.0.128/25', '10.2.0.0/25'], true],
    ['10.2.0.0/24', ['10.2.0.0-10.2.0.100', '10.2.0.50-10.2.0.255'], true],
    ['10.2.0.0/24', ['10.2.0.0/25'], false],
    ['10.2.0.0/24', ['10.2.0.1-10.2.0.255'], false],
    ['0.0.0.0/0', ['10.2.0.0/24'], false],
    ['0.0.0.0/0', ['::/0'], false],
    ['::/0', ['::/0', '10.0.0.0/8'], true],
  ])('%s in %j: %s', (range, others, covered) => {
    expect(
      isCovered(
        parseIpRange(range)!,
        others.map((text) => parseIpRange(text)!),
      ),
    ).toBe(covered)
  })
})
