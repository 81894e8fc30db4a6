import { generateKeyPairSync } from 'node:crypto'
import { createEapPeer, createEapServer, mschapv2Peer, mschapv2Server, ntPasswordHash } from '@underpass/eap'
import { NotifyType, notify, type Payload } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import type { PeerAuthentication, Ppk, TransportOption } from '../../src/index.ts'
import { parseIkeSuite } from '../../src/index.ts'
import { MSK, real, type Script, type ScriptedMachine, scripted } from '../eap-machines.ts'
import { isIkeAuth, MeddledPair, replacing } from '../meddler.ts'
import { clientPeer, gatewayPeer, identity, Pair, type PairOptions, sessionConfig, TCP, UDP } from '../pair.ts'
import { Signatures } from '../signatures.ts'

const RETRY = { retry: 60_000 }
/** EAP-TLS, which proves both ends. */
const SAFE = 13
const GATEWAY_KEY = generateKeyPairSync('ed25519').privateKey

interface Eap {
  readonly pair: MeddledPair
  readonly machines: { readonly client: readonly ScriptedMachine[]; readonly gateway: readonly ScriptedMachine[] }
}

/** The gateway signs, and asks the client by EAP. */
function withEap(peer: Script, server: Script, options: PairOptions = {}, more: { keyless?: boolean } = {}): Eap {
  const signatures = new Signatures()
  const theirs = signatures.rawKey('gateway', GATEWAY_KEY)
  const [client, gateway] = [scripted('peer', peer), scripted('server', server)]
  const keyless = { allowsKeyless: more.keyless ?? false }
  const pair = new MeddledPair({
    clientTimers: RETRY,
    ...options,
    client: { auth: { local: { ...client, ...keyless }, remote: theirs.remote }, ...options.client },
    gateway: { auth: { local: theirs.local, remote: { ...gateway, ...keyless } }, ...options.gateway },
  })
  pair.signatures = signatures.work
  return { pair, machines: { client: client.machines, gateway: gateway.machines } }
}

/** EAP proves both ends (RFC 5998). */
function eapOnly(peer: Script, server: Script, gatewayAuth: Partial<PeerAuthentication> = {}): Eap {
  const [client, gateway] = [scripted('peer', peer), scripted('server', server)]
  return withEap(peer, server, {
    client: { auth: { local: client, remote: { kind: 'eap-only' } } },
    gateway: { auth: { local: { kind: 'eap-only' }, remote: gateway, ...gatewayAuth } },
  })
}

const fails = (pair: Pair): void => {
  pair.initiate()
  pair.run(5_000)
  expect(pair.isUp).toBe(false)
  expect(pair.client.core.sad.size + pair.gateway.core.sad.size).toBe(0)
  pair.run(40_000, () => pair.client.core.ikeSas.size + pair.gateway.core.ikeSas.size === 0)
  expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(0)
}

/** The gateway's IKE_AUTH responses. */
const answersOtherwise = (pair: MeddledPair, change: (payloads: readonly Payload[]) => readonly Payload[]): void => {
  pair.meddle = (message) => (isIkeAuth(message, 'response') ? [pair.resealed(message, change)] : undefined)
}

const OK: Script = { msk: MSK }

describe.each([
  ['TCP', TCP],
  ['UDP', UDP],
])('RFC 7296 §2.16 EAP over %s', (_, transport: TransportOption) => {
  const options = { transports: [transport], clientLimits: { maxIkeDatagramIpv4: 9_000 }, gatewayLimits: { maxIkeDatagramIpv4: 9_000 } }

  it('RFC 7296 §2.16 (C-23): the responder signs first, then EAP, then both AUTH by the MSK', () => {
    const { pair } = withEap(OK, OK, options)
    pair.connect()
    expect(pair.transcript().slice(2)).toEqual([
      'I → R  HDR, SK {IDi, CERTREQ, N(SUPPORTED_AUTH_METHODS), N(INITIAL_CONTACT), IDr, CP(CFG_REQUEST), SAi2, TSi, TSr, N(MOBIKE_SUPPORTED), V}',
      'R → I  HDR, SK {IDr, CERT, AUTH, EAP}',
      'I → R  HDR, SK {EAP}',
      'R → I  HDR, SK {EAP}',
      'I → R  HDR, SK {EAP}',
      'R → I  HDR, SK {EAP}',
      'I → R  HDR, SK {AUTH}',
      'R → I  HDR, SK {AUTH, CP(CFG_REPLY), SAr2, TSi, TSr, N(IP4_ALLOWED), N(IP6_ALLOWED), N(MOBIKE_SUPPORTED), V}',
    ])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.16: at least ten IKE_AUTH exchanges are no matter', () => {
    const { pair } = withEap({ ...OK, rounds: 30 }, { ...OK, rounds: 30 }, options)
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.16: who EAP shows is whom events and status name, beside IDi', () => {
    const { pair } = withEap(OK, { ...OK, identity: 'anna@example.org' }, options)
    pair.connect()
    expect(pair.gateway.eventsOf('ike-sa-established')).toMatchObject([{ remoteId: '@client', eapIdentity: 'anna@example.org' }])
    expect(pair.gateway.core.inspect(pair.now).ikeSas).toMatchObject([{ remoteId: '@client', eapIdentity: 'anna@example.org' }])
  })

  it('RFC 7296 §2.12: machines are closed and no MSK is left when the IKE SA is up', () => {
    const { pair, machines } = withEap(OK, OK, options)
    pair.connect()
    expect([...machines.client, ...machines.gateway].map(({ isClosed }) => isClosed)).toEqual([true, true])
    const shown = [
      ...pair.client.outputs,
      ...pair.gateway.outputs,
      ...[...pair.client.events, ...pair.gateway.events].map((event) => JSON.stringify(event)),
    ]
    expect(shown.filter((text) => text.includes([...MSK.subarray(0, 16)].join(',')))).toEqual([])
  })

  it('RFC 7296 §2.16 (C-23): without an MSK AUTH is by SK_pi and SK_pr, where both configurations allow it', () => {
    const { pair } = withEap({}, {}, options, { keyless: true })
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })
})

describe('RFC 7296 §2.16 what is not believed', () => {
  it('RFC 7296 §2.16 (C-23): ends with different MSKs make no IKE SA', () => {
    const { pair } = withEap(OK, { msk: MSK.toReversed() })
    fails(pair)
    expect(pair.gateway.eventsOf('authentication-failed')).toMatchObject([
      { detail: 'anna: its AUTH payload after EAP does not verify: it has not the key that EAP made here' },
    ])
    expect(pair.client.eventsOf('authentication-failed')).toHaveLength(1)
  })

  it('RFC 7296 §2.16 (C-23): a method without an MSK is refused by a gateway whose configuration does not allow it', () => {
    const { pair } = withEap(OK, {})
    fails(pair)
    expect(pair.gateway.eventsOf('authentication-failed')[0]!.detail).toMatch(/makes no key/)
  })

  it('RFC 7296 §2.16 (C-23): and by a client', () => {
    const { pair } = withEap({}, OK)
    fails(pair)
    expect(pair.client.eventsOf('authentication-failed')[0]!.detail).toMatch(/makes no key/)
    expect(pair.gateway.eventsOf('authentication-failed')[0]!.detail).toMatch(/does not accept/)
  })

  it('RFC 7296 §2.16 (C-23): a responder that does not sign before EAP is told nothing by EAP', () => {
    const { pair, machines } = withEap(OK, OK)
    answersOtherwise(
      pair,
      replacing('AUTH', () => undefined),
    )
    fails(pair)
    expect(pair.client.eventsOf('authentication-failed')[0]!.detail).toMatch(/has not proved who it is/)
    expect(machines.client).toHaveLength(0)
  })

  it('RFC 7296 §2.16 (C-23): nor one whose signature is wrong', () => {
    const { pair, machines } = withEap(OK, OK)
    answersOtherwise(
      pair,
      replacing('AUTH', (auth) => ({ ...auth, data: auth.data.toReversed() })),
    )
    fails(pair)
    expect(pair.client.eventsOf('authentication-failed')[0]!.detail).toMatch(/does not verify/)
    expect(machines.client).toHaveLength(0)
  })

  it('RFC 7296 §2.16: a server that says no says EAP-Failure, and both ends tell why once', () => {
    const { pair, machines } = withEap(OK, { ...OK, ends: { kind: 'failure', reason: 'wrong password' } })
    fails(pair)
    expect(pair.gateway.eventsOf('authentication-failed')).toMatchObject([{ remoteId: '@client', detail: 'EAP failed: wrong password' }])
    expect(pair.client.eventsOf('authentication-failed')[0]!.detail).toMatch(/the server said no/)
    expect([...machines.client, ...machines.gateway].every(({ isClosed }) => isClosed)).toBe(true)
  })

  it('RFC 7296 §2.21.2: a peer that says no tells the gateway, which has no IKE SA then', () => {
    const { pair, machines } = withEap({ ...OK, ends: { kind: 'failure', reason: 'the server has not my password' }, rounds: 1 }, OK)
    fails(pair)
    expect(pair.transcript().slice(6)).toEqual(['I → R  HDR, SK {N(AUTHENTICATION_FAILED), D}', 'R → I  HDR, SK {}'])
    expect(pair.client.eventsOf('authentication-failed')[0]!.detail).toMatch(/the server has not my password/)
    expect([...machines.client, ...machines.gateway].every(({ isClosed }) => isClosed)).toBe(true)
  })

  it.each(['peer', 'server'] as const)('RFC 3748 §4: what a %s has to ignore ends the IKE SA: nothing else would come', (role) => {
    const odd: Script = { ...OK, ends: { kind: 'ignore', reason: 'wrong Identifier' }, rounds: 1 }
    const { pair } = withEap(role === 'peer' ? odd : OK, role === 'server' ? odd : OK)
    fails(pair)
    const [node] = [role === 'peer' ? pair.client : pair.gateway]
    expect(node.eventsOf('authentication-failed')[0]!.detail).toMatch(/makes no sense: wrong Identifier/)
  })

  it('RFC 7296 §2.16: a gateway that offers no EAP says AUTHENTICATION_FAILED', () => {
    const { pair } = withEap(OK, OK, { gateway: { auth: gatewayPeer().auth } })
    fails(pair)
    expect(pair.transcript()[3]).toBe('R → I  HDR, SK {N(AUTHENTICATION_FAILED)}')
    expect(pair.gateway.eventsOf('authentication-failed')[0]!.detail).toMatch(/EAP, which is not offered here/)
  })

  it('RFC 7296 §2.16: where EAP is asked for, a shared key is none', () => {
    const { pair } = withEap(OK, OK, { client: { auth: clientPeer([TCP]).auth } })
    fails(pair)
    expect(pair.gateway.eventsOf('authentication-failed')[0]!.detail).toMatch(/EAP is wanted/)
  })

  it.each([
    ['EAP_EXPECTED', 1],
    ['EAP_AUTH_EXPECTED', 3],
  ])('RFC 7296 §2.21.3: in %s a request without its payload is INVALID_SYNTAX', (state, nth) => {
    const { pair } = withEap(OK, OK)
    let seen = 0
    pair.meddle = (message) =>
      isIkeAuth(message, 'request') && seen++ === nth ? [pair.resealed(message, () => [notify(NotifyType.INITIAL_CONTACT)])] : undefined
    fails(pair)
    expect(pair.transcript()[3 + 2 * nth]).toBe('R → I  HDR, SK {N(INVALID_SYNTAX)}')
    expect(pair.gateway.eventsOf('dropped').map(({ detail }) => detail)).toEqual([
      state === 'EAP_EXPECTED' ? 'EAP missing' : 'AUTH missing',
    ])
  })

  it('RFC 7296 §2.16: a first AUTH in the middle of EAP is not heard', () => {
    const { pair } = withEap(OK, OK)
    let seen = 0
    pair.meddle = (message) =>
      isIkeAuth(message, 'request') && seen++ === 1
        ? [pair.resealed(message, (payloads) => [...payloads, { type: 'AUTH', method: 2, data: new Uint8Array(32) }])]
        : undefined
    pair.connect()
    expect(pair.gateway.eventsOf('ike-sa-established')).toMatchObject([{ eapIdentity: 'anna' }])
  })
})

describe('RFC 5998 EAP-only authentication', () => {
  const SAFE_OK: Script = { ...OK, method: SAFE }

  it('RFC 5998 §3 (C-23): neither end signs; EAP and the MSK prove both', () => {
    const { pair } = eapOnly(SAFE_OK, SAFE_OK)
    pair.connect()
    expect(pair.transcript()[2]).toMatch(/N\(EAP_ONLY_AUTHENTICATION\)/)
    expect(pair.transcript()[3]).toBe('R → I  HDR, SK {IDr, EAP}')
    expect(pair.transcript().at(-2)).toBe('I → R  HDR, SK {AUTH}')
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([
    ['at the client', OK, SAFE_OK],
    ['at the gateway', SAFE_OK, OK],
    ['at the client, without an MSK', { method: SAFE }, SAFE_OK],
  ])('RFC 5998 §4 (C-23): a method that does not prove both ends is no good %s', (_, client: Script, gateway: Script) => {
    const { pair } = eapOnly(client, gateway)
    fails(pair)
    const details = [...pair.client.eventsOf('authentication-failed'), ...pair.gateway.eventsOf('authentication-failed')]
    expect(details.some(({ detail }) => /does not prove both ends/.test(detail))).toBe(true)
  })

  it('RFC 5998 §3: a gateway that can sign does so, also for who could do without', () => {
    const { pair } = withEap(OK, OK)
    pair.meddle = (message) =>
      isIkeAuth(message, 'request') && message.header.messageId === 1
        ? [pair.resealed(message, (payloads) => [...payloads, notify(NotifyType.EAP_ONLY_AUTHENTICATION)])]
        : undefined
    pair.connect()
    expect(pair.transcript()[3]).toBe('R → I  HDR, SK {IDr, CERT, AUTH, EAP}')
  })

  it('RFC 5998 §3: a gateway that has EAP alone refuses who wants a signature', () => {
    const { pair } = withEap(SAFE_OK, SAFE_OK, {
      gateway: { auth: { local: { kind: 'eap-only' }, remote: scripted('server', SAFE_OK) } },
    })
    fails(pair)
    expect(pair.gateway.eventsOf('authentication-failed')[0]!.detail).toMatch(/we have EAP alone/)
  })

  it('RFC 5998 §3: ends with different MSKs make no IKE SA', () => {
    const { pair } = eapOnly(SAFE_OK, { ...SAFE_OK, msk: MSK.toReversed() })
    fails(pair)
  })
})

describe('RFC 7296 §2.16 EAP with what else there is', () => {
  const ppk = (key: number, isRequired: boolean): Ppk => ({ id: Uint8Array.of(107), key: new Uint8Array(32).fill(key), isRequired })

  it.each([
    [ppk(1, true), ppk(1, true), true],
    [ppk(1, false), ppk(1, false), true],
    [ppk(1, false), undefined, false],
    [undefined, ppk(1, false), false],
  ])('RFC 8784 §3 (P-6): the PPK comes with the AUTH after EAP', (client, gateway, isUsed) => {
    const { pair } = withEap(OK, OK, { client: client && { ppk: client }, gateway: gateway && { ppk: gateway } } as PairOptions)
    pair.connect()
    expect(pair.saOf(pair.client).withoutPpk !== undefined).toBe(isUsed)
    expect(pair.saOf(pair.gateway).withoutPpk !== undefined).toBe(isUsed)
    expect(pair.transcript().at(-2)!.includes('N(PPK_IDENTITY)')).toBe(isUsed)
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([
    [ppk(1, true), ppk(2, true)],
    [ppk(1, true), undefined],
    [undefined, ppk(1, true)],
  ])('RFC 8784 §3 (P-6): a PPK that is required and is not there is no IKE SA', (client, gateway) => {
    const { pair } = withEap(OK, OK, { client: client && { ppk: client }, gateway: gateway && { ppk: gateway } } as PairOptions)
    fails(pair)
  })

  it('RFC 9242 §3.3.2, RFC 9370: additional key exchanges are in both AUTH', () => {
    const ikeProposals = [parseIkeSuite('aes256gcm16-prfsha256-x25519-ke1_mlkem768')]
    const { pair } = withEap(OK, OK, { client: { ikeProposals }, gateway: { ikeProposals } })
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7383 §2.5: EAP messages that are too long go in fragments', () => {
    const { pair } = withEap({ ...OK, size: 3_000 }, { ...OK, size: 3_000 }, { transports: [UDP] })
    pair.connect()
    expect(pair.counter(pair.gateway, 'ike-fragments-out')).toBeGreaterThan(6)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.1 (C-2): each message of it may be lost once over UDP', () => {
    const { pair } = withEap(OK, OK, { transports: [UDP] })
    const lost = new Set<string>()
    pair.meddle = (message) => {
      const key = `${message.to.name} ${message.header.messageId} ${message.header.exchangeType}`
      if (lost.has(key)) return undefined
      lost.add(key)
      return []
    }
    pair.connect(60_000)
    expect(lost.size).toBeGreaterThan(9)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 4555 §3.2: MOBIKE is announced in the first request and the last response', () => {
    const { pair } = withEap(OK, OK, { transports: [UDP] })
    pair.connect()
    expect(pair.saOf(pair.client).isMobike && pair.saOf(pair.gateway).isMobike).toBe(true)
  })

  it('RFC 6290 §4.2: both ends have a token of the other', () => {
    const { pair } = withEap(OK, OK, { gatewayCrashSecret: new Uint8Array(32).fill(1) })
    pair.connect()
    expect(pair.saOf(pair.client).crashTokens).toHaveLength(1)
    expect(pair.transcript().at(-1)).toContain('N(QUICK_CRASH_DETECTION)')
  })

  it('RFC 7296 §2.21.2: INVALID_SYNTAX right behind the last IKE_AUTH is taken to be about it', () => {
    const { pair } = withEap(OK, OK)
    pair.connect()
    pair.deliverIke(pair.gateway, pair.forge(pair.client, 37, [notify(NotifyType.INVALID_SYNTAX)]))
    pair.settle()
    expect(pair.gateway.eventsOf('ike-sa-closed').map(({ reason }) => reason)).toEqual(['the peer said INVALID_SYNTAX to IKE_AUTH'])
  })

  it('RFC 7296 §2.8: an IKE SA that is rekeyed is still of the user', () => {
    const { pair } = withEap(OK, OK)
    pair.connect()
    pair.command(pair.client, { kind: 'rekey', what: 'ike-sa' })
    pair.run(2_000)
    expect(pair.gateway.eventsOf('ike-sa-rekeyed')).toHaveLength(1)
    expect(pair.saOf(pair.gateway).eapIdentity).toBe('anna')
  })

  it('RFC 9329 §5.1: a conversation that takes long is not given up for another transport', () => {
    const { pair } = withEap({ ...OK, rounds: 20 }, { ...OK, rounds: 20 }, { transports: [UDP, TCP], link: { latency: 100 } })
    expect(pair.connect()).toBeGreaterThan(2_000)
    expect(pair.saOf(pair.client).transport).toBe('udp')
    expect(pair.client.eventsOf('transport-failed')).toHaveLength(0)
  })

  it('RFC 9329 §5.1: a transport that falls silent in the middle of EAP is not the peer that says no: the next is tried', () => {
    const { pair } = withEap(OK, OK, { transports: [UDP, TCP] })
    pair.meddle = (message) => (isIkeAuth(message, 'request') && message.header.messageId > 1 && pair.pipes.length === 0 ? [] : undefined)
    pair.connect(120_000)
    expect(pair.saOf(pair.client).transport).toBe('tcp')
    expect(pair.passesTraffic()).toBe(true)
  })
})

describe('RFC 2759, RFC 7296 §2.16 EAP-MSCHAPv2', () => {
  const withMschapv2 = (password: string, options: PairOptions = {}): MeddledPair => {
    const users = { find: (name: string) => (name === 'anna' ? { ntHash: ntPasswordHash('the word of anna') } : undefined) }
    const local = real((random) => createEapPeer({ identity: 'anna', methods: [mschapv2Peer({ name: 'anna', password })], random }))
    const remote = real((random) => createEapServer({ methods: [mschapv2Server({ name: 'gw' })], users, random }))
    const signed = new Signatures().rawKey('gateway', GATEWAY_KEY)
    const { pair } = withEap(OK, OK, {
      ...options,
      client: { auth: { local, remote: signed.remote } },
      gateway: { auth: { local: signed.local, remote } },
    })
    return pair
  }

  it.each([
    ['TCP', TCP],
    ['UDP', UDP],
  ])('RFC 7296 §2.16 (C-23): over %s', (_, transport) => {
    const pair = withMschapv2('the word of anna', { transports: [transport] })
    pair.connect()
    expect(pair.gateway.eventsOf('ike-sa-established')).toMatchObject([{ eapIdentity: 'anna' }])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 2759 §6 (C-23): a wrong password is told by both, and by neither what it was', () => {
    const pair = withMschapv2('another word')
    fails(pair)
    expect(pair.gateway.eventsOf('authentication-failed')).toMatchObject([{ detail: 'EAP failed: the password of "anna" is wrong' }])
    expect(pair.client.eventsOf('authentication-failed')).toMatchObject([
      { detail: expect.stringMatching(/the name or the password is wrong$/) },
    ])
    expect([...pair.client.outputs, ...pair.gateway.outputs].filter((text) => text.includes('another word'))).toEqual([])
  })

  it('RFC 7296 §2.1 (C-2): with every third message lost', () => {
    const pair = withMschapv2('the word of anna', { transports: [UDP] })
    let count = 0
    pair.meddle = () => (count++ % 3 === 1 ? [] : undefined)
    pair.connect(60_000)
    expect(pair.saOf(pair.gateway).eapIdentity).toBe('anna')
  })
})

describe('RFC 7296 §2.6 conversations that hang', () => {
  it('RFC 7296 §2.6: a half-open IKE SA in the middle of EAP is counted, and ends with its time', () => {
    const { pair, machines } = withEap(OK, OK, { gatewayTimers: { handshake: 10_000 } })
    let seen = 0
    pair.meddle = (message) => (isIkeAuth(message, 'request') && seen++ > 0 ? [] : undefined)
    pair.initiate()
    pair.run(2_000)
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(1)
    pair.run(10_000)
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(0)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
    expect(machines.gateway.map(({ isClosed }) => isClosed)).toEqual([true])
  })

  it('RFC 7296 §2.6: no more of them than limits.maxHalfOpenPerAddress', () => {
    const { pair } = withEap(OK, OK, { gatewayLimits: { maxHalfOpenPerAddress: 2 } })
    pair.meddle = (message) => (isIkeAuth(message, 'request') && message.header.messageId > 1 ? [] : undefined)
    const { auth } = pair.client.core.config.peers[0]!
    const more = [1, 2, 3].map((n) =>
      pair.add(`c${n}`, '192.0.2.10', sessionConfig([{ ...clientPeer([TCP]), localId: identity(`@c${n}`), auth }], false)),
    )
    for (const node of more) pair.command(node, { kind: 'initiate', peer: 'gateway' })
    pair.run(3_000)
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(2)
    expect(pair.gateway.eventsOf('limit-reached').length).toBeGreaterThan(0)
  })
})

describe('RFC 7296 §2.4 who is who', () => {
  const twoClients = (names: readonly [string, string], gateway: Script): { pair: MeddledPair; other: ReturnType<Pair['add']> } => {
    const { pair } = withEap(OK, gateway)
    const { auth } = pair.client.core.config.peers[0]!
    const other = pair.add('other', '192.0.2.21', sessionConfig([{ ...clientPeer([TCP]), localId: identity(names[1]), auth }], false))
    return { pair, other }
  }

  it('RFC 7296 §2.16: INITIAL_CONTACT is about the user, whatever IDi is', () => {
    const { pair, other } = twoClients(['@client', '@other'], OK)
    pair.connect()
    pair.command(other, { kind: 'initiate', peer: 'gateway' })
    pair.run(2_000)
    expect(pair.gateway.eventsOf('ike-sa-closed')).toMatchObject([{ reason: expect.stringMatching(/^anna came anew from 192.0.2.21/) }])
    expect(pair.gateway.core.inspect(pair.now).ikeSas).toMatchObject([{ remoteId: '@other', eapIdentity: 'anna' }])
  })
})

describe('RFC 2865 §5 what the user is given', () => {
  const granting = (addresses: readonly number[][], sessionTimeout?: number): Script => ({
    ...OK,
    grant: { addresses: addresses.map((octets) => Uint8Array.from(octets)), sessionTimeout },
  })

  it('RFC 2865 §5.8: Framed-IP-Address is the address that it gets', () => {
    const { pair } = withEap(OK, granting([[10, 8, 0, 17]]))
    pair.connect()
    expect(pair.clientAddress).toBe('10.8.0.17')
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([
    ['not in the pool', [10, 8, 1, 1]],
    ['of another', [10, 8, 0, 10]],
  ])('RFC 2865 §5.8: one that is %s is not given, nor any other', (_, address) => {
    const { pair } = withEap(OK, granting([address]))
    pair.gateway.core.pools.get('road')!.take({ owner: 'bert', family: 'ipv4', address: Uint8Array.of(10, 8, 0, 10), foundIn: undefined })
    pair.initiate()
    pair.run(2_000)
    expect(pair.gateway.eventsOf('handshake-failed')).toMatchObject([
      {
        notify: 'INTERNAL_ADDRESS_FAILURE',
        detail: expect.stringMatching(/the user is to have 10\.8\.\d\.\d+, which is not in the pool or somebody else's/),
      },
    ])
    expect(pair.isUp).toBe(false)
  })

  it('RFC 2865 §5.27: after Session-Timeout the IKE SA is deleted, rekeyed or not', () => {
    const { pair } = withEap(OK, granting([], 3_600))
    pair.connect()
    pair.command(pair.client, { kind: 'rekey', what: 'ike-sa' })
    pair.run(3_500_000)
    expect(pair.gateway.eventsOf('ike-sa-rekeyed')).toHaveLength(1)
    expect(pair.gateway.eventsOf('ike-sa-closed')).toHaveLength(0)
    pair.run(110_000)
    expect(pair.gateway.eventsOf('ike-sa-closed')).toMatchObject([{ reason: 'the time that the user was given is over' }])
  })
})

describe('RFC 7296 §2.16 configurations that contradict themselves', () => {
  const signed = new Signatures().rawKey('k', GATEWAY_KEY)
  const eap = scripted('peer')
  it.each([
    ['EAP beside a shared key', 'client', { local: eap, remote: clientPeer([TCP]).auth.remote }, /needs a responder that signs/],
    ['EAP asked of who is dialled', 'client', { local: signed.local, remote: eap }, /this peer is dialled/],
    ['EAP alone without EAP', 'client', { local: signed.local, remote: { kind: 'eap-only' } }, /neither is to do EAP/],
    ['a gateway with a shared key', 'gateway', { local: gatewayPeer().auth.local, remote: eap }, /needs a responder that signs/],
    ['a gateway that proves itself by EAP', 'gateway', { local: eap, remote: signed.remote }, /nobody to dial/],
  ] as const)('RFC 7296 §2.16, RFC 5998: %s', (_, role, auth, words) => {
    expect(() => new Pair(role === 'client' ? { client: { auth } } : { gateway: { auth } })).toThrow(words)
  })
})
