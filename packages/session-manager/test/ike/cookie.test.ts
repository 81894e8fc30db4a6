import { NotifyType, notify } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { CookieJar, cookieIn } from '../../src/ike/cookie.ts'
import { seededRandom } from '../network.ts'

const NONCE = new Uint8Array(32).fill(7)
const MINUTE = 60_000

describe('RFC 7296 §2.6 the cookie jar', () => {
  it('RFC 7296 §2.6 (C-12): takes its own cookie back', () => {
    const jar = new CookieJar(seededRandom('jar'))
    const cookie = jar.bake(NONCE, '192.0.2.1', 1n, 0)
    expect(jar.isOurs(cookie, NONCE, '192.0.2.1', 1n, 10)).toBe(true)
    expect(cookie.length).toBeLessThanOrEqual(64)
  })

  it('RFC 7296 §2.6: nonce, address and SPI are all in it', () => {
    const jar = new CookieJar(seededRandom('jar'))
    const cookie = jar.bake(NONCE, '192.0.2.1', 1n, 0)
    expect(jar.isOurs(cookie, new Uint8Array(32), '192.0.2.1', 1n, 0)).toBe(false)
    expect(jar.isOurs(cookie, NONCE, '192.0.2.2', 1n, 0)).toBe(false)
    expect(jar.isOurs(cookie, NONCE, '192.0.2.1', 2n, 0)).toBe(false)
    expect(jar.isOurs(cookie, NONCE, '192.0.2.1', 1n << 32n, 0)).toBe(false)
  })

  it('RFC 7296 §2.6: before any was asked for, none is ours', () => {
    const jar = new CookieJar(seededRandom('jar'))
    expect(jar.isOurs(new Uint8Array(36), NONCE, '192.0.2.1', 1n, 0)).toBe(false)
  })

  it('RFC 7296 §2.6: the secret changes; a cookie of the one before is still good', () => {
    const jar = new CookieJar(seededRandom('jar'))
    const cookie = jar.bake(NONCE, '192.0.2.1', 1n, 0)
    expect(jar.bake(NONCE, '192.0.2.1', 1n, MINUTE)).not.toEqual(cookie)
    expect(jar.isOurs(cookie, NONCE, '192.0.2.1', 1n, MINUTE)).toBe(true)
    jar.bake(NONCE, '192.0.2.1', 1n, 2 * MINUTE)
    expect(jar.isOurs(cookie, NONCE, '192.0.2.1', 1n, 2 * MINUTE)).toBe(false)
  })

  it('RFC 7296 §2.6: an old cookie is no good, even where no other was asked for since', () => {
    const jar = new CookieJar(seededRandom('jar'))
    const cookie = jar.bake(NONCE, '192.0.2.1', 1n, 0)
    expect(jar.isOurs(cookie, NONCE, '192.0.2.1', 1n, 60 * MINUTE)).toBe(false)
  })

  it('RFC 7296 §2.6: another jar has another secret', () => {
    const cookie = new CookieJar(seededRandom('one')).bake(NONCE, '192.0.2.1', 1n, 0)
    const other = new CookieJar(seededRandom('two'))
    other.bake(NONCE, '192.0.2.1', 1n, 0)
    expect(other.isOurs(cookie, NONCE, '192.0.2.1', 1n, 0)).toBe(false)
  })

  it.each([
    [0, false],
    [1, true],
    [64, true],
    [65, false],
  ])('RFC 7296 §2.6 (C-12): a COOKIE of %i octets is one: %j', (length, isOne) => {
    expect(cookieIn([notify(NotifyType.COOKIE, new Uint8Array(length))]) !== undefined).toBe(isOne)
  })
})
