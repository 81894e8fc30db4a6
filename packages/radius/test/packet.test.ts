import { describe, expect, it } from 'vitest'
import { decodePacket, encodePacket, protectRequest, RadiusError, revealMppeKey, whyUnauthentic } from '../src/index.ts'
import { answerTo, isAuthentic, mppeKey, SECRET } from './server.ts'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))

/** RFC 2865 §7.1. */
const REQUEST = hex(`01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a 01 06 6e 65 6d 6f 02 12 0d be 70 8d 93 d4 13 ce 31 96 e4 3f
  78 2a 0a ee 04 06 c0 a8 01 10 05 06 00 00 00 03`)
const RESPONSE = hex('02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2 06 06 00 00 00 01 0f 06 00 00 00 00 0e 06 c0 a8 01 03')

describe('RFC 2865 §3 packets', () => {
  it('RFC 2865 §7.1: the example is read, and made again of what was read', () => {
    const packet = decodePacket(REQUEST)
    expect(packet.attributes.map(({ type, value }) => [type, value.length])).toEqual([
      [1, 4],
      [2, 16],
      [4, 4],
      [5, 4],
    ])
    expect(encodePacket(packet)).toEqual(REQUEST)
    expect(encodePacket(decodePacket(RESPONSE))).toEqual(RESPONSE)
  })

  it('RFC 2865 §3: octets beyond Length are padding', () => {
    expect(decodePacket(Uint8Array.from([...RESPONSE, 0, 0, 0])).attributes).toHaveLength(3)
  })

  it('RFC 2865 §3: each truncation is refused with a place', () => {
    for (let length = 0; length < REQUEST.length; length++)
      expect(() => decodePacket(REQUEST.subarray(0, length)), `${length} octets`).toThrow(RadiusError)
  })

  it.each([0, 1, 7])('RFC 2865 §5: an attribute of Length %i is refused: it holds not itself, or more than there is', (length) => {
    const broken = RESPONSE.slice()
    broken[33] = length
    expect(() => decodePacket(broken)).toThrow(expect.objectContaining({ code: 'MALFORMED', offset: 32 }))
  })

  it('RFC 2865 §3, §5: what has no room is not sent', () => {
    const of = (...lengths: number[]): (() => Uint8Array) => {
      const attributes = lengths.map((length) => ({ type: 18, value: new Uint8Array(length) }))
      return () => encodePacket({ code: 1, identifier: 0, authenticator: new Uint8Array(16), attributes })
    }
    expect(of(253)).not.toThrow()
    expect(of(254)).toThrow(/253 fit/)
    expect(of(...Array<number>(17).fill(253))).toThrow(/4096/)
  })
})

describe('RFC 3579 §3.2 what shows who a packet is of', () => {
  const packet = {
    code: 1,
    identifier: 9,
    authenticator: new Uint8Array(16).fill(3),
    attributes: [{ type: 1, value: Buffer.from('anna') }],
  }

  it('RFC 2865 §7.1: the Response Authenticator of the example is right, and one that was changed is not', () => {
    const requestAuthenticator = REQUEST.subarray(4, 20)
    const secret = Buffer.from('xyzzy5461')
    expect(whyUnauthentic(decodePacket(RESPONSE), requestAuthenticator, secret)).toBe('it has not one Message-Authenticator')
    const changed = RESPONSE.slice()
    changed[37]! ^= 1
    expect(whyUnauthentic(decodePacket(changed), requestAuthenticator, secret)).toBe('its Response Authenticator is wrong')
  })

  it('RFC 3579 §3.2: a request has a Message-Authenticator, first of all', () => {
    const request = protectRequest(packet, SECRET)
    expect(decodePacket(request).attributes[0]!.type).toBe(80)
    expect(isAuthentic(request)).toBe(true)
    expect(isAuthentic(request, Buffer.from('another'))).toBe(false)
  })

  it('RFC 3579 §3.2: a response needs a Message-Authenticator that is right, though its Response Authenticator is', () => {
    const request = protectRequest(packet, SECRET)
    const why = (response: Uint8Array): string | undefined => whyUnauthentic(decodePacket(response), packet.authenticator, SECRET)
    expect(why(answerTo(request, 2, []))).toBeUndefined()
    expect(why(answerTo(request, 2, [], { withoutMessageAuthenticator: true }))).toMatch(/not one Message-Authenticator/)
    expect(why(answerTo(request, 2, [{ type: 80, value: new Uint8Array(16) }]))).toMatch(/not one Message-Authenticator/)
    expect(why(answerTo(request, 2, [], { secret: Buffer.from('another') }))).toMatch(/Response Authenticator/)
    expect(why(answerTo(request, 2, [{ type: 80, value: new Uint8Array(15) }], { withoutMessageAuthenticator: true }))).toMatch(
      /Message-Authenticator is wrong/,
    )
  })

  it.each([15, 16, 32])('RFC 2548 §2.4.2: a key of %i octets comes out as it went in', (length) => {
    const request = protectRequest(packet, SECRET)
    const key = new Uint8Array(length).map((_, i) => i + 1)
    const { value } = mppeKey(request, 16, key)
    expect(revealMppeKey(value.subarray(6), packet.authenticator, SECRET)).toEqual(key)
  })

  it('RFC 2548 §2.4.2: what is no key is none', () => {
    for (const length of [0, 2, 10, 17]) expect(revealMppeKey(new Uint8Array(length), packet.authenticator, SECRET)).toBeUndefined()
    const { value } = mppeKey(protectRequest(packet, SECRET), 16, new Uint8Array(32))
    expect(
      revealMppeKey(value.subarray(6), packet.authenticator, Buffer.from('with a key length of more than there is'))?.length ?? 0,
    ).not.toBe(32)
  })
})
