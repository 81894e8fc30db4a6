import {
  decodeHeader,
  decodeMessage,
  ExchangeType,
  encodePayloads,
  HeaderFlag,
  NotifyType,
  notify,
  type Payload,
} from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { openMessage, type Protection, protectionFor, sealMessage } from '../../src/ike/protection.ts'
import { parseIkeSuite } from '../../src/index.ts'
import { sealRaw } from '../meddler.ts'
import { seededRandom } from '../network.ts'

const HEADER = { initiatorSpi: 1n, responderSpi: 2n, exchangeType: ExchangeType.INFORMATIONAL, flags: HeaderFlag.INITIATOR, messageId: 5 }
const SUITES = [
  'aes256gcm16-prfsha256-x25519',
  'aes128ccm12-prfsha256-x25519',
  'chacha20poly1305-prfsha256-x25519',
  'aes256-sha256-x25519',
  'aes128-sha512-x25519',
]
const PAYLOADS: Payload[] = [notify(NotifyType.INITIAL_CONTACT), { type: 'Nonce', data: new Uint8Array(17).fill(9) }]

describe.each(SUITES)('RFC 7296 §3.14 the Encrypted payload with %s', (text) => {
  it('RFC 7296 §3.14 (C-31): opens what it sealed; SK is last and alone', () => {
    const octets = sealMessage(protection(text), HEADER, PAYLOADS, seededRandom('iv'))
    const message = decodeMessage(octets)
    expect(message.payloads.map((payload) => payload.type)).toEqual(['SK'])
    expect(innerOf(protection(text), octets)).toEqual(PAYLOADS)
  })

  it('RFC 7296 §3.14 (C-31): no octet of the message can change', () => {
    const octets = sealMessage(protection(text), HEADER, PAYLOADS, seededRandom('iv'))
    const keys = protection(text)
    for (let at = 0; at < octets.length; at++) {
      const forged = octets.slice()
      forged[at]! ^= 0x40
      expect(resultOf(keys, forged), `octet ${at}`).not.toBe('authenticated')
    }
  })

  it('RFC 7296 §3.14 (C-31): a message is not taken for one of the other direction', () => {
    const octets = sealMessage(protection(text), HEADER, PAYLOADS, seededRandom('iv'))
    octets[19] = 0
    expect(resultOf(protection(text), octets)).toBe('unauthentic')
  })

  it('RFC 7296 §3.14 (C-31): accepts any length of padding and does not look at its content', () => {
    const keys = protection(text)
    const inner = encodePayloads(PAYLOADS)
    for (let pad = 0; pad <= 255; pad++) {
      const isWhole = keys.cipher.blockLength <= 1 || (inner.bytes.length + pad + 1) % keys.cipher.blockLength === 0
      if (isWhole) expect(innerOf(keys, sealRaw(keys, HEADER, inner, pad)), `${pad} octets`).toEqual(PAYLOADS)
    }
  })

  it('RFC 7296 §3.14: a Pad Length longer than what is there is a syntax error, not a crash', () => {
    const keys = protection(text)
    const size = keys.cipher.blockLength <= 1 ? 16 : keys.cipher.blockLength
    const octets = sealRaw(keys, HEADER, { firstPayload: 0, bytes: new Uint8Array(size - 1) }, 0, 200)
    expect(resultOf(keys, octets)).toBe('syntax-error')
  })

  it('RFC 7296 §3.14 (C-31): no two messages have the same IV', () => {
    const keys = protection(text)
    const random = seededRandom('iv')
    const ivs = new Set<string>()
    for (let messageId = 0; messageId < 200; messageId++) {
      const body = bodyOf(sealMessage(keys, { ...HEADER, messageId }, PAYLOADS, random))
      ivs.add(body.subarray(0, keys.cipher.ivLength).join())
    }
    expect(ivs.size).toBe(200)
  })

  it('RFC 7296 §3.14: each truncation of a sealed message is refused quietly', () => {
    const keys = protection(text)
    const octets = sealMessage(keys, HEADER, PAYLOADS, seededRandom('iv'))
    for (let length = 32; length < octets.length; length++) {
      const cut = octets.slice(0, length)
      cut.set([0, 0, length >> 8, length & 0xff], 24)
      cut.set([(length - 28) >> 8, (length - 28) & 0xff], 30)
      expect(resultOf(keys, cut), `${length} octets`).toBe('unauthentic')
    }
  })
})

it('RFC 7296 §3.14 (C-31): what stands outside SK is not taken for the content of SK', () => {
  const keys = protection(SUITES[0]!)
  const octets = sealMessage(keys, HEADER, PAYLOADS, seededRandom('iv'))
  const opened = openMessage(keys, octets, decodeMessage(octets))
  expect(opened.kind === 'authenticated' && opened.message.clear).toEqual([])
})

it('RFC 5282 §8 (C-35): AES-CBC without integrity makes no protection', () => {
  const suite = { ...parseIkeSuite('aes256-sha256-x25519'), integrity: undefined }
  const nonce = new Uint8Array(32)
  expect(() => protectionFor(suite, nonce, nonce, nonce, 1n, 2n)).toThrow(/no cipher/)
})

function protection(text: string): Protection {
  const octets = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
  return protectionFor(parseIkeSuite(text), octets(1), octets(2), octets(3), 1n, 2n)
}

function resultOf(keys: Protection, octets: Uint8Array): string {
  try {
    decodeHeader(octets)
    return openMessage(keys, octets, decodeMessage(octets)).kind
  } catch (error) {
    expect((error as Error).name).toBe('CodecError')
    return 'undecodable'
  }
}

function innerOf(keys: Protection, octets: Uint8Array): readonly Payload[] {
  const opened = openMessage(keys, octets, decodeMessage(octets))
  if (opened.kind !== 'authenticated') throw new Error(opened.kind)
  return opened.message.inner
}

function bodyOf(octets: Uint8Array): Uint8Array {
  const sk = decodeMessage(octets).payloads.at(-1)
  if (sk?.type !== 'SK') throw new Error('no SK')
  return sk.body
}
