import { ExchangeType, NotifyType, notify, type Payload, ProtocolId } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { selectorsOfSubnets } from '../../src/ike/traffic-selectors.ts'
import { u32 } from '../../src/octets.ts'
import { MeddledPair } from '../meddler.ts'

const NONCE: Payload = { type: 'Nonce', data: new Uint8Array(32).fill(3) }
const SA: Payload = {
  type: 'SA',
  proposals: [
    {
      number: 1,
      protocol: ProtocolId.ESP,
      spi: u32(0x1234),
      transforms: [
        { type: 1, id: 20, keyLength: 256 },
        { type: 5, id: 0 },
      ],
    },
  ],
}
const TS: Payload[] = [
  { type: 'TSi', selectors: selectorsOfSubnets(['10.8.0.10']) },
  { type: 'TSr', selectors: selectorsOfSubnets(['10.2.0.0/24']) },
]

describe('RFC 7296 §1.3 CREATE_CHILD_SA, which is not offered', () => {
  it('RFC 7296 §4: a further Child SA is refused with NO_ADDITIONAL_SAS, and the first goes on', () => {
    const pair = up()
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [SA, NONCE, ...TS])
    expect(pair.lastInner(pair.gateway)).toEqual([notify(NotifyType.NO_ADDITIONAL_SAS)])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §4: so is a rekey of the IKE SA', () => {
    const pair = up()
    const ike: Payload = {
      type: 'SA',
      proposals: [{ number: 1, protocol: ProtocolId.IKE, spi: new Uint8Array(8).fill(1), transforms: [] }],
    }
    pair.sayAs(pair.client, ExchangeType.CREATE_CHILD_SA, [ike, NONCE, { type: 'KE', method: 31, data: new Uint8Array(32).fill(9) }])
    expect(pair.lastInner(pair.gateway)).toEqual([notify(NotifyType.NO_ADDITIONAL_SAS)])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §4: and a rekey of the Child SA, named by the SPI of who asks; by either end', () => {
    const pair = up()
    for (const from of [pair.client, pair.gateway]) {
      const spi = u32([...from.core.sad.keys()][0]!)
      pair.sayAs(from, ExchangeType.CREATE_CHILD_SA, [
        notify(NotifyType.REKEY_SA, undefined, { protocol: ProtocolId.ESP, spi }),
        SA,
        NONCE,
        ...TS,
      ])
      expect(pair.lastInner(pair.other(from))).toEqual([notify(NotifyType.NO_ADDITIONAL_SAS)])
    }
    expect(pair.passesTraffic()).toBe(true)
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

function up(): MeddledPair {
  const pair = new MeddledPair()
  pair.connect()
  return pair
}
