import { NotifyType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { type Ppk, parseIkeSuite } from '../../src/index.ts'
import { isIkeAuth, isIkeSaInit, MeddledPair, replacing, rewritten } from '../meddler.ts'

describe('RFC 8784 §3 a post-quantum preshared key', () => {
  it.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])('(P-6): both have it, required at the initiator: %s, at the responder: %s: it is used', (atClient, atGateway) => {
    const pair = pairWith(ppk('k', atClient), ppk('k', atGateway))
    pair.connect()
    expect(pair.saOf(pair.client).withoutPpk).toBeDefined()
    const keys = pair.saOf(pair.client).protection!.keys
    expect(keys).toEqual(pair.saOf(pair.gateway).protection!.keys)
    expect(keys.skd).not.toEqual(pair.saOf(pair.client).withoutPpk!.skd)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(P-6): what goes over the wire: USE_PPK, PPK_IDENTITY, and NO_PPK_AUTH only where it may be done without', () => {
    for (const isRequired of [true, false]) {
      const pair = pairWith(ppk('k', isRequired), ppk('k', false))
      pair.connect()
      const lines = pair.transcript()
      for (const line of lines.slice(0, 2)) expect(line).toContain('N(USE_PPK)')
      expect(lines[2]).toContain('N(PPK_IDENTITY)')
      expect(lines[2]!.includes('N(NO_PPK_AUTH)')).toBe(!isRequired)
      expect(lines[3]).toContain('N(PPK_IDENTITY)')
    }
  })

  it.each([
    ['only the initiator has it', ppk('k', false), undefined],
    ['only the responder has it', undefined, ppk('k', false)],
    ['they have others', ppk('one', false), ppk('two', false)],
  ])('(P-6): %s, and it is optional: they do without', (_what, client, gateway) => {
    const pair = pairWith(client, gateway)
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.transcript()[3]).not.toContain('N(PPK_IDENTITY)')
    expect(pair.saOf(pair.client).protection!.keys).toEqual(pair.saOf(pair.gateway).protection!.keys)
  })

  it.each([
    ['only the initiator has it, who needs it', ppk('k', true), undefined],
    ['only the responder has it, who needs it', undefined, ppk('k', true)],
    ['they have others, and the initiator needs it', ppk('one', true), ppk('two', false)],
    ['they have others, and the responder needs it', ppk('one', false), ppk('two', true)],
    ['they have one of the same name that is not the same', ppk('k', false), { ...ppk('k', false), key: new Uint8Array(32).fill(9) }],
  ])('(P-6): %s: there is no IKE SA', (_what, client, gateway) => {
    const pair = pairWith(client, gateway)
    pair.initiate()
    pair.run(1_000)
    expect(pair.isUp).toBe(false)
    expect(pair.gateway.core.sad.size).toBe(0)
    expect([...pair.client.core.ikeSas.values()].every((sa) => sa.state.kind !== 'ESTABLISHED')).toBe(true)
  })

  it('(P-6): a responder that answers without PPK_IDENTITY where it is required is not believed', () => {
    const pair = pairWith(ppk('k', true), ppk('k', false))
    pair.meddle = (message) => (isIkeAuth(message, 'response') ? [pair.resealed(message, without(NotifyType.PPK_IDENTITY))] : undefined)
    pair.initiate()
    pair.run(1_000)
    expect(pair.client.eventsOf('authentication-failed')[0]!.detail).toContain('PPK')
    expect(pair.isUp).toBe(false)
  })

  it('(P-6): a request without PPK_IDENTITY where both announced USE_PPK is refused', () => {
    const pair = pairWith(ppk('k', false), ppk('k', false))
    pair.meddle = (message) => (isIkeAuth(message, 'request') ? [pair.resealed(message, without(NotifyType.PPK_IDENTITY))] : undefined)
    pair.initiate()
    pair.run(1_000)
    expect(pair.transcript()[3]).toContain('N(AUTHENTICATION_FAILED)')
  })

  it('(P-6): somebody in the middle who takes USE_PPK away is found out', () => {
    for (const kind of ['request', 'response'] as const) {
      const pair = pairWith(ppk('k', false), ppk('k', false))
      pair.meddle = (message) => (isIkeSaInit(message, kind) ? [rewritten(message, without(NotifyType.USE_PPK))] : undefined)
      pair.initiate()
      pair.run(1_000)
      expect(pair.isUp).toBe(false)
    }
  })

  it('(P-6): with additional key exchanges, too', () => {
    const suites = { ikeProposals: [parseIkeSuite('aes256gcm16-prfsha256-x25519-ke1_ecp256')] }
    const pair = new MeddledPair({ client: { ...suites, ppk: ppk('k', true) }, gateway: { ...suites, ppk: ppk('k', true) } })
    pair.connect()
    expect(pair.saOf(pair.gateway).withoutPpk).toBeDefined()
    expect(pair.passesTraffic()).toBe(true)
  })
})

function pairWith(client: Ppk | undefined, gateway: Ppk | undefined): MeddledPair {
  return new MeddledPair({
    clientTimers: { retry: 60_000 },
    client: client ? { ppk: client } : {},
    gateway: gateway ? { ppk: gateway } : {},
  })
}

function ppk(id: string, isRequired: boolean): Ppk {
  const octets = Uint8Array.from(id, (character) => character.charCodeAt(0))
  return { id: octets, key: new Uint8Array(32).fill(octets[0]!), isRequired }
}

function without(notifyType: number): ReturnType<typeof replacing> {
  return replacing('N', (payload) => (payload.notifyType === notifyType ? undefined : payload))
}
