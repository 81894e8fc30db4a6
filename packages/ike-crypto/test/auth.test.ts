import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { prf, pskAuth, signedOctets } from '../src/index.ts'
import { hex, seeded, toHex } from './hex.ts'

const random = seeded(15)
const [message, nonce, skp] = [random(300), random(32), random(32)]
const idBody = hex('02000000 676174652e6578616d706c65')

describe('RFC 7296 §2.15 the octets to sign', () => {
  it('are RealMessage | peer nonce | prf(SK_p, rest of ID payload)', () => {
    const maced = createHmac('sha256', skp).update(idBody).digest()
    expect(toHex(signedOctets(prf(5)!, message, nonce, skp, idBody))).toBe(toHex(message) + toHex(nonce) + maced.toString('hex'))
  })

  it('RFC 9242 §3.3: IntAuth comes last', () => {
    const plain = signedOctets(prf(5)!, message, nonce, skp, idBody)
    expect(toHex(signedOctets(prf(5)!, message, nonce, skp, idBody, hex('c0ffee')))).toBe(`${toHex(plain)}c0ffee`)
  })

  it('the three RESERVED octets of the ID payload are part of it', () => {
    const reserved = Uint8Array.from(idBody)
    reserved[1] = 1
    expect(signedOctets(prf(5)!, message, nonce, skp, reserved)).not.toEqual(signedOctets(prf(5)!, message, nonce, skp, idBody))
  })
})

describe('RFC 7296 §2.15 shared key authentication', () => {
  const twice = (hash: string, secret: Uint8Array, octets: Uint8Array): string =>
    createHmac(hash, createHmac(hash, secret).update('Key Pad for IKEv2', 'ascii').digest()).update(octets).digest('hex')

  it.each([
    [2, 'sha1'],
    [5, 'sha256'],
    [6, 'sha384'],
    [7, 'sha512'],
  ])('prf(prf(secret, "Key Pad for IKEv2"), octets) with PRF %i', (id, hash) => {
    const secret = hex('7365637265742077697468206e6f207465726d696e61746f72')
    expect(toHex(pskAuth(prf(id)!, secret, message))).toBe(twice(hash, secret, message))
  })

  it.each([1, 63, 64, 65, 200])('(C-22): a secret of %i octets is used whole', (length) => {
    const secret = seeded(length)(length)
    expect(toHex(pskAuth(prf(5)!, secret, message))).toBe(twice('sha256', secret, message))
  })
})
