import { IdType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { describeIdentity, identificationBody, isSameIdentity, parseIdentity } from '../../src/ike/identification.ts'
import { utf8 } from '../../src/octets.ts'

describe('RFC 7296 §3.5 identities', () => {
  it.each([
    ['@gw', IdType.ID_FQDN, 'gw'],
    ['vpn.example', IdType.ID_FQDN, 'vpn.example'],
    ['fqdn:vpn.example', IdType.ID_FQDN, 'vpn.example'],
    ['user@example.org', IdType.ID_RFC822_ADDR, 'user@example.org'],
    ['email:user', IdType.ID_RFC822_ADDR, 'user'],
    ['keyid:office', IdType.ID_KEY_ID, 'office'],
    ['KEYID:office', IdType.ID_KEY_ID, 'office'],
  ])('RFC 7296 §3.5 (C-33): "%s" is of type %i', (text, idType, data) => {
    expect(parseIdentity(text)).toEqual({ idType, data: utf8(data) })
  })

  it.each([
    ['192.0.2.1', IdType.ID_IPV4_ADDR, [192, 0, 2, 1]],
    ['ip:192.0.2.1', IdType.ID_IPV4_ADDR, [192, 0, 2, 1]],
    ['2001:db8::1', IdType.ID_IPV6_ADDR, [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['ip:::1', IdType.ID_IPV6_ADDR, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['keyid:0x00ff', IdType.ID_KEY_ID, [0, 0xff]],
  ])('RFC 7296 §3.5 (C-33): "%s" is octets', (text, idType, data) => {
    expect(parseIdentity(text)).toEqual({ idType, data: Uint8Array.from(data) })
  })

  it.each(['', '@', 'fqdn:', 'email:', 'ip:', 'ip:gw', 'keyid:', 'keyid:0x0', 'keyid:0xzz'])('"%s" is no identity', (text) => {
    expect(parseIdentity(text)).toBeUndefined()
  })

  it.each(['@gw', 'user@example.org', '192.0.2.1', '2001:db8::1', 'keyid:office', 'keyid:0x00ff'])(
    '"%s" reads as it was written',
    (text) => {
      expect(describeIdentity(parseIdentity(text)!)).toBe(text)
    },
  )

  it('shows what cannot be printed as hex, and never at full length', () => {
    expect(describeIdentity({ idType: IdType.ID_FQDN, data: utf8('gw\n') })).toBe('@0x67770a')
    expect(describeIdentity({ idType: 77, data: new Uint8Array(0) })).toBe('id77:0x')
    expect(describeIdentity({ idType: IdType.ID_IPV4_ADDR, data: Uint8Array.of(1, 2) })).toBe('id1:0x0102')
    expect(describeIdentity({ idType: IdType.ID_KEY_ID, data: new Uint8Array(60_000) }).length).toBeLessThan(300)
  })

  it('RFC 7296 §3.5: identities of different types are different', () => {
    expect(isSameIdentity(parseIdentity('@gw')!, parseIdentity('keyid:gw')!)).toBe(false)
    expect(isSameIdentity(parseIdentity('@gw')!, parseIdentity('fqdn:gw')!)).toBe(true)
    expect(isSameIdentity(parseIdentity('@gw')!, parseIdentity('@gw2')!)).toBe(false)
  })

  it("RFC 7296 §2.15: IDi' is the type, three zero octets and the data", () => {
    expect(identificationBody(parseIdentity('@gw')!)).toEqual(Uint8Array.of(2, 0, 0, 0, 0x67, 0x77))
  })
})
