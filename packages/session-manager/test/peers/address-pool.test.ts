import { describe, expect, it } from 'vitest'
import { formatAddress, parseAddress } from '../../src/index.ts'
import { AddressPool } from '../../src/peers/address-pool.ts'

const lease = (pool: AddressPool, owner: string, family: 'ipv4' | 'ipv6' = 'ipv4', hint?: string): string | undefined => {
  const offer = pool.offer({ owner, family, hint: hint === undefined ? undefined : parseAddress(hint) })
  if (offer) pool.take(offer)
  return offer && formatAddress(offer.address)
}

describe('RFC 7296 §2.19 the address pool', () => {
  it('hands out each address once, then none', () => {
    const pool = new AddressPool(['10.8.0.1-10.8.0.3'])
    expect(['a', 'b', 'c', 'd'].map((owner) => lease(pool, owner))).toEqual(['10.8.0.1', '10.8.0.2', '10.8.0.3', undefined])
    expect(pool.leased).toBe(3)
  })

  it('has an address again when one comes back', () => {
    const pool = new AddressPool(['10.8.0.1-10.8.0.2'])
    lease(pool, 'a')
    lease(pool, 'b')
    pool.release(parseAddress('10.8.0.1')!)
    expect(lease(pool, 'c')).toBe('10.8.0.1')
  })

  it('an identity gets back the address it had', () => {
    const pool = new AddressPool(['10.8.0.1-10.8.0.9'])
    lease(pool, 'a')
    const had = lease(pool, 'b')!
    pool.release(parseAddress(had)!)
    lease(pool, 'c')
    expect(lease(pool, 'b')).toBe(had)
  })

  it('but not while another holds it', () => {
    const pool = new AddressPool(['10.8.0.1-10.8.0.2'])
    lease(pool, 'a')
    pool.release(parseAddress('10.8.0.1')!)
    lease(pool, 'b')
    expect(lease(pool, 'c')).toBe('10.8.0.1')
    expect(lease(pool, 'a')).toBeUndefined()
  })

  it('RFC 7296 §3.15.1: a wish is granted where the address is free and in the pool', () => {
    const pool = new AddressPool(['10.8.0.1-10.8.0.9'])
    expect(lease(pool, 'a', 'ipv4', '10.8.0.7')).toBe('10.8.0.7')
    expect(lease(pool, 'b', 'ipv4', '10.8.0.7')).not.toBe('10.8.0.7')
    expect(lease(pool, 'c', 'ipv4', '10.9.0.1')).toMatch(/^10\.8\.0\./)
  })

  it('an offer that is not taken changes nothing, and the next one is the same', () => {
    const pool = new AddressPool(['10.8.0.1-10.8.0.9'])
    const offers = ['a', 'b', 'a'].map((owner) => formatAddress(pool.offer({ owner, family: 'ipv4' })!.address))
    expect(offers).toEqual(['10.8.0.1', '10.8.0.1', '10.8.0.1'])
    expect(pool.leased).toBe(0)
    expect(lease(pool, 'b')).toBe('10.8.0.1')
  })

  it('counts on a lease that is about to end, and only on that one', () => {
    const pool = new AddressPool(['10.8.0.1-10.8.0.2'])
    for (const owner of ['a', 'b']) lease(pool, owner)
    const ending = parseAddress('10.8.0.2')!
    expect(pool.offer({ owner: 'c', family: 'ipv4' })).toBeUndefined()
    expect(pool.offer({ owner: 'c', family: 'ipv4', released: [ending] })?.address).toEqual(ending)
    // INITIAL_CONTACT: 'b' holds it a second time, so that the end of one lease frees nothing.
    pool.take(pool.offer({ owner: 'b', family: 'ipv4', takesOver: true })!)
    expect(pool.offer({ owner: 'c', family: 'ipv4', released: [ending] })).toBeUndefined()
  })

  it('families are apart', () => {
    const pool = new AddressPool(['10.8.0.1', 'fd00:8::1-fd00:8::2'])
    expect([pool.hasFamily('ipv4'), pool.hasFamily('ipv6')]).toEqual([true, true])
    expect(lease(pool, 'a', 'ipv6')).toBe('fd00:8::1')
    expect(lease(pool, 'a', 'ipv4')).toBe('10.8.0.1')
    expect(lease(pool, 'b', 'ipv4', 'fd00:8::2')).toBeUndefined()
    expect(new AddressPool(['10.8.0.1']).hasFamily('ipv6')).toBe(false)
  })

  it('a prefix hands out neither its network nor its broadcast address', () => {
    const pool = new AddressPool(['10.8.0.0/30'])
    expect(['a', 'b', 'c'].map((owner) => lease(pool, owner))).toEqual(['10.8.0.1', '10.8.0.2', undefined])
    expect(lease(new AddressPool(['10.8.0.0/30']), 'a', 'ipv4', '10.8.0.3')).toBe('10.8.0.1')
    const point = new AddressPool(['10.8.0.0/31'])
    expect(['a', 'b', 'c'].map((owner) => lease(point, owner))).toEqual(['10.8.0.0', '10.8.0.1', undefined])
    expect(lease(new AddressPool(['10.8.0.9/32']), 'a')).toBe('10.8.0.9')
  })

  it('RFC 4291 §2.6.1: an IPv6 prefix does not hand out its Subnet-Router anycast address', () => {
    expect(lease(new AddressPool(['fd00:8::/64']), 'a', 'ipv6')).toBe('fd00:8::1')
  })

  it('a pool of 2^64 addresses costs no more than one of ten', () => {
    const pool = new AddressPool(['fd00:8::/64'])
    const leased = new Set(Array.from({ length: 1000 }, (_, index) => lease(pool, `client ${index}`, 'ipv6')))
    expect(leased.size).toBe(1000)
  })
})
