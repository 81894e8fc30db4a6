import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { constantTimeEqual, natDetectionHash, sha1, sha256 } from '../src/index.ts'
import { hex, toHex } from './hex.ts'

describe('RFC 7296 §2.23 NAT_DETECTION_*_IP', () => {
  it('is SHA-1(SPIi | SPIr | IPv4 | port), the responder SPI zero in the first request', () => {
    const input = hex('0102030405060708 0000000000000000 c0000201 01f4')
    expect(toHex(natDetectionHash(0x0102030405060708n, 0n, hex('c0000201'), 500))).toBe(createHash('sha1').update(input).digest('hex'))
  })

  it('takes IPv6 and ports above 32767', () => {
    const address = hex('20010db8000000000000000000000001')
    const input = Uint8Array.from([...hex('ffffffffffffffff 8000000000000001'), ...address, 0xff, 0xfe])
    const hash = natDetectionHash(0xffffffffffffffffn, 0x8000000000000001n, address, 65534)
    expect(toHex(hash)).toBe(createHash('sha1').update(input).digest('hex'))
  })
})

describe('hashes (FIPS 180-4, the "abc" example)', () => {
  it('SHA-1 and SHA-256', () => {
    expect(toHex(sha1(hex('616263')))).toBe('a9993e364706816aba3e25717850c26c9cd0d89d')
    expect(toHex(sha256(hex('616263')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })
})

describe('constantTimeEqual', () => {
  it('compares octets and lengths', () => {
    expect(constantTimeEqual(hex(''), hex(''))).toBe(true)
    expect(constantTimeEqual(hex('0102ff'), hex('0102ff'))).toBe(true)
    for (const other of ['0102fe', '8102ff', '0182ff', '0102', '0102ff00']) expect(constantTimeEqual(hex('0102ff'), hex(other))).toBe(false)
  })
})
