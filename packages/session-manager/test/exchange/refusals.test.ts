import { ExchangeType, NotifyType, notify, type Payload, TransformType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { MeddledPair, rewritten } from '../meddler.ts'
import { Pair, UDP } from '../pair.ts'

describe('RFC 7296 §2.21.4 answers to what nothing protects', () => {
  it.each([
    ['NO_PROPOSAL_CHOSEN', withoutKnownPrf, 10],
    ['INVALID_SYNTAX', (payloads: readonly Payload[]) => payloads.filter((payload) => payload.type !== 'Nonce'), 10],
    ['INVALID_KE_PAYLOAD, which the initiator needs to go on,', withOtherMethod, 40],
  ] as const)('forty IKE_SA_INIT requests over UDP are answered with %s', (_name, change, answers) => {
    const { pair, request } = recorded()
    const changed = rewritten({ octets: request }, change)
    for (let port = 1; port <= 40; port++) {
      const octets = changed.slice()
      octets[7] = port
      pair.input(pair.gateway, {
        kind: 'datagram',
        local: { address: pair.gateway.address, port: 500 },
        remote: { address: '203.0.113.9', port: 1000 + port },
        message: 'ike',
        bytes: octets,
      })
    }
    expect(pair.gateway.outputs.filter((output) => output.includes('send-datagram'))).toHaveLength(answers)
    expect(pair.counter(pair.gateway, 'ike-init-refused')).toBe(40)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
  })
})

describe('RFC 7296 §2.21.2 an initiator that could not take the IKE_AUTH response', () => {
  it.each([NotifyType.INVALID_SYNTAX, NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD])(
    'notify %i in the INFORMATIONAL right behind it ends the IKE SA, without a Delete',
    (notifyType) => {
      const pair = new MeddledPair()
      pair.connect()
      pair.deliverIke(pair.gateway, pair.forge(pair.client, ExchangeType.INFORMATIONAL, [notify(notifyType)]))
      expect(pair.log.at(-1)!.text).toBe('HDR, SK {}')
      expect(pair.gateway.eventsOf('ike-sa-closed')).toMatchObject([{ byPeer: true }])
    },
  )

  it('later it is no more than a word', () => {
    const pair = new MeddledPair()
    pair.connect()
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [])
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [notify(NotifyType.INVALID_SYNTAX)])
    expect(pair.gateway.core.ikeSas.size).toBe(1)
  })
})

/** A gateway that nobody talked to yet, and an IKE_SA_INIT request for it. */
function recorded(): { pair: Pair; request: Uint8Array } {
  const other = new Pair({ transports: [UDP] })
  other.connect()
  return { pair: new Pair({ transports: [UDP] }), request: other.log[0]!.octets }
}

function withoutKnownPrf(payloads: readonly Payload[]): Payload[] {
  return payloads.map((payload) =>
    payload.type === 'SA'
      ? {
          ...payload,
          proposals: payload.proposals.map((proposal) => ({
            ...proposal,
            transforms: proposal.transforms.map((transform) =>
              transform.type === TransformType.PRF ? { ...transform, id: 60_000 } : transform,
            ),
          })),
        }
      : payload,
  )
}

function withOtherMethod(payloads: readonly Payload[]): Payload[] {
  return payloads.map((payload) => (payload.type === 'KE' ? { ...payload, method: 60_000 } : payload))
}
