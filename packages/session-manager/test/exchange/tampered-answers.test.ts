import { KeyExchangeMethod, type Payload, TransformType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { parseEspSuite, parseIkeSuite, type TransportOption } from '../../src/index.ts'
import { isIkeAuth, isIkeSaInit, MeddledPair, replacing, rewritten } from '../meddler.ts'
import { TCP, UDP } from '../pair.ts'

const ike = (...texts: string[]): ReturnType<typeof parseIkeSuite>[] => texts.map(parseIkeSuite)
const esp = (...texts: string[]): ReturnType<typeof parseEspSuite>[] => texts.map(parseEspSuite)
const SLOW = { retry: 60_000 }

describe('RFC 7296 §3.3.6 (C-14) an answer that was tampered with', () => {
  const toInit: [string, (payloads: readonly Payload[]) => readonly Payload[]][] = [
    ['a cipher that was not on offer', replacing('SA', (sa) => changed(sa, TransformType.ENCR, { id: 11 }))],
    ['another key length', replacing('SA', (sa) => changed(sa, TransformType.ENCR, { keyLength: 128 }))],
    [
      'a group that is not that of the KE payload',
      replacing('SA', (sa) => changed(sa, TransformType.KE, { id: KeyExchangeMethod.ECP_256 })),
    ],
    ['no transforms', replacing('SA', (sa) => ({ ...sa, proposals: [{ ...sa.proposals[0]!, transforms: [] }] }))],
    ['another number', replacing('SA', (sa) => ({ ...sa, proposals: [{ ...sa.proposals[0]!, number: 77 }] }))],
    ['two proposals', replacing('SA', (sa) => ({ ...sa, proposals: [sa.proposals[0]!, sa.proposals[0]!] }))],
    ['no SA', replacing('SA', () => undefined)],
    ['no KE', replacing('KE', () => undefined)],
    ['no Nonce', replacing('Nonce', () => undefined)],
    ['a KE of another method', replacing('KE', (ke) => ({ ...ke, method: KeyExchangeMethod.ECP_256 }))],
  ]

  it.each(toInit)('RFC 7296 §3.3.6 (C-14): %s in IKE_SA_INIT ends the exchange over TCP', (_, change) => {
    const pair = new MeddledPair({ clientTimers: SLOW })
    pair.meddle = (message) => (isIkeSaInit(message, 'response') ? [rewritten(message, change)] : undefined)
    pair.initiate()
    pair.run(2_000)
    expect(pair.log.some((entry) => entry.text.includes('SK {'))).toBe(false)
    expect(pair.client.core.ikeSas.size).toBe(0)
    expect(pair.client.eventsOf('handshake-failed')).toHaveLength(1)
  })

  it.each(toInit)('RFC 7296 §2.21.1: %s in IKE_SA_INIT over UDP is ignored: the good answer still counts', (_, change) => {
    const pair = new MeddledPair({ transports: [UDP] })
    pair.meddle = (message) => (isIkeSaInit(message, 'response') ? [rewritten(message, change), message.octets] : undefined)
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §5 (C-35): INTEG NONE with AES-CBC is no answer', () => {
    const suites = { ikeProposals: ike('aes256-sha256-ecp256') }
    const pair = new MeddledPair({ client: suites, gateway: suites, clientTimers: SLOW })
    pair.meddle = (message) =>
      isIkeSaInit(message, 'response')
        ? [
            rewritten(
              message,
              replacing('SA', (sa) => changed(sa, TransformType.INTEG, { id: 0 })),
            ),
          ]
        : undefined
    pair.initiate()
    pair.run(2_000)
    expect(pair.isUp).toBe(false)
    expect(pair.client.eventsOf('handshake-failed')[0]!.detail).toMatch(/not on offer/)
  })

  it.each<[string, (payloads: readonly Payload[]) => readonly Payload[]]>([
    ['a cipher that was not on offer', replacing('SA', (sa) => changed(sa, TransformType.ENCR, { id: 28, keyLength: 256 }))],
    ['INTEG NONE in the place of integrity', replacing('SA', (sa) => changed(sa, TransformType.INTEG, { id: 0 }))],
    ['ESN, which was not on offer', replacing('SA', (sa) => changed(sa, TransformType.SN, { id: 1 }))],
    ['another number', replacing('SA', (sa) => ({ ...sa, proposals: [{ ...sa.proposals[0]!, number: 77 }] }))],
    ['SPI 0', replacing('SA', (sa) => ({ ...sa, proposals: [{ ...sa.proposals[0]!, spi: new Uint8Array(4) }] }))],
    ['an SPI of three octets', replacing('SA', (sa) => ({ ...sa, proposals: [{ ...sa.proposals[0]!, spi: new Uint8Array(3).fill(1) }] }))],
    ['a TSr wider than asked for', replacing('TSr', (ts) => ({ ...ts, selectors: widened(ts.selectors) }))],
    ['a TSi without the address assigned', replacing('TSi', (ts) => ({ ...ts, selectors: moved(ts.selectors) }))],
    ['no SA', replacing('SA', () => undefined)],
    ['no TSi', replacing('TSi', () => undefined)],
    ['no TSr', replacing('TSr', () => undefined)],
    ['no CP', replacing('CP', () => undefined)],
  ])('RFC 7296 §2.9, §3.3.6 (C-14): %s in IKE_AUTH: no Child SA, and the IKE SA is deleted', (_, change) => {
    const suites = { espProposals: esp('aes256-sha256') }
    const pair = new MeddledPair({ client: suites, gateway: suites, clientTimers: SLOW })
    pair.meddle = (message) => (isIkeAuth(message, 'response') ? [pair.resealed(message, change)] : undefined)
    pair.initiate()
    pair.run(2_000)
    expect(pair.client.core.sad.size).toBe(0)
    expect(pair.client.eventsOf('handshake-failed')).toHaveLength(1)
    expect(pair.transcript().slice(4)).toEqual(['I → R  HDR, SK {D}', 'R → I  HDR, SK {}'])
    expect(pair.gateway.core.ikeSas.size + pair.gateway.core.sad.size).toBe(0)
  })

  it.each<[string, (payloads: readonly Payload[]) => readonly Payload[]]>([
    ['SPI 0', replacing('SA', (sa) => ({ ...sa, proposals: sa.proposals.map((proposal) => ({ ...proposal, spi: new Uint8Array(4) })) }))],
    [
      'two proposals of one number, the first without an SPI',
      replacing('SA', (sa) => ({ ...sa, proposals: [{ ...sa.proposals[0]!, protocol: 2, spi: new Uint8Array(0) }, ...sa.proposals] })),
    ],
  ])('RFC 3948 §2 (U-1): an offer of ESP with %s never makes an SA with SPI 0', (_, change) => {
    const pair = new MeddledPair({ clientTimers: SLOW })
    pair.meddle = (message) => (isIkeAuth(message, 'request') ? [pair.resealed(message, change)] : undefined)
    pair.initiate()
    pair.run(2_000)
    for (const child of pair.gateway.core.sad.values()) expect(child.outboundSpi).not.toBe(0)
    expect(pair.gateway.eventsOf('authentication-failed')).toHaveLength(0)
  })
})

describe('RFC 6989 §2.5 (K-2) a public value that fails its check', () => {
  it.each<[string, TransportOption]>([
    ['TCP', TCP],
    ['UDP', UDP],
  ])(
    'RFC 6989 §2.5 (K-2): in an IKE_SA_INIT request over %s: dropped, and its half-open slot is free after `timers.handshake`',
    (_, transport) => {
      const pair = new MeddledPair({ transports: [transport], clientTimers: SLOW, gatewayTimers: { handshake: 10_000 } })
      pair.meddle = (message) => (isIkeSaInit(message, 'request') ? [rewritten(message, replacing('KE', zeroed))] : undefined)
      pair.initiate()
      pair.run(5_000)
      expect(pair.log.some((entry) => entry.from === pair.gateway)).toBe(false)
      expect(pair.counter(pair.gateway, 'ike-invalid-public-values')).toBe(1)
      expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(1)
      pair.run(6_000)
      expect(pair.gateway.core.ikeSas.size).toBe(0)
      expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(0)
    },
  )

  it('RFC 6989 §2.5 (K-2): in an IKE_SA_INIT response over TCP the handshake ends', () => {
    const pair = new MeddledPair({ clientTimers: SLOW })
    pair.meddle = (message) => (isIkeSaInit(message, 'response') ? [rewritten(message, replacing('KE', zeroed))] : undefined)
    pair.initiate()
    pair.run(5_000)
    expect(pair.client.core.ikeSas.size).toBe(0)
    expect(pair.client.eventsOf('transport-failed')[0]!.reason).toMatch(/key exchange/)
  })

  it('RFC 6989 §2.5 (K-2): in an IKE_SA_INIT response over UDP it is dropped, and the good one that follows still counts', () => {
    const pair = new MeddledPair({ transports: [UDP] })
    let forged = 0
    pair.meddle = (message) =>
      isIkeSaInit(message, 'response') && forged++ === 0 ? [rewritten(message, replacing('KE', zeroed))] : undefined
    pair.connect()
    expect(forged).toBe(2)
    expect(pair.client.eventsOf('transport-tried')).toHaveLength(1)
    expect(pair.passesTraffic()).toBe(true)
  })
})

it('RFC 7296 §2.9 (C-14): a TSi wider than asked for makes no Child SA either', () => {
  const pair = new MeddledPair({
    client: { localSubnets: ['10.1.0.0/24'], requestAddresses: [] },
    gateway: { remoteSubnets: ['10.1.0.0/24'], pool: undefined },
    clientTimers: SLOW,
  })
  pair.meddle = (message) =>
    isIkeAuth(message, 'response')
      ? [
          pair.resealed(
            message,
            replacing('TSi', (ts) => ({ ...ts, selectors: widened(ts.selectors) })),
          ),
        ]
      : undefined
  pair.initiate()
  pair.run(2_000)
  expect(pair.client.core.sad.size).toBe(0)
  expect(pair.client.eventsOf('handshake-failed')[0]!.detail).toMatch(/wider/)
})

type Of<Type extends Payload['type']> = Extract<Payload, { type: Type }>

function changed(sa: Of<'SA'>, type: number, change: object): Of<'SA'> {
  const proposals = sa.proposals.map((proposal) => ({
    ...proposal,
    transforms: proposal.transforms.map((transform) => (transform.type === type ? { ...transform, ...change } : transform)),
  }))
  return { ...sa, proposals }
}

function zeroed(ke: Of<'KE'>): Of<'KE'> {
  return { ...ke, data: new Uint8Array(ke.data.length) }
}

function widened(selectors: Of<'TSr'>['selectors']): Of<'TSr'>['selectors'] {
  return selectors.map((selector) => ('endAddress' in selector ? { ...selector, endAddress: new Uint8Array(4).fill(255) } : selector))
}

function moved(selectors: Of<'TSi'>['selectors']): Of<'TSi'>['selectors'] {
  const address = Uint8Array.of(203, 0, 113, 1)
  return selectors.map((selector) => ('endAddress' in selector ? { ...selector, startAddress: address, endAddress: address } : selector))
}
