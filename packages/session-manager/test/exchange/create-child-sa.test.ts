import {
  ExchangeType,
  NotifyType,
  notify,
  type Payload,
  type PayloadOf,
  type Proposal,
  ProtocolId,
  type Transform,
} from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { ikeOffer } from '../../src/ike/proposals.ts'
import { selectorsOfSubnets } from '../../src/ike/traffic-selectors.ts'
import { parseIkeSuite } from '../../src/index.ts'
import { u32 } from '../../src/octets.ts'
import { MeddledPair } from '../meddler.ts'

const NONCE: Payload = { type: 'Nonce', data: new Uint8Array(32).fill(3) }
const PROPOSAL: Proposal = {
  number: 1,
  protocol: ProtocolId.ESP,
  spi: u32(0x1234),
  transforms: [
    { type: 1, id: 20, keyLength: 256 },
    { type: 5, id: 0 },
  ],
}
const SA: PayloadOf<'SA'> & Payload = { type: 'SA', proposals: [PROPOSAL] }
const KE: PayloadOf<'KE'> & Payload = { type: 'KE', method: 31, data: new Uint8Array(32).fill(9) }
const TS: Payload[] = [
  { type: 'TSi', selectors: selectorsOfSubnets(['10.8.0.10']) },
  { type: 'TSr', selectors: selectorsOfSubnets(['10.2.0.0/24']) },
]

describe('RFC 7296 §1.3 CREATE_CHILD_SA, who is asked', () => {
  it('RFC 7296 §1.3.1: one more Child SA is made, and the first goes on', () => {
    const pair = up()
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [SA, NONCE, ...TS])
    expect(pair.lastInner(pair.gateway).map(({ type }) => type)).toEqual(['SA', 'Nonce', 'TSi', 'TSr'])
    expect(pair.gateway.core.sad.size).toBe(2)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §1.3.1: above limits.maxChildSasPerIkeSa it is NO_ADDITIONAL_SAS, and a rekeying is not', () => {
    const pair = new MeddledPair({ gatewayLimits: { maxChildSasPerIkeSa: 1 } })
    pair.connect()
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [SA, NONCE, ...TS])
    expect(pair.lastInner(pair.gateway)).toEqual([notify(NotifyType.NO_ADDITIONAL_SAS)])
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [rekeyOf(pair), SA, NONCE, ...TS])
    expect(pair.lastInner(pair.gateway).map(({ type }) => type)).toEqual(['SA', 'Nonce', 'TSi', 'TSr'])
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([
    ['TSi', 10, '192.0.2.0/24', '10.2.0.0/24'],
    ['TSr', 11, '10.8.0.10', '192.0.2.0/24'],
  ])('RFC 7296 §2.9 (C-19): %s beyond the policy is TS_UNACCEPTABLE, and what is within it is narrowed to', (_, __, tsi, tsr) => {
    const pair = up()
    const selectors = (first: string, second: string): Payload[] => [
      { type: 'TSi', selectors: selectorsOfSubnets([first]) },
      { type: 'TSr', selectors: selectorsOfSubnets([second]) },
    ]
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [SA, NONCE, ...selectors(tsi, tsr)])
    expect(pair.lastInner(pair.gateway)).toEqual([notify(NotifyType.TS_UNACCEPTABLE)])
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [rekeyOf(pair), SA, NONCE, ...selectors('0.0.0.0/0', '0.0.0.0/0')])
    expect(pair.lastInner(pair.gateway).slice(2)).toEqual(selectors('10.8.0.10', '10.2.0.0/24'))
  })

  it('RFC 7296 §2.7 (C-14): what is not configured is NO_PROPOSAL_CHOSEN, for a Child SA and for the IKE SA', () => {
    const pair = up()
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [
      { ...SA, proposals: [{ ...PROPOSAL, transforms: [{ type: 1, id: 3 }] }] },
      NONCE,
      ...TS,
    ])
    expect(pair.lastInner(pair.gateway)).toEqual([notify(NotifyType.NO_PROPOSAL_CHOSEN)])
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [ikeOfferOf([]), NONCE, KE])
    expect(pair.lastInner(pair.gateway)).toEqual([notify(NotifyType.NO_PROPOSAL_CHOSEN)])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §1.3.2 (C-24): without a KE of the method chosen the IKE SA is not rekeyed: INVALID_KE_PAYLOAD names it', () => {
    const pair = up()
    const [{ proposals }] = [ikeOfferOf(ikeOffer([parseIkeSuite('aes256gcm16-prfsha256-x25519')])[0]!.transforms)]
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [{ type: 'SA', proposals }, NONCE, { ...KE, method: 14 }])
    expect(pair.lastInner(pair.gateway)).toEqual([notify(NotifyType.INVALID_KE_PAYLOAD, Uint8Array.of(0, 31))])
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([
    ['the IKE SA is rekeyed', true],
    ['a Child SA is made', false],
  ])('RFC 6989 §2.5 (K-2): a public value that is none is INVALID_SYNTAX where %s', (_, isIke) => {
    const pair = up()
    const bad: Payload = { ...KE, data: new Uint8Array(32) }
    const esp: Payload = { ...SA, proposals: [{ ...PROPOSAL, transforms: [...PROPOSAL.transforms, { type: 4, id: 31 }] }] }
    const ike = ikeOfferOf(ikeOffer([parseIkeSuite('aes256gcm16-prfsha256-x25519')])[0]!.transforms)
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, isIke ? [ike, NONCE, bad] : [esp, NONCE, bad, ...TS])
    pair.settle(0)
    expect(pair.log.at(-1)!.text).toBe('HDR, SK {N(INVALID_SYNTAX)}')
  })

  it.each([15, 257])('RFC 7296 §2.10 (C-20): a nonce of %i octets is a syntax error', (length) => {
    const pair = up()
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [SA, { type: 'Nonce', data: new Uint8Array(length) }, ...TS])
    expect(pair.log.at(-1)!.text).toBe('HDR, SK {N(INVALID_SYNTAX)}')
  })

  it.each([
    ['unknown', u32(0xdeadbeef)],
    ['of no length', new Uint8Array(0)],
    ['of three octets', Uint8Array.of(1, 2, 3)],
  ])('RFC 7296 §2.25.1: a rekey of a Child SA whose SPI is %s is CHILD_SA_NOT_FOUND with that SPI', (_, spi) => {
    const pair = up()
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [
      notify(NotifyType.REKEY_SA, undefined, { protocol: ProtocolId.ESP, spi }),
      SA,
      NONCE,
      ...TS,
    ])
    expect(pair.lastInner(pair.gateway)).toEqual([notify(NotifyType.CHILD_SA_NOT_FOUND, undefined, { protocol: ProtocolId.ESP, spi })])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.25.1: a rekey of a Child SA that is being deleted is TEMPORARY_FAILURE', () => {
    const pair = up()
    const spi = u32([...pair.client.core.sad.keys()][0]!)
    pair.command(pair.gateway, { kind: 'delete-child', peer: 'road' })
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [
      notify(NotifyType.REKEY_SA, undefined, { protocol: ProtocolId.ESP, spi }),
      SA,
      NONCE,
      ...TS,
    ])
    expect(pair.lastInner(pair.gateway)).toEqual([notify(NotifyType.TEMPORARY_FAILURE)])
  })

  it('RFC 7296 §2.25.2: whatever is asked of an IKE SA that is being deleted is TEMPORARY_FAILURE', () => {
    const pair = up()
    pair.command(pair.gateway, { kind: 'terminate' })
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [SA, NONCE, ...TS])
    expect(pair.lastInner(pair.gateway)).toEqual([notify(NotifyType.TEMPORARY_FAILURE)])
  })

  it.each([
    ['SA', [NONCE, ...TS]],
    ['Nonce', [SA, ...TS]],
  ])('RFC 7296 §2.21.3: without %s it is a syntax error, which ends the IKE SA', (_, payloads) => {
    const pair = up()
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, payloads)
    expect(pair.log.at(-1)!.text).toBe('HDR, SK {N(INVALID_SYNTAX)}')
    expect(pair.gateway.core.ikeSas.size).toBe(0)
    expect(pair.gateway.core.sad.size).toBe(0)
  })
})

function rekeyOf(pair: MeddledPair): Payload {
  return notify(NotifyType.REKEY_SA, undefined, { protocol: ProtocolId.ESP, spi: u32([...pair.client.core.sad.keys()][0]!) })
}

function ikeOfferOf(transforms: readonly Transform[]): PayloadOf<'SA'> & Payload {
  return { type: 'SA', proposals: [{ number: 1, protocol: ProtocolId.IKE, spi: new Uint8Array(8).fill(1), transforms }] }
}

function up(): MeddledPair {
  const pair = new MeddledPair()
  pair.connect()
  return pair
}
