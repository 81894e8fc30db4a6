import { describe, expect, it } from 'vitest'
import { describeEndpoint, plainAddress, plainEndpoint } from '../../src/run/addresses.ts'

describe('RFC 4291 §2.5.5.2: IPv4-mapped addresses end at this border', () => {
  it.each([
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::', '::'],
  ])('%s is %s inside', (outside, inside) => {
    expect(plainAddress(outside)).toBe(inside)
  })

  it('an endpoint with nothing to change stays the same object', () => {
    const endpoint = { address: '192.0.2.1', port: 4500 }
    expect(plainEndpoint(endpoint)).toBe(endpoint)
    expect(plainEndpoint({ address: '::ffff:192.0.2.1', port: 4500 })).toEqual(endpoint)
  })

  it('are written with brackets only where IPv6 needs them', () => {
    expect([describeEndpoint('192.0.2.1', 443), describeEndpoint('2001:db8::1', 443)]).toEqual(['192.0.2.1:443', '[2001:db8::1]:443'])
  })
})
