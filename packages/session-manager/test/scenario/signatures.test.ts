import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readCertificate, readPkcs12 } from '@underpass/certificates'
import { AuthMethod, decodeMessage, NotifyType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { isIkeAuth, MeddledPair, replacing } from '../meddler.ts'
import { clientPeer, gatewayPeer, identity, Pair, type PairOptions, SECRET, sharedKey, TCP, UDP } from '../pair.ts'
import { Signatures } from '../signatures.ts'

type Meddler = MeddledPair

const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey
const KEYS: Record<string, KeyObject> = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  'P-256': ec('prime256v1'),
  'P-384': ec('secp384r1'),
  'P-521': ec('secp521r1'),
  Ed25519: generateKeyPairSync('ed25519').privateKey,
}
const RETRY = { retry: 60_000 }
/** No message is so long that it goes in fragments. */
const WHOLE = { maxIkeDatagramIpv4: 9_000 }

/** Both ends sign with keys of one kind. */
function signed(kind: string, options: PairOptions = {}): { pair: Meddler; signatures: Signatures } {
  const signatures = new Signatures()
  const ours = signatures.rawKey('client', KEYS[kind]!)
  const theirs = signatures.rawKey('gateway', KEYS[kind]!)
  const pair = new MeddledPair({
    clientTimers: RETRY,
    ...options,
    client: { auth: { local: ours.local, remote: theirs.remote }, ...options.client },
    gateway: { auth: { local: theirs.local, remote: ours.remote }, ...options.gateway },
  })
  pair.signatures = signatures.work
  return { pair, signatures }
}

const methodsOf = ({ done }: Signatures): number[] => done.flatMap((work) => (work.kind === 'verify-peer' ? [work.method] : []))

describe.each([
  ['TCP', TCP],
  ['UDP', UDP],
])('RFC 7296 §2.15 AUTH by signatures over %s', (_, transport) => {
  it.each(Object.keys(KEYS))('RFC 7427 §3 (S-1): both ends with keys of kind %s, by method 14', (kind) => {
    const { pair, signatures } = signed(kind, { transports: [transport] })
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
    expect(methodsOf(signatures)).toEqual([14, 14])
  })

  it('RFC 7427 §4, RFC 7296 §3.6, §3.7: what the messages hold', () => {
    const { pair } = signed('P-256', { transports: [transport], clientLimits: WHOLE, gatewayLimits: WHOLE })
    pair.connect()
    const [init, answer, auth, end] = pair.transcript()
    expect(init).toMatch(/N\(SIGNATURE_HASH_ALGORITHMS\)$/)
    expect(answer).toMatch(
      transport === TCP
        ? /N\(SIGNATURE_HASH_ALGORITHMS\), CERTREQ, N\(SUPPORTED_AUTH_METHODS\)$/
        : /N\(SIGNATURE_HASH_ALGORITHMS\), CERTREQ$/,
    )
    expect(auth).toMatch(/SK \{IDi, CERT, CERTREQ, N\(SUPPORTED_AUTH_METHODS\), N\(INITIAL_CONTACT\), IDr, AUTH/)
    expect(end).toMatch(/SK \{IDr, CERT, AUTH/)
  })
})

describe('RFC 7296 §2.15 who may have which method', () => {
  it('§2.15 (C-32): a certificate one way and a shared key the other', () => {
    const signatures = new Signatures()
    const theirs = signatures.rawKey('gateway', KEYS['Ed25519']!)
    const secret = sharedKey(SECRET)
    const pair = new Pair({
      client: { auth: { local: secret.local, remote: theirs.remote } },
      gateway: { auth: { local: theirs.local, remote: secret.remote } },
    })
    pair.signatures = signatures.work
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
    expect(signatures.done.map(({ kind }) => kind)).toEqual(['sign', 'verify-peer'])
  })

  it('§2.15: a shared key does not do where a signature is wanted, nor the other way round', () => {
    for (const side of ['client', 'gateway'] as const) {
      const { pair } = signed('P-256', { [side]: { auth: sharedKey(SECRET) } })
      pair.initiate()
      pair.run(5_000)
      expect(pair.isUp).toBe(false)
      expect(pair.gateway.eventsOf('authentication-failed')[0]!.detail).toMatch(
        side === 'client' ? /method 2, a signature is wanted/ : /method 9, a shared key is wanted/,
      )
    }
  })

  it('RFC 7427 §4: without SIGNATURE_HASH_ALGORITHMS the methods of RFC 4754 serve', () => {
    const { pair, signatures } = signed('P-384')
    const { work } = signatures
    pair.signatures = (job) => {
      if (job.kind !== 'sign') return work(job)
      const { hashAlgorithms: _, authMethods: __, ...rest } = job
      return work(rest)
    }
    pair.connect()
    expect(methodsOf(signatures)).toEqual([AuthMethod.ECDSA_SHA384_P384, AuthMethod.ECDSA_SHA384_P384])
  })

  it('RFC 8420 §2 (S-2): the job tells the hashes of the peer, Identity among them, and no SHA-1', () => {
    const { pair, signatures } = signed('Ed25519')
    pair.connect()
    const [sign] = signatures.done
    expect(sign).toMatchObject({ kind: 'sign', hashAlgorithms: [2, 3, 4, 5] })
    const hashes = decodeMessage(pair.log[0]!.octets).payloads.find(
      (payload) => payload.type === 'N' && payload.notifyType === NotifyType.SIGNATURE_HASH_ALGORITHMS,
    )
    expect(hashes).toMatchObject({ data: Uint8Array.of(0, 2, 0, 3, 0, 4, 0, 5) })
  })
})

describe('RFC 7296 §2.21.2 signatures that are not believed', () => {
  it('§2.21.2: a key that the gateway does not know', () => {
    const { pair, signatures } = signed('P-256')
    signatures.keys.set('client', KEYS['P-384']!)
    pair.initiate()
    pair.run(5_000)
    expect(pair.transcript()[3]).toBe('R → I  HDR, SK {N(AUTHENTICATION_FAILED)}')
    expect(pair.gateway.eventsOf('authentication-failed')).toMatchObject([{ remoteId: '@client' }])
    expect(pair.client.eventsOf('authentication-failed')).toHaveLength(1)
    expect(pair.client.core.ikeSas.size + pair.gateway.core.ikeSas.size).toBe(0)
  })

  it('§2.21.2: a key that the client does not know: it says so and deletes the IKE SA', () => {
    const { pair, signatures } = signed('P-256')
    signatures.keys.set('gateway', KEYS['P-384']!)
    pair.initiate()
    pair.run(5_000)
    expect(pair.transcript()[4]).toBe('I → R  HDR, SK {N(AUTHENTICATION_FAILED), D}')
    expect(pair.client.core.ikeSas.size + pair.gateway.core.ikeSas.size).toBe(0)
    expect(pair.client.core.sad.size + pair.gateway.core.sad.size).toBe(0)
  })

  it.each(['client', 'gateway'] as const)('§2.15: the %s cannot sign: nothing comes of it, and it says why', (side) => {
    const { pair, signatures } = signed('P-256')
    signatures.keys.delete(side)
    pair.initiate()
    pair.run(5_000)
    expect(pair[side].eventsOf('handshake-failed')[0]!.detail).toMatch(/our own AUTH payload cannot be made: there is no key/)
    expect(pair.isUp).toBe(false)
    expect(pair.client.core.ikeSas.size).toBe(0)
  })

  it('§3.8: AUTH that was changed under way', () => {
    const { pair } = signed('P-256')
    pair.meddle = (message) =>
      isIkeAuth(message, 'request')
        ? [
            pair.resealed(
              message,
              replacing('AUTH', (auth) => ({ ...auth, data: auth.data.map((octet, i) => (i === 30 ? octet ^ 1 : octet)) })),
            ),
          ]
        : undefined
    pair.initiate()
    pair.run(5_000)
    expect(pair.gateway.eventsOf('authentication-failed')).toHaveLength(1)
    expect(pair.isUp).toBe(false)
  })
})

describe('RFC 7296 §2.12 while signatures are worked on', () => {
  it('§2.1 (C-2): IKE_AUTH repeated over UDP meanwhile is answered once', () => {
    const { pair } = signed('P-256', { transports: [UDP], clientLimits: WHOLE, gatewayLimits: WHOLE })
    pair.gateway.holdsJobs = false
    pair.initiate()
    pair.run(5_000, () => pair.gateway.heldJobs.length > 0 || pair.transcript().length === 2)
    pair.gateway.holdsJobs = true
    pair.run(3_000)
    expect(pair.transcript().filter((line) => line.includes('IDi')).length).toBeGreaterThan(1)
    expect(pair.gateway.heldJobs).toHaveLength(1)
    release(pair)
    pair.run(1_000)
    expect(pair.isUp).toBe(true)
    expect(pair.gateway.eventsOf('ike-sa-established')).toHaveLength(1)
  })

  it('RFC 9329 §6.2 (T-RTX-1): a request of the gateway that comes before its AUTH is believed is answered afterwards', () => {
    const { pair } = signed('P-256')
    pair.initiate()
    pair.run(5_000, () => pair.transcript().length === 3)
    pair.client.holdsJobs = true
    pair.run(100, () => pair.client.heldJobs.length > 0)
    pair.command(pair.gateway, { kind: 'check-liveness' })
    pair.settle()
    expect(pair.client.core.sad.size).toBe(0)
    release(pair)
    pair.settle()
    expect(pair.isUp).toBe(true)
    expect(pair.transcript().slice(-2)).toEqual(['R → I  HDR, SK {}', 'I → R  HDR, SK {}'])
  })

  it('§2.12: an IKE SA that is gone meanwhile takes its work with it', () => {
    const { pair } = signed('P-256')
    pair.initiate()
    pair.run(5_000, () => pair.transcript().length === 2)
    pair.gateway.holdsJobs = true
    pair.run(200)
    pair.cut(pair.pipe, 'reset', pair.client)
    pair.run(40_000)
    release(pair)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
  })
})

describe('RFC 4945 §3.1 certificates', () => {
  const { pkcs12 } = JSON.parse(readFileSync(new URL('../../../certificates/test/vectors/keys.json', import.meta.url), 'utf8')) as {
    pkcs12: { today: string }
  }
  const { key, certificates } = readPkcs12(new Uint8Array(Buffer.from(pkcs12.today, 'base64')), 'secret words')
  const [own, root] = certificates.map(readCertificate)

  const withCertificate = (idType: number, data: Uint8Array): Pair => {
    const signatures = new Signatures()
    signatures.now = Date.now() + 120_000
    signatures.keys.set('gateway', key!)
    signatures.trusts.set('office', { anchors: [root!] })
    const secret = sharedKey(SECRET)
    const pair = new Pair({
      client: {
        remoteId: { idType, data },
        auth: { local: secret.local, remote: signatures.believing('office', [{ encoding: 4, authorities: new Uint8Array(20) }]) },
      },
      gateway: {
        localId: { idType, data },
        auth: { local: { kind: 'signature', key: 'gateway', certificates: [{ encoding: 4, data: own!.der }] }, remote: secret.remote },
      },
      clientTimers: RETRY,
    })
    pair.signatures = signatures.work
    return pair
  }

  it('§3.1.5 (C-32): ID_DER_ASN1_DN is the subject', () => {
    const pair = withCertificate(9, own!.subject)
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('§3.1.2: an identity that is not in the certificate is refused, though its key is right', () => {
    const pair = withCertificate(2, new TextEncoder().encode('gw'))
    pair.initiate()
    pair.run(5_000)
    expect(pair.client.eventsOf('authentication-failed')[0]!.detail).toMatch(/does not have the identity claimed/)
    expect(pair.isUp).toBe(false)
  })
})

describe('RFC 7619 NULL authentication, only by name', () => {
  const NULL = { kind: 'null' } as const
  const secret = sharedKey(SECRET)
  const anonymous = { localId: { idType: 13, data: new Uint8Array(0) } }

  it('§2.1: a client that is nobody, and a gateway that it believes', () => {
    const pair = new Pair({
      client: { ...anonymous, auth: { local: NULL, remote: secret.remote } },
      gateway: { auth: { local: secret.local, remote: NULL } },
    })
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('§2: who wants somebody refuses nobody, with AUTHENTICATION_FAILED', () => {
    const pair = new Pair({ client: { ...anonymous, auth: { local: NULL, remote: secret.remote } }, clientTimers: RETRY })
    pair.initiate()
    pair.run(5_000)
    expect(pair.transcript()[3]).toBe('R → I  HDR, SK {N(AUTHENTICATION_FAILED)}')
    expect(pair.gateway.eventsOf('authentication-failed')[0]!.detail).toMatch(/method 13, a shared key is wanted/)
  })

  it('§2.3: INITIAL_CONTACT of one that is nobody deletes nothing, and takes no address from another of the name', () => {
    const peer = { localId: identity('@anna'), auth: { local: NULL, remote: secret.remote } }
    const pair = new Pair({ client: peer, gateway: { auth: { local: secret.local, remote: NULL } } })
    pair.connect()
    const second = pair.addClient('second', '192.0.2.11', { ...peer, localId: identity('@anna') })
    pair.command(second, { kind: 'initiate', peer: 'gateway' })
    pair.run(2_000, () => second.core.sad.size > 0)
    expect(pair.gateway.core.ikeSas.size).toBe(2)
    expect(new Set([...pair.gateway.core.ikeSas.values()].map(({ addresses }) => addresses[0]!.address)).size).toBe(2)
  })

  it('§2.4: a configuration that goes by an identity which nobody proves is refused', () => {
    const auth = { local: secret.local, remote: NULL }
    expect(() => new Pair({ gateway: { auth, remoteId: identity('@client') } })).toThrow(/proves no identity/)
    expect(clientPeer([TCP]).auth).toEqual(gatewayPeer().auth)
  })
})

function release(pair: Meddler): void {
  for (const node of [pair.client, pair.gateway]) {
    node.holdsJobs = false
    for (const { job, work } of node.heldJobs.splice(0)) {
      const result = pair.signatures(work)
      if (result) pair.deliver(node, { kind: 'crypto-result', job, result })
    }
  }
}
