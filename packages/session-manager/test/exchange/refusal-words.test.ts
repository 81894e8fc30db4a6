import { describe, expect, it } from 'vitest'
import { parseEspSuite, parseIkeSuite } from '../../src/index.ts'
import { identity, Pair, sharedKey, TCP, UDP } from '../pair.ts'

const SLOW = { retry: 60_000 } as const
const SECRET = 'my-own-secret-that-nobody-else-has'

describe('RFC 7296 §2.21 what a responder says of a handshake that it refused', () => {
  it.each([
    ['UDP', UDP],
    ['TCP', TCP],
  ])(
    'RFC 7296 §2.21.1: no common algorithms over %s: who, what was offered, what is configured; once for all repetitions',
    (_, transport) => {
      const pair = new Pair({
        transports: [transport],
        client: { ikeProposals: [parseIkeSuite('aes128-sha256-modp2048')] },
        gateway: { ikeProposals: [parseIkeSuite('aes256gcm16-prfsha384-ecp384')] },
        clientTimers: SLOW,
      })
      pair.initiate()
      pair.run(10_000)
      expect(pair.gateway.eventsOf('handshake-failed')).toMatchObject([
        {
          peer: '',
          notify: 'NO_PROPOSAL_CHOSEN',
          detail: 'no common algorithms: offered aes128-sha256-modp2048, configured aes256gcm16-prfsha384-ecp384',
          remote: { address: pair.client.address },
        },
      ])
    },
  )

  it('RFC 7296 §1.2: another group of one offer is asked for, and that is no refusal', () => {
    const pair = new Pair({
      client: { ikeProposals: ['aes256gcm16-prfsha256-x25519', 'aes256gcm16-prfsha256-ecp256'].map(parseIkeSuite) },
      gateway: { ikeProposals: [parseIkeSuite('aes256gcm16-prfsha256-ecp256')] },
    })
    pair.connect()
    expect(pair.gateway.eventsOf('handshake-failed')).toEqual([])
  })

  it('of forty refused in one second ten are told', () => {
    const pair = new Pair({ gateway: { ikeProposals: [parseIkeSuite('aes256gcm16-prfsha384-ecp384')] } })
    const proposals = [parseIkeSuite('aes128-sha256-modp2048')]
    for (let i = 0; i < 40; i++)
      pair.command(pair.addClient(`c${i}`, `203.0.113.${i}`, { ikeProposals: proposals }), { kind: 'initiate', peer: 'gateway' })
    pair.run(900)
    expect(pair.counter(pair.gateway, 'ike-init-refused')).toBeGreaterThanOrEqual(40)
    expect(pair.gateway.eventsOf('handshake-failed')).toHaveLength(10)
  })

  it('RFC 7296 §2.21.2: an unknown identity and a wrong key, each with its address and without any secret', () => {
    const pair = new Pair({ gateway: { remoteId: identity('@client') }, clientTimers: SLOW })
    const psk = Uint8Array.from(SECRET, (character) => character.charCodeAt(0))
    const stranger = pair.addClient('stranger', '192.0.2.98', { localId: identity('@stranger') })
    const impostor = pair.addClient('impostor', '192.0.2.99', { localId: identity('@client'), auth: sharedKey(psk) })
    for (const node of [stranger, impostor]) pair.command(node, { kind: 'initiate', peer: 'gateway' })
    pair.run(900)
    const told = pair.gateway.eventsOf('authentication-failed')
    expect(told).toMatchObject([
      { remoteId: '@stranger', remote: { address: '192.0.2.98' }, detail: 'no connection of the configuration is for this identity' },
      { remoteId: '@client', remote: { address: '192.0.2.99' }, detail: expect.stringMatching(/the two ends have different keys/) },
    ])
    expect(JSON.stringify(told)).not.toContain(SECRET)
  })

  it('RFC 7296 §2.9 (C-19): selectors that do not meet: what was asked for and what is configured', () => {
    const pair = new Pair({ client: { remoteSubnets: ['10.77.0.0/24'] }, gateway: { localSubnets: ['10.2.0.0/24'] }, clientTimers: SLOW })
    pair.initiate()
    pair.run(2_000)
    expect(pair.gateway.eventsOf('handshake-failed')).toMatchObject([
      {
        peer: 'road',
        notify: 'TS_UNACCEPTABLE',
        detail: '@client: the traffic selectors of our side do not meet: asked for 10.77.0.0/24, configured 10.2.0.0/24',
        remote: { address: pair.client.address },
      },
    ])
  })

  it('RFC 7296 §2.7: no common algorithms for ESP', () => {
    const pair = new Pair({
      client: { espProposals: [parseEspSuite('aes128-sha256')] },
      gateway: { espProposals: ['aes256gcm16', 'chacha20poly1305'].map(parseEspSuite) },
      clientTimers: SLOW,
    })
    pair.initiate()
    pair.run(2_000)
    expect(pair.gateway.eventsOf('handshake-failed')).toMatchObject([
      { detail: '@client: no common algorithms for ESP: offered aes128-sha256, configured aes256gcm16, chacha20poly1305' },
    ])
  })

  it('RFC 7296 §2.4 (C-8): a datagram that did not get there is told where no other transport is left, and cuts nothing short', () => {
    const pair = new Pair({ transports: [UDP], link: { isUdpRefused: true }, clientTimers: { ...SLOW, handshake: 5_000 } })
    pair.initiate()
    pair.run(10_000)
    expect(pair.client.eventsOf('transport-failed')).toMatchObject([
      { afterMilliseconds: 5_000, reason: expect.stringMatching(/^no answer to IKE_SA_INIT, and a datagram did not get there: /) },
    ])
  })
})
