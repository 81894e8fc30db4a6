import { type Payload, PayloadType } from '../src/index.ts'
import { ascii, octets } from './octets.ts'

/** A payload beside the octets that the RFC's diagram gives for it, composed by hand; Next Payload is 0. */
export interface Golden {
  readonly title: string
  readonly payload: Payload
  readonly octets: Uint8Array
}

export function payloadTypeOf(payload: Payload): number {
  return payload.type === 'unknown' ? payload.payloadType : PayloadType[payload.type]
}

const none = new Uint8Array()

export const golden: readonly Golden[] = [
  {
    title: 'RFC 7296 §3.3 SA without proposals',
    payload: { type: 'SA', proposals: [] },
    octets: octets('00 00 0004'),
  },
  {
    title: 'RFC 7296 §3.3 SA, one proposal for IKE',
    payload: {
      type: 'SA',
      proposals: [
        {
          number: 1,
          protocol: 1,
          spi: none,
          transforms: [
            { type: 1, id: 20, keyLength: 256 },
            { type: 2, id: 5 },
            { type: 4, id: 31 },
          ],
        },
      ],
    },
    octets: octets(`
      00 00 0028
      00 00 0024  01 01 00 03
        03 00 000c  01 00 0014  800e 0100
        03 00 0008  02 00 0005
        00 00 0008  04 00 001f`),
  },
  {
    title: 'RFC 7296 §3.3 SA, the two ESP proposals that the section illustrates',
    payload: {
      type: 'SA',
      proposals: [
        {
          number: 1,
          protocol: 3,
          spi: octets('052357bb'),
          transforms: [
            { type: 1, id: 12, keyLength: 128 },
            { type: 1, id: 12, keyLength: 192 },
            { type: 1, id: 12, keyLength: 256 },
            { type: 3, id: 2 },
            { type: 3, id: 5 },
            { type: 5, id: 1 },
            { type: 5, id: 0 },
          ],
        },
        {
          number: 2,
          protocol: 3,
          spi: octets('35a1d6f2'),
          transforms: [
            { type: 1, id: 18, keyLength: 128 },
            { type: 1, id: 18, keyLength: 256 },
            { type: 5, id: 1 },
            { type: 5, id: 0 },
          ],
        },
      ],
    },
    octets: octets(`
      00 00 0088
      02 00 0050  01 03 04 07  052357bb
        03 00 000c  01 00 000c  800e 0080
        03 00 000c  01 00 000c  800e 00c0
        03 00 000c  01 00 000c  800e 0100
        03 00 0008  03 00 0002
        03 00 0008  03 00 0005
        03 00 0008  05 00 0001
        00 00 0008  05 00 0000
      00 00 0034  02 03 04 04  35a1d6f2
        03 00 000c  01 00 0012  800e 0080
        03 00 000c  01 00 0012  800e 0100
        03 00 0008  05 00 0001
        00 00 0008  05 00 0000`),
  },
  {
    title: 'RFC 7296 §3.3.5 SA with a Key Length and attributes in both formats',
    payload: {
      type: 'SA',
      proposals: [
        {
          number: 1,
          protocol: 3,
          spi: octets('01020304'),
          transforms: [
            {
              type: 1,
              id: 0xfff0,
              keyLength: 192,
              attributes: [
                { type: 0x7fff, value: 0xbeef },
                { type: 99, value: octets('aabbcc') },
                { type: 100, value: none },
              ],
            },
          ],
        },
      ],
    },
    octets: octets(`
      00 00 002b
      00 00 0027  01 03 04 01  01020304
        00 00 001b  01 00 fff0  800e 00c0  ffff beef  0063 0003 aabbcc  0064 0000`),
  },
  {
    title: 'RFC 7296 §3.4 KE without data',
    payload: { type: 'KE', method: 0, data: none },
    octets: octets('00 00 0008  0000 0000'),
  },
  {
    title: 'RFC 7296 §3.4 KE, Curve25519',
    payload: { type: 'KE', method: 31, data: octets('48d5ddd4061257ba166fa3f9bbdb74f1a4e81c089384fa77f790709f0dfbc766') },
    octets: octets('00 00 0028  001f 0000  48d5ddd4061257ba166fa3f9bbdb74f1a4e81c089384fa77f790709f0dfbc766'),
  },
  {
    title: 'RFC 7619 §3.1 IDi, ID_NULL',
    payload: { type: 'IDi', idType: 13, data: none },
    octets: octets('00 00 0008  0d 000000'),
  },
  {
    title: 'RFC 7296 §3.5 IDr, FQDN',
    payload: { type: 'IDr', idType: 2, data: ascii('gw.example') },
    octets: octets('00 00 0012  02 000000  67772e6578616d706c65'),
  },
  {
    title: 'RFC 7296 §3.6 CERT, empty',
    payload: { type: 'CERT', encoding: 4, data: none },
    octets: octets('00 00 0005  04'),
  },
  {
    title: 'RFC 7296 §3.6 CERT, Hash and URL',
    payload: { type: 'CERT', encoding: 12, data: octets('000102030405060708090a0b0c0d0e0f10111213 687474703a2f2f61') },
    octets: octets('00 00 0021  0c  000102030405060708090a0b0c0d0e0f10111213 687474703a2f2f61'),
  },
  {
    title: 'RFC 7296 §3.7 CERTREQ, one authority',
    payload: { type: 'CERTREQ', encoding: 4, authorities: octets('00112233445566778899aabbccddeeff00112233') },
    octets: octets('00 00 0019  04  00112233445566778899aabbccddeeff00112233'),
  },
  {
    title: 'RFC 7296 §3.8 AUTH, shared key',
    payload: { type: 'AUTH', method: 2, data: octets('deadbeef') },
    octets: octets('00 00 000c  02 000000  deadbeef'),
  },
  {
    title: 'RFC 7296 §3.9 Nonce of 16 octets',
    payload: { type: 'Nonce', data: octets('000102030405060708090a0b0c0d0e0f') },
    octets: octets('00 00 0014  000102030405060708090a0b0c0d0e0f'),
  },
  {
    title: 'RFC 7296 §3.10 N without SPI and data',
    payload: { type: 'N', protocol: 0, spi: none, notifyType: 16396, data: none },
    octets: octets('00 00 0008  00 00 400c'),
  },
  {
    title: 'RFC 7296 §3.10 N, REKEY_SA with an SPI',
    payload: { type: 'N', protocol: 3, spi: octets('c0ffee01'), notifyType: 16393, data: none },
    octets: octets('00 00 000c  03 04 4009  c0ffee01'),
  },
  {
    title: 'RFC 7296 §3.10 N, INVALID_SELECTORS with an SPI and data',
    payload: { type: 'N', protocol: 3, spi: octets('c0ffee01'), notifyType: 39, data: octets('4500') },
    octets: octets('00 00 000e  03 04 0027  c0ffee01 4500'),
  },
  {
    title: 'RFC 7296 §3.11 D of the IKE SA',
    payload: { type: 'D', protocol: 1, spis: [] },
    octets: octets('00 00 0008  01 00 0000'),
  },
  {
    title: 'RFC 7296 §3.11 D of two ESP SAs',
    payload: { type: 'D', protocol: 3, spis: [octets('01020304'), octets('05060708')] },
    octets: octets('00 00 0010  03 04 0002  01020304 05060708'),
  },
  {
    title: 'RFC 7296 §3.12 V',
    payload: { type: 'V', data: octets('4048b7d56ebce88525e7de7f00d6c2d3') },
    octets: octets('00 00 0014  4048b7d56ebce88525e7de7f00d6c2d3'),
  },
  {
    title: 'RFC 7296 §3.13 TSi, any IPv4',
    payload: {
      type: 'TSi',
      selectors: [
        { tsType: 7, ipProtocol: 0, startPort: 0, endPort: 65535, startAddress: octets('00000000'), endAddress: octets('ffffffff') },
      ],
    },
    octets: octets('00 00 0018  01 000000  07 00 0010  0000 ffff  00000000 ffffffff'),
  },
  {
    title: 'RFC 7296 §3.13 TSr, IPv4, IPv6 and a security label',
    payload: {
      type: 'TSr',
      selectors: [
        { tsType: 7, ipProtocol: 17, startPort: 100, endPort: 100, startAddress: octets('c6336442'), endAddress: octets('c6336442') },
        {
          tsType: 8,
          ipProtocol: 58,
          startPort: 0x8000,
          endPort: 0x80ff,
          startAddress: octets('20010db8000000000000000000000000'),
          endAddress: octets('20010db8ffffffffffffffffffffffff'),
        },
        { tsType: 10, body: ascii('s0') },
        { tsType: 200, secondOctet: 0x5a, body: none },
      ],
    },
    octets: octets(`
      00 00 004a  04 000000
      07 11 0010  0064 0064  c6336442 c6336442
      08 3a 0028  8000 80ff  20010db8000000000000000000000000 20010db8ffffffffffffffffffffffff
      0a 00 0006  7330
      c8 5a 0004`),
  },
  {
    title: 'RFC 7296 §3.15 CP, an empty CFG_ACK',
    payload: { type: 'CP', cfgType: 4, attributes: [] },
    octets: octets('00 00 0008  04 000000'),
  },
  {
    title: 'RFC 7296 §3.15 CP, a CFG_REPLY',
    payload: {
      type: 'CP',
      cfgType: 2,
      attributes: [
        { type: 1, value: octets('0a000002') },
        { type: 3, value: none },
        { type: 8, value: octets('20010db800000000000000000000000240') },
      ],
    },
    octets: octets(`
      00 00 0029  02 000000
      0001 0004 0a000002
      0003 0000
      0008 0011 20010db800000000000000000000000240`),
  },
  {
    title: 'RFC 7296 §3.16 EAP Success',
    payload: { type: 'EAP', code: 3, identifier: 7, data: none },
    octets: octets('00 00 0008  03 07 0004'),
  },
  {
    title: 'RFC 7296 §3.16 EAP Response, Identity',
    payload: { type: 'EAP', code: 2, identifier: 1, eapType: 1, data: ascii('user') },
    octets: octets('00 00 000d  02 01 0009  01 75736572'),
  },
  {
    title: 'RFC 3748 §4 EAP with a code that RFC 7296 does not have',
    payload: { type: 'EAP', code: 5, identifier: 1, data: octets('0100') },
    octets: octets('00 00 000a  05 01 0006  0100'),
  },
  {
    title: 'RFC 8019 §8.2 PS, four keys',
    payload: { type: 'PS', solutions: octets('00000001 00000002 00000003 00000004') },
    octets: octets('00 00 0014  00000001 00000002 00000003 00000004'),
  },
  {
    title: 'RFC 7296 §2.5 an unknown payload',
    payload: { type: 'unknown', payloadType: 200, body: octets('0102') },
    octets: octets('00 00 0006  0102'),
  },
  {
    title: 'RFC 7296 §2.5 an unknown critical payload, empty',
    payload: { critical: true, type: 'unknown', payloadType: 255, body: none },
    octets: octets('00 80 0004'),
  },
  {
    title: 'RFC 7296 §3.2 a known payload with the critical bit',
    payload: { critical: true, type: 'V', data: octets('aa') },
    octets: octets('00 80 0005  aa'),
  },
]
