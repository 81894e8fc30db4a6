import { NotifyType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { isIkeAuth, MeddledPair, replacing } from '../meddler.ts'
import { identity, Pair, sharedKey } from '../pair.ts'

const OTHER_SECRET = Uint8Array.from('another-secret-which-does-not-fit', (character) => character.charCodeAt(0))

describe('RFC 7296 §2.4 INITIAL_CONTACT', () => {
  it('RFC 7296 §2.4: a client that has lost everything takes the place of what it was', () => {
    const pair = new Pair({ gatewayTimers: { liveness: 600_000 } })
    pair.connect()
    const first = [...pair.gateway.core.ikeSas.values()][0]!
    const reborn = pair.addClient('reborn', '192.0.2.99', { localId: identity('@client') })
    pair.command(reborn, { kind: 'initiate', peer: 'gateway' })
    pair.run(2_000, () => reborn.core.sad.size > 0)
    expect([...pair.gateway.core.ikeSas.values()]).not.toContain(first)
    expect(pair.gateway.core.ikeSas.size).toBe(1)
    expect(pair.gateway.core.sad.size).toBe(1)
    expect(pair.gateway.eventsOf('ike-sa-closed')).toMatchObject([
      {
        byPeer: true,
        ikeSa: first.id,
        reason: expect.stringMatching(/^@client came anew from 192\.0\.2\.99:\d+ \(INITIAL_CONTACT\)$/),
        cameAnew: { from: { address: '192.0.2.99' }, before: { address: pair.client.address } },
      },
    ])
    // IKE_SA_INIT and IKE_AUTH, twice; no Delete to the old one.
    expect(pair.log.filter(({ from }) => from === pair.gateway)).toHaveLength(4)
  })

  it('RFC 7296 §2.4: and gets its address again, even where the pool has no other', () => {
    const pair = new Pair({ gateway: { pool: { ranges: ['10.8.0.10'], dns: [], subnets: [] } }, gatewayTimers: { liveness: 600_000 } })
    pair.connect()
    const reborn = pair.addClient('reborn', '192.0.2.99', { localId: identity('@client') })
    pair.command(reborn, { kind: 'initiate', peer: 'gateway' })
    pair.run(2_000, () => reborn.core.sad.size > 0)
    expect(reborn.eventsOf('addresses-assigned')[0]?.addresses[0]?.address).toBe('10.8.0.10')
    expect(pair.gateway.core.pools.get('road')!.leased).toBe(1)
  })

  it('RFC 7296 §2.4: nobody else loses an SA by it, not even with an AUTH that fails', () => {
    const pair = new Pair()
    pair.connect()
    const other = pair.addClient('other', '192.0.2.99')
    const impostor = pair.addClient('impostor', '192.0.2.98', { localId: identity('@client'), auth: sharedKey(OTHER_SECRET) })
    pair.command(other, { kind: 'initiate', peer: 'gateway' })
    pair.command(impostor, { kind: 'initiate', peer: 'gateway' })
    pair.run(900)
    expect(pair.gateway.eventsOf('authentication-failed')).toHaveLength(1)
    expect(pair.gateway.eventsOf('ike-sa-closed')).toHaveLength(0)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.4: without INITIAL_CONTACT both SAs of an identity stay', () => {
    const pair = new MeddledPair()
    pair.connect()
    const second = pair.addClient('second', '192.0.2.99', { localId: identity('@client') })
    pair.meddle = (message) =>
      isIkeAuth(message, 'request')
        ? [
            pair.resealed(
              message,
              replacing('N', (notify) => (notify.notifyType === NotifyType.INITIAL_CONTACT ? undefined : notify)),
            ),
          ]
        : undefined
    pair.command(second, { kind: 'initiate', peer: 'gateway' })
    pair.run(2_000, () => second.core.sad.size > 0)
    expect(pair.gateway.core.ikeSas.size).toBe(2)
    expect(pair.gateway.core.pools.get('road')!.leased).toBe(2)
  })
})
