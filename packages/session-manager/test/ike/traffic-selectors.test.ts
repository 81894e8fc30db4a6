import { type TrafficSelector, TrafficSelectorType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import {
  areWithin,
  describeSelector,
  type IpSelector,
  narrowTrafficSelectors,
  selectorsOfSubnets,
} from '../../src/ike/traffic-selectors.ts'

const narrow = (proposed: readonly TrafficSelector[], allowed: readonly string[]): string[] =>
  narrowTrafficSelectors(proposed, selectorsOfSubnets(allowed)).map(describeSelector)

describe('RFC 7296 §2.9 narrowing', () => {
  it.each([
    ['the same', ['10.2.0.0/24'], ['10.2.0.0/24'], ['10.2.0.0/24']],
    ['a part of the policy', ['10.2.0.8/29'], ['10.2.0.0/24'], ['10.2.0.8/29']],
    ['more than the policy', ['0.0.0.0/0'], ['10.2.0.0/24'], ['10.2.0.0/24']],
    ['overlapping at an end', ['10.2.0.128-10.2.1.20'], ['10.2.0.0/24'], ['10.2.0.128/25']],
    ['apart', ['10.3.0.0/24'], ['10.2.0.0/24'], []],
    ['another family', ['::/0'], ['10.2.0.0/24'], []],
    ['both families', ['0.0.0.0/0', '::/0'], ['10.2.0.0/24', 'fd00:2::/64'], ['10.2.0.0/24', 'fd00:2::/64']],
    ['several of the policy at once', ['10.0.0.0/8'], ['10.2.0.0/24', '10.4.0.0/24'], ['10.2.0.0/24', '10.4.0.0/24']],
    ['the same twice', ['10.2.0.0/24', '10.2.0.0/24'], ['10.2.0.0/24'], ['10.2.0.0/24']],
  ])('RFC 7296 §2.9 (C-19): what is proposed is %s', (_, proposed, allowed, narrowed) => {
    expect(narrow(selectorsOfSubnets(proposed), allowed)).toEqual(narrowed)
  })

  it('RFC 7296 §2.9 (C-19): the first choice of the initiator stays and stays first', () => {
    expect(narrow(selectorsOfSubnets(['10.4.0.7', '10.0.0.0/8']), ['10.2.0.0/24', '10.4.0.0/24'])).toEqual([
      '10.4.0.7/32',
      '10.2.0.0/24',
      '10.4.0.0/24',
    ])
  })

  it('RFC 7296 §2.9: protocol and ports are narrowed too', () => {
    const tcp = { ...selectorsOfSubnets(['10.0.0.0/8'])[0]!, ipProtocol: 6, startPort: 80, endPort: 443 }
    const [narrowed] = narrowTrafficSelectors([tcp], selectorsOfSubnets(['10.2.0.0/24']))
    expect(describeSelector(narrowed!)).toBe('10.2.0.0/24 proto 6 port 80-443')
    const policy = { ...tcp, startPort: 100, endPort: 65_535 }
    expect(narrowTrafficSelectors([tcp], [policy])[0]).toMatchObject({ startPort: 100, endPort: 443 })
    expect(narrowTrafficSelectors([{ ...tcp, ipProtocol: 17 }], [policy])).toEqual([])
    expect(narrowTrafficSelectors([{ ...tcp, startPort: 1, endPort: 99 }], [policy])).toEqual([])
  })

  it('RFC 7296 §3.13.1: OPAQUE ports meet ANY and themselves, nothing else', () => {
    const any = selectorsOfSubnets(['10.0.0.0/8'])[0]!
    const opaque: IpSelector = { ...any, startPort: 0xffff, endPort: 0 }
    const http: IpSelector = { ...any, ipProtocol: 6, startPort: 80, endPort: 80 }
    expect(narrowTrafficSelectors([opaque], [any])[0]).toMatchObject({ startPort: 0xffff, endPort: 0 })
    expect(narrowTrafficSelectors([opaque], [opaque])).toHaveLength(1)
    expect(narrowTrafficSelectors([opaque], [{ ...http, ipProtocol: 0 }])).toEqual([])
  })

  it('RFC 7296 §3.13.1: a selector of an unknown type is passed over, the others are not', () => {
    const unknown: TrafficSelector = { tsType: 200, body: Uint8Array.of(1, 2, 3, 4) }
    expect(narrow([unknown, ...selectorsOfSubnets(['10.2.0.1'])], ['10.2.0.0/24'])).toEqual(['10.2.0.1/32'])
  })

  it('RFC 7296 §3.13.1: a range that ends before it starts holds nothing', () => {
    const [selector] = selectorsOfSubnets(['10.2.0.0/24'])
    const backwards = { ...selector!, startAddress: selector!.endAddress, endAddress: selector!.startAddress }
    expect(narrow([backwards], ['10.2.0.0/24'])).toEqual([])
    expect(narrow([{ ...selector!, startPort: 90, endPort: 80 }], ['10.2.0.0/24'])).toEqual([])
  })

  it('RFC 7296 §2.9: an answer stays bounded whatever is proposed', () => {
    const many = Array.from({ length: 255 }, (_, index) => selectorsOfSubnets([`10.2.0.${index}`])[0]!)
    expect(narrowTrafficSelectors(many, selectorsOfSubnets(['10.0.0.0/8'])).length).toBeLessThanOrEqual(64)
  })
})

describe('RFC 7296 §2.9 an initiator checks the answer', () => {
  const asked = selectorsOfSubnets(['10.2.0.0/24', 'fd00:2::/64'])

  it.each([
    [['10.2.0.0/24'], true],
    [['10.2.0.7', 'fd00:2::1'], true],
    [['10.2.0.0/23'], false],
    [['10.2.0.7', '0.0.0.0/0'], false],
    [['::/0'], false],
    [[], false],
  ])('RFC 7296 §2.9 (C-19): %j lies within what was asked for: %j', (answer, isWithin) => {
    expect(areWithin(selectorsOfSubnets(answer), asked)).toBe(isWithin)
  })

  it('RFC 7296 §2.9: ports and protocol may be narrower, not wider', () => {
    const [any] = selectorsOfSubnets(['10.2.0.0/24'])
    const http: IpSelector = { ...any!, ipProtocol: 6, startPort: 80, endPort: 80 }
    expect(areWithin([http], [any!])).toBe(true)
    expect(areWithin([any!], [http])).toBe(false)
    expect(areWithin([{ ...http, endPort: 81 }], [http])).toBe(false)
    expect(areWithin([{ ...http, ipProtocol: 17 }], [http])).toBe(false)
  })

  it('RFC 7296 §3.13.1: OPAQUE is not within a range of ports', () => {
    const [any] = selectorsOfSubnets(['10.2.0.0/24'])
    const http: IpSelector = { ...any!, startPort: 80, endPort: 80 }
    expect(areWithin([{ ...any!, startPort: 0xffff, endPort: 0 }], [http])).toBe(false)
    expect(areWithin([{ ...any!, startPort: 0xffff, endPort: 0 }], [any!])).toBe(true)
  })

  it('RFC 7296 §3.13.1: a selector of an unknown type is not within anything', () => {
    expect(areWithin([{ tsType: 9, body: new Uint8Array(4) }], asked)).toBe(false)
  })
})

describe('selectors as text', () => {
  it('RFC 7296 §3.13.1: shows protocol and ports only where they narrow', () => {
    const [any] = selectorsOfSubnets(['fd00::/8'])
    expect(any!.tsType).toBe(TrafficSelectorType.TS_IPV6_ADDR_RANGE)
    expect(describeSelector(any!)).toBe('fd00::/8')
    expect(describeSelector({ ...any!, ipProtocol: 17 })).toBe('fd00::/8 proto 17')
    expect(describeSelector({ ...any!, startPort: 0xffff, endPort: 0 })).toBe('fd00::/8 port opaque')
  })
})
