import { ExchangeType, NotifyType, notify } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { sendRequest } from '../../src/ike/transmission.ts'
import { change, spisOf, transportOf, up } from '../moving.ts'

describe('RFC 4555 §3.4: additional addresses of the responder', () => {
  it.each([
    ['198.51.100.2', 'N(ADDITIONAL_IP4_ADDRESS)'],
    ['2001:db8::2', 'N(ADDITIONAL_IP6_ADDRESS)'],
  ])('RFC 4555 §3.5 (T-MOB-1): %s is moved to when the first leads nowhere, with the same SAs', (other, notify) => {
    const pair = up({ gateway: { additionalAddresses: [other] } })
    expect(pair.transcript().some((text) => text.startsWith('R → I') && text.includes(`N(MOBIKE_SUPPORTED), ${notify}`))).toBe(true)
    const spis = spisOf(pair)
    pair.gateway.address = other
    change(pair, 5_000)
    expect(transportOf(pair)).toBe('udp')
    expect(pair.saOf(pair.client).path).toMatchObject({ remote: { address: other, port: 4500 } })
    expect(pair.client.eventsOf('transport-chosen').at(-1)!.transport).toBe(`udp:500 at ${other}`)
    expect(spisOf(pair)).toEqual(spis)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 4555 §3.5: and by a stream, where UDP is blocked there, too', () => {
    const pair = up({ gateway: { additionalAddresses: ['198.51.100.2'] } })
    Object.assign(pair.gateway, { address: '198.51.100.2' })
    pair.link.isUdpBlocked = true
    change(pair, 10_000)
    expect(transportOf(pair)).toBe('tcp')
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 4555 §3.6: those that it names later are as good', () => {
    const pair = up({ gateway: { additionalAddresses: [] } })
    const payloads = [notify(NotifyType.ADDITIONAL_IP4_ADDRESS, Uint8Array.of(198, 51, 100, 3))]
    const plan = { purpose: 'liveness', exchangeType: ExchangeType.INFORMATIONAL, payloads } as const
    sendRequest(pair.gateway.core, pair.saOf(pair.gateway), plan)
    expect(pair.client.eventsOf('additional-addresses')).toEqual([])
    pair.input(pair.gateway, { kind: 'timeout' })
    pair.settle()
    expect(pair.client.eventsOf('additional-addresses')).toMatchObject([{ peer: 'gateway', addresses: ['198.51.100.3'] }])
    pair.gateway.address = '198.51.100.3'
    change(pair, 5_000)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 4555 §3.4: whoever keeps the ways of the host hears of them, and once where the next IKE SA has the same', () => {
    const pair = up({ gateway: { additionalAddresses: ['198.51.100.2', '2001:db8::2'] } })
    const said = (): (readonly string[])[] => pair.client.eventsOf('additional-addresses').map(({ addresses }) => addresses)
    expect(said()).toEqual([['198.51.100.2', '2001:db8::2']])
    pair.command(pair.client, { kind: 'terminate' })
    pair.settle(3_000)
    pair.connect()
    expect(said()).toHaveLength(1)
  })

  it('RFC 4555 §3.4: with none a gateway names none', () => {
    expect(
      up()
        .transcript()
        .filter((text) => text.includes('ADDITIONAL')),
    ).toEqual([])
  })
})
