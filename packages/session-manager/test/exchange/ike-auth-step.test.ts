import { NotifyType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import type { IkeSa } from '../../src/ike/ike-sa.ts'
import { isIkeAuth, MeddledPair, replacing } from '../meddler.ts'
import type { Node } from '../network.ts'
import { Pair, type PairOptions } from '../pair.ts'

describe('RFC 7296 §1.2 an IKE_AUTH handler answers a step, and changes nothing by itself', () => {
  it('§2.15: a responder that fails half way leaves its IKE SA, the address pool and the other IKE SAs as they were', () => {
    const pair = pairWithoutInitialContact({ gatewayLimits: { maxIkeSasPerIdentity: 1 } })
    pair.connect()
    const [first] = pair.gateway.core.ikeSas.values()
    pair.client.isFrozen = true
    const restarted = pair.addClient('restarted', '192.0.2.11', { localId: pair.saOf(pair.client).peer!.localId })
    const before = pictureOf(first!)
    failsToMakeKeys(pair.gateway)
    pair.command(restarted, { kind: 'initiate', peer: 'gateway' })
    expect(() => pair.run(1_000)).toThrow('out of memory')
    const second = [...pair.gateway.core.ikeSas.values()].find((sa) => sa !== first)!
    expect(pictureOf(second)).toEqual({ ...UNTOUCHED, state: 'IKE_SA_INIT_ANSWERED' })
    expect(pictureOf(first!)).toEqual(before)
    expect(pair.gateway.core.pools.get('road')!.leased).toBe(1)
    expect(pair.gateway.eventsOf('limit-reached')).toEqual([])
  })

  it('§2.15: an initiator that fails half way leaves its IKE SA as it was', () => {
    const pair = new Pair()
    failsToMakeKeys(pair.client)
    pair.initiate()
    expect(() => pair.run(1_000)).toThrow('out of memory')
    expect(pictureOf(pair.saOf(pair.client))).toEqual({ ...UNTOUCHED, peer: 'gateway', state: 'IKE_AUTH_SENT' })
    expect(pair.client.eventsOf('addresses-assigned')).toEqual([])
  })

  it('§2.19: where the Child SA is refused no address is kept, though the IKE SA stands', () => {
    const pair = new Pair({ client: { remoteSubnets: ['10.77.0.0/24'] }, clientTimers: { retry: 60_000 } })
    pair.initiate()
    pair.run(30, () => pair.gateway.eventsOf('ike-sa-established').length > 0)
    pair.run(200, () => pair.gateway.eventsOf('handshake-failed').length > 0)
    expect(pair.gateway.eventsOf('handshake-failed')).toMatchObject([{ notify: 'TS_UNACCEPTABLE' }])
    expect(pictureOf(pair.saOf(pair.gateway))).toMatchObject({ peer: 'road', state: 'ESTABLISHED', addresses: [], leases: [] })
    expect(pair.gateway.core.pools.get('road')!.leased).toBe(0)
  })

  it('§2.19: the address of one that gives way for its successor is the successor’s', () => {
    const pair = pairWithoutInitialContact({ gatewayLimits: { maxIkeSasPerIdentity: 1 } })
    pair.connect()
    const had = pair.saOf(pair.gateway).addresses
    pair.cut(pair.pipe, 'reset', pair.gateway)
    const restarted = pair.addClient('restarted', '192.0.2.11', { localId: pair.saOf(pair.client).peer!.localId })
    pair.command(restarted, { kind: 'initiate', peer: 'gateway' })
    pair.run(1_000, () => restarted.core.sad.size > 0)
    expect(pair.saOf(pair.gateway)).toMatchObject({ addresses: had })
    expect(pair.gateway.core.pools.get('road')!.leased).toBe(1)
  })
})

const UNTOUCHED = { peer: undefined, remoteId: undefined, isMobike: false, addresses: [], leases: [], children: 0 }

function pictureOf(sa: IkeSa): Record<string, unknown> {
  const { peer, remoteId, isMobike, addresses, leases, children, state } = sa
  return { peer: peer?.name, remoteId, isMobike, addresses, leases: [...leases], children: children.size, state: state.kind }
}

/** The last thing that an IKE_AUTH handler does before it answers its step is to make the ciphers of the Child SA. */
function failsToMakeKeys(node: Node): void {
  const { aeadProvider } = node.core.config
  Object.assign(node.core.config, {
    aeadProvider: {
      ...aeadProvider,
      supports: aeadProvider.supports.bind(aeadProvider),
      create() {
        throw new Error('out of memory')
      },
    },
  })
}

/** Otherwise a second IKE SA of one identity takes the place of the first. */
function pairWithoutInitialContact(options: PairOptions): Pair {
  const pair = new MeddledPair(options)
  const withoutIt = replacing('N', (notify) => (notify.notifyType === NotifyType.INITIAL_CONTACT ? undefined : notify))
  pair.meddle = (message) => (isIkeAuth(message, 'request') ? [pair.resealed(message, withoutIt)] : undefined)
  return pair
}
