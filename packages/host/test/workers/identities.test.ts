import type { SessionEvent } from '@underpass/session-manager'
import { describe, expect, it } from 'vitest'
import { Identities } from '../../src/workers/identities.ts'

describe('RFC 7296 §2.4: an identity over several workers', () => {
  it('INITIAL_CONTACT in one is to be forgotten by those that have others of the identity', () => {
    const identities = new Identities(64)
    expect(identities.heed(0, established('a0', 'alice'))).toEqual([])
    expect(identities.heed(0, established('a1', 'alice'))).toEqual([])
    expect(identities.heed(2, established('b2', 'bob'))).toEqual([])
    expect(identities.heed(1, established('c1', 'alice', true))).toEqual([
      {
        worker: 0,
        command: {
          kind: 'forget',
          localSpis: ['a0', 'a1'],
          identity: 'alice',
          from: { address: '192.0.2.9', port: 4500 },
          begunMillisecondsAgo: 40,
        },
      },
    ])
  })

  it('RFC 7296 §2.16: where EAP has shown who it is, that is the identity, whatever IDi was', () => {
    const identities = new Identities(64)
    identities.heed(0, { ...established('a0', 'phone'), eapIdentity: 'anna' })
    identities.heed(0, { ...established('b0', 'phone'), eapIdentity: 'bert' })
    identities.heed(0, established('c0', 'anna'))
    expect(identities.heed(1, { ...established('a1', 'laptop', true), eapIdentity: 'anna' })).toMatchObject([
      { worker: 0, command: { localSpis: ['a0'], identity: 'anna' } },
    ])
  })

  it('not what is closed by then, nor the newcomer’s own worker, whose core has seen to it', () => {
    const identities = new Identities(64)
    identities.heed(0, established('a0', 'alice'))
    identities.heed(1, established('a1', 'alice'))
    identities.heed(0, { kind: 'ike-sa-closed', ikeSa: 'x', peer: 'people', reason: '', byPeer: true, localSpi: 'a0' })
    expect(identities.heed(1, established('b1', 'alice', true))).toEqual([])
  })

  it('RFC 7296 §2.8: rekeyed, an IKE SA goes by its new SPI', () => {
    const identities = new Identities(64)
    identities.heed(0, established('a0', 'alice'))
    const rekeyed = { kind: 'ike-sa-rekeyed', ikeSa: 'y', formerIkeSa: 'x', peer: 'people', by: 'peer' } as const
    identities.heed(0, { ...rekeyed, formerLocalSpi: 'a0', localSpi: 'r0' })
    expect(identities.heed(1, established('b1', 'alice', true))).toMatchObject([{ worker: 0, command: { localSpis: ['r0'] } }])
    identities.heed(0, { kind: 'ike-sa-closed', ikeSa: 'y', peer: 'people', reason: '', byPeer: true, localSpi: 'r0' })
    identities.heed(1, { kind: 'ike-sa-closed', ikeSa: 'z', peer: 'people', reason: '', byPeer: true, localSpi: 'b1' })
    expect(identities.heed(2, established('c2', 'alice', true))).toEqual([])
  })

  it('what is too many for all together gives way where the oldest is', () => {
    const identities = new Identities(3)
    identities.heed(1, established('a1', 'alice'))
    identities.heed(0, established('a0', 'alice'))
    expect(identities.heed(1, established('b1', 'alice'))).toEqual([])
    expect(identities.heed(0, established('b0', 'alice'))).toEqual([{ worker: 1, command: { kind: 'make-room', localSpis: ['a1', 'b1'] } }])
  })
})

function established(localSpi: string, remoteId: string, isInitialContact = false): Extract<SessionEvent, { kind: 'ike-sa-established' }> {
  return {
    kind: 'ike-sa-established',
    ikeSa: 'x',
    peer: 'people',
    role: 'responder',
    localId: '@gw',
    remoteId,
    proposal: '',
    path: { transport: 'udp', local: { address: '192.0.2.1', port: 4500 }, remote: { address: '192.0.2.9', port: 4500 } },
    localSpi,
    isInitialContact,
    begunMillisecondsAgo: 40,
  }
}
