import { AuthMethod, IdType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { hex } from '../../src/octets.ts'
import { isIkeAuth, MeddledPair, replacing } from '../meddler.ts'
import type { Node } from '../network.ts'
import { clientPeer, gatewayPeer, identity, Pair, SECRET, sessionConfig, sharedKey, TCP, UDP } from '../pair.ts'

const octets = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))
const OTHER_SECRET = octets('another-secret-which-does-not-fit')

describe.each([
  ['TCP', TCP],
  ['UDP', UDP],
])('RFC 7296 §2.21.2 psk-mismatch over %s', (_, transport) => {
  const connect = (): Pair => {
    const pair = new Pair({ transports: [transport], gateway: { auth: sharedKey(OTHER_SECRET) }, clientTimers: { retry: 60_000 } })
    pair.initiate()
    pair.run(5_000)
    return pair
  }

  it('RFC 7296 §2.21.2 (C-26): the responder answers AUTHENTICATION_FAILED alone, inside SK', () => {
    expect(connect().transcript().at(-1)).toBe('R → I  HDR, SK {N(AUTHENTICATION_FAILED)}')
  })

  it('RFC 7296 §2.21.2: each end tells it once, naming both identities', () => {
    const pair = connect()
    expect(pair.client.eventsOf('authentication-failed')).toMatchObject([{ localId: '@client', remoteId: '@gw' }])
    expect(pair.gateway.eventsOf('authentication-failed')).toMatchObject([{ localId: '@gw', remoteId: '@client' }])
    expect(pair.gateway.eventsOf('authentication-failed')[0]!.detail).toMatch(/different keys/)
  })

  it('RFC 7296 §2.21.2: no IKE SA and no Child SA are left on either side', () => {
    const pair = connect()
    // Over UDP the gateway stands by to repeat its answer until the handshake's time is over.
    pair.run(30_000)
    for (const node of [pair.client, pair.gateway]) {
      expect(node.core.ikeSas.size).toBe(0)
      expect(node.core.sad.size).toBe(0)
      expect(node.core.inspect(pair.now).halfOpen).toBe(0)
    }
  })

  it('RFC 7296 §2.15: no secret and no key is in any event or output', () => {
    const pair = connect()
    for (const node of [pair.client, pair.gateway]) expect(leaks(node, [SECRET, OTHER_SECRET])).toEqual([])
  })
})

it('RFC 7296 §2.15: no secret and no key is in any event, output or status of a tunnel that works', () => {
  const pair = new Pair()
  pair.connect()
  expect(pair.passesTraffic()).toBe(true)
  for (const node of [pair.client, pair.gateway]) {
    const keys = [...node.core.ikeSas.values()].flatMap((sa) => Object.values(sa.protection!.keys as unknown as Record<string, Uint8Array>))
    expect(keys.length).toBeGreaterThan(4)
    expect(leaks(node, [SECRET, ...keys.filter((key) => key.length > 0)])).toEqual([])
    expect(JSON.stringify(node.core.inspect(pair.now))).not.toContain(hex(SECRET))
  }
})

it('RFC 7296 §2.1 (C-2): over UDP a refusal that was lost is said again when the request is repeated', () => {
  const pair = new MeddledPair({ transports: [UDP], gateway: { auth: sharedKey(OTHER_SECRET) }, clientTimers: { retry: 60_000 } })
  let lost = 0
  pair.meddle = (message) => (isIkeAuth(message, 'response') && lost++ === 0 ? [] : undefined)
  pair.initiate()
  pair.run(10_000)
  expect(lost).toBe(2)
  expect(pair.client.eventsOf('authentication-failed')).toHaveLength(1)
  expect(pair.gateway.eventsOf('authentication-failed')).toHaveLength(1)
  pair.run(30_000)
  expect(pair.gateway.core.ikeSas.size).toBe(0)
})

describe('RFC 7296 §3.5 identities that do not fit', () => {
  it('RFC 7296 §2.21.2: an identity that the gateway does not know is refused like a wrong key', () => {
    const pair = new Pair({ gateway: { remoteId: identity('@someone-else') }, clientTimers: { retry: 60_000 } })
    pair.initiate()
    pair.run(5_000)
    expect(pair.transcript().at(-1)).toBe('R → I  HDR, SK {N(AUTHENTICATION_FAILED)}')
    expect(pair.gateway.eventsOf('authentication-failed')).toMatchObject([
      { remoteId: '@client', detail: 'no connection of the configuration is for this identity' },
    ])
    expect(pair.client.eventsOf('authentication-failed')).toHaveLength(1)
    expect(pair.isUp).toBe(false)
  })

  it('RFC 7296 §2.21.2: a gateway with another identity is not trusted, though it knows the key', () => {
    const pair = new Pair({ gateway: { localId: identity('@impostor') }, clientTimers: { retry: 60_000 } })
    pair.initiate()
    pair.run(5_000)
    expect(pair.client.eventsOf('authentication-failed')).toMatchObject([{ localId: '@client', remoteId: '@impostor' }])
    expect(pair.client.eventsOf('ike-sa-established')).toHaveLength(0)
    expect(pair.client.core.ikeSas.size).toBe(0)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
    expect(pair.client.core.sad.size + pair.gateway.core.sad.size).toBe(0)
  })

  it('RFC 7296 §2.21.2: the gateway that was not trusted is told why, and says so with both identities', () => {
    const pair = new MeddledPair({ gateway: { localId: identity('@impostor') }, clientTimers: { retry: 60_000 } })
    pair.initiate()
    pair.run(5_000)
    expect(pair.transcript().slice(4)).toEqual(['I → R  HDR, SK {N(AUTHENTICATION_FAILED), D}', 'R → I  HDR, SK {}'])
    expect(pair.gateway.eventsOf('authentication-failed')).toMatchObject([{ localId: '@impostor', remoteId: '@client' }])
  })

  it('RFC 7296 §2.15: an identity changed under way makes AUTH wrong', () => {
    const pair = new MeddledPair({ clientTimers: { retry: 60_000 } })
    pair.meddle = (message) =>
      isIkeAuth(message, 'request')
        ? [
            pair.resealed(
              message,
              replacing('IDi', (id) => ({ ...id, data: octets('mallory') })),
            ),
          ]
        : undefined
    pair.initiate()
    pair.run(5_000)
    expect(pair.gateway.eventsOf('authentication-failed')).toMatchObject([{ remoteId: '@mallory' }])
    expect(pair.isUp).toBe(false)
  })

  it('RFC 7296 §2.16 (C-26): an initiator without AUTH asks for EAP and is refused by name', () => {
    const pair = new MeddledPair({ clientTimers: { retry: 60_000 } })
    pair.meddle = (message) =>
      isIkeAuth(message, 'request')
        ? [
            pair.resealed(
              message,
              replacing('AUTH', () => undefined),
            ),
          ]
        : undefined
    pair.initiate()
    pair.run(5_000)
    expect(pair.transcript()[3]).toBe('R → I  HDR, SK {N(AUTHENTICATION_FAILED)}')
    expect(pair.gateway.eventsOf('authentication-failed')[0]!.detail).toMatch(/EAP/)
  })

  it('RFC 7296 §2.15: another method of AUTH is refused, even with the octets of the shared key', () => {
    const pair = new MeddledPair({ clientTimers: { retry: 60_000 } })
    pair.meddle = (message) =>
      isIkeAuth(message, 'request')
        ? [
            pair.resealed(
              message,
              replacing('AUTH', (auth) => ({ ...auth, method: AuthMethod.RSA_DIGITAL_SIGNATURE })),
            ),
          ]
        : undefined
    pair.initiate()
    pair.run(5_000)
    expect(pair.gateway.eventsOf('authentication-failed')[0]!.detail).toMatch(/method 1/)
    expect(pair.isUp).toBe(false)
  })

  it.each([
    ['nothing', []],
    ['a Vendor ID', [{ type: 'V' as const, data: new Uint8Array(3) }]],
  ])('RFC 7296 §2.21.2: a response of %s makes no IKE SA', (_, payloads) => {
    const pair = new MeddledPair({ clientTimers: { retry: 60_000 } })
    pair.meddle = (message) => (isIkeAuth(message, 'response') ? [pair.resealed(message, () => payloads)] : undefined)
    pair.initiate()
    pair.run(5_000)
    expect(pair.client.eventsOf('handshake-failed')[0]!.detail).toMatch(/without IDr and AUTH/)
    expect(pair.client.core.ikeSas.size).toBe(0)
  })
})

describe('RFC 7296 §4 (C-33) every kind of identity', () => {
  it.each(['192.0.2.10', '2001:db8::10', 'vpn.example', 'user@example.org', 'keyid:office', 'keyid:0x00010203', '@client'])(
    'RFC 7296 §3.5 (C-33): "%s" proves itself to a peer that names it',
    (text) => {
      const pair = new Pair({ client: { localId: identity(text) }, gateway: { remoteId: identity(text) } })
      pair.connect()
      expect(pair.gateway.eventsOf('ike-sa-established')[0]!.remoteId).toBe(text === 'vpn.example' ? '@vpn.example' : text)
      expect(pair.passesTraffic()).toBe(true)
    },
  )

  it('RFC 7296 §3.5: an identity of an unknown type is one like any other', () => {
    const odd = { idType: 201, data: octets('odd') }
    const pair = new Pair({ client: { localId: odd }, gateway: { remoteId: odd } })
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §3.5: the same octets of another type are somebody else', () => {
    const pair = new Pair({
      client: { localId: { idType: IdType.ID_KEY_ID, data: octets('client') } },
      gateway: { remoteId: identity('@client') },
      clientTimers: { retry: 60_000 },
    })
    pair.initiate()
    pair.run(5_000)
    expect(pair.isUp).toBe(false)
  })
})

describe('RFC 7296 §2.15 (C-22) shared secrets', () => {
  it.each([
    ['64 ASCII octets', octets('0123456789abcdef'.repeat(4))],
    ['1000 octets', new Uint8Array(1000).fill(0x55)],
    ['octets that are no text, zeros among them', Uint8Array.of(0, 1, 0xff, 0, 0xfe, 0)],
    ['one octet', Uint8Array.of(7)],
  ])('RFC 7296 §2.15 (C-22): %s', (_, psk) => {
    const pair = new Pair({ client: { auth: sharedKey(psk) }, gateway: { auth: sharedKey(psk) } })
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.15 (C-22): no terminator is added: a secret with a zero octet more is another', () => {
    // Below a block of the hash HMAC itself fills keys up with zeros.
    const psk = octets('0123456789abcdef'.repeat(4))
    const pair = new Pair({
      client: { auth: sharedKey(psk) },
      gateway: { auth: sharedKey(Uint8Array.from([...psk, 0])) },
      clientTimers: { retry: 60_000 },
    })
    pair.initiate()
    pair.run(5_000)
    expect(pair.isUp).toBe(false)
  })
})

describe('RFC 4301 §4.4.3 several peers behind one gateway', () => {
  it('each identity is checked with its own secret, and gets its own configuration', () => {
    const pair = new Pair()
    const gateway = pair.add(
      'hub',
      '198.51.100.2',
      sessionConfig(
        [
          {
            ...gatewayPeer(),
            name: 'anna',
            remoteId: identity('@anna'),
            auth: sharedKey(OTHER_SECRET),
            pool: { ranges: ['10.9.0.1'], dns: [], subnets: [] },
          },
          { ...gatewayPeer(), name: 'others' },
        ],
        true,
      ),
    )
    const dial = { address: '198.51.100.2', transports: [TCP] }
    const anna = pair.add(
      'anna',
      '192.0.2.21',
      sessionConfig([{ ...clientPeer([TCP]), dial, localId: identity('@anna'), auth: sharedKey(OTHER_SECRET) }], false),
    )
    const bert = pair.add('bert', '192.0.2.22', sessionConfig([{ ...clientPeer([TCP]), dial, localId: identity('@bert') }], false))
    for (const node of [anna, bert]) pair.command(node, { kind: 'initiate', peer: 'gateway' })
    pair.run(5_000, () => anna.core.sad.size + bert.core.sad.size === 2)
    expect(gateway.eventsOf('ike-sa-established').map((event) => event.peer)).toEqual(['anna', 'others'])
    expect(anna.eventsOf('addresses-assigned')[0]!.addresses[0]!.address).toBe('10.9.0.1')
    expect(bert.eventsOf('addresses-assigned')[0]!.addresses[0]!.address).toBe('10.8.0.10')
  })

  it('a peer that is named cannot use the secret of the others', () => {
    const pair = new Pair({ clientTimers: { retry: 60_000 } })
    const gateway = pair.add(
      'hub',
      '198.51.100.2',
      sessionConfig([{ ...gatewayPeer(), name: 'anna', remoteId: identity('@anna'), auth: sharedKey(OTHER_SECRET) }], true),
    )
    const anna = pair.add(
      'anna',
      '192.0.2.21',
      sessionConfig([{ ...clientPeer([TCP]), dial: { address: '198.51.100.2', transports: [TCP] }, localId: identity('@anna') }], false),
    )
    pair.command(anna, { kind: 'initiate', peer: 'gateway' })
    pair.run(500)
    expect(gateway.eventsOf('authentication-failed')).toHaveLength(1)
    expect(gateway.core.sad.size).toBe(0)
  })
})

/** Which of the secrets turn up in what a node put out, jobs apart: they carry a private key to whoever does them. */
function leaks(node: Node, secrets: readonly Uint8Array[]): string[] {
  const shown = [
    ...node.outputs.filter((output) => !output.startsWith('{"kind":"crypto-job"')),
    ...node.events.map((event) => JSON.stringify(event)),
  ]
  return secrets.flatMap((secret) => {
    const forms = [[...secret].join(','), hex(secret), String.fromCharCode(...secret)]
    return shown.filter((text) => forms.some((form) => text.includes(form)))
  })
}
