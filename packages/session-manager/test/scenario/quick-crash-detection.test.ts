import { decodeMessage, ExchangeType, encodeMessage, HeaderFlag, NotifyType, notify, type Payload } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { findNotify } from '../../src/ike/payload-queries.ts'
import type { SessionError } from '../../src/index.ts'
import { MeddledPair } from '../meddler.ts'
import type { Node } from '../network.ts'
import { gatewayPeer, Pair, type PairOptions, sessionConfig, TCP, UDP } from '../pair.ts'

interface Spis {
  readonly initiatorSpi: bigint
  readonly responderSpi: bigint
}

const SECRET = new Uint8Array(32).fill(7)
const OTHER_SECRET = new Uint8Array(32).fill(8)
/** No liveness checks but those that are provoked, and long waits for what is not answered. */
const QUIET = { liveness: 600_000, resume: 20_000, response: 60_000, reconnect: 120_000 }

describe.each([
  ['TCP', TCP],
  ['UDP', UDP],
])('RFC 6290 quick crash detection over %s', (_, transport) => {
  const connected = (options: PairOptions = {}): MeddledPair => {
    const pair = new MeddledPair({
      transports: [transport],
      gatewayCrashSecret: SECRET,
      clientTimers: QUIET,
      gatewayTimers: QUIET,
      ...options,
    })
    pair.connect()
    return pair
  }

  it('RFC 6290 §4.5: a gateway that was restarted shows its token, and the client is back at once', () => {
    const pair = connected()
    const [old] = pair.client.core.ikeSas.keys()
    const fresh = restarted(pair, SECRET)
    if (transport === TCP) pair.cut(pair.pipe, 'reset', pair.client)
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.run(2_500)
    expect(pair.counter(pair.client, 'ike-crashes-proved')).toBe(1)
    expect(fresh.core.sad.size).toBe(1)
    expect(pair.client.core.ikeSas.has(old!)).toBe(false)
    expect(pair.client.eventsOf('liveness')).toMatchObject([{ result: 'dead' }])
  })

  it('RFC 6290 §4.5: a token that is another’s is worth no more than INVALID_IKE_SPI alone', () => {
    const pair = connected()
    const fresh = restarted(pair, OTHER_SECRET)
    if (transport === TCP) pair.cut(pair.pipe, 'reset', pair.client)
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.run(2_500)
    expect(pair.counter(pair.client, 'ike-crashes-proved')).toBe(0)
    expect(fresh.core.sad.size).toBe(0)
    expect(pair.client.core.ikeSas.size).toBe(1)
  })
})

describe('RFC 6290 §4.2, §4.4 tokens that an end is given', () => {
  it('RFC 6290 §4.1: Protocol ID 1, no SPI, 16 to 128 octets; both ends may make one, with a secret only', () => {
    const tokens = (options: PairOptions): string[] => {
      const pair = new Pair(options)
      pair.connect()
      return pair.transcript().filter((line) => line.includes('N(QUICK_CRASH_DETECTION)'))
    }
    expect(tokens({})).toEqual([])
    expect(tokens({ gatewayCrashSecret: SECRET })).toHaveLength(1)
    const pair = new Pair({ gatewayCrashSecret: SECRET })
    pair.connect()
    expect(pair.saOf(pair.client).crashTokens.map(({ length }) => length)).toEqual([32])
    expect(pair.saOf(pair.gateway).crashTokens).toEqual([])
  })

  it('RFC 6290 §4.5: any of four counts, and a fifth is not kept', () => {
    const pair = new Pair({ gatewayCrashSecret: SECRET })
    pair.connect()
    const sa = pair.saOf(pair.client)
    const token = (octet: number): Payload => notify(NotifyType.QUICK_CRASH_DETECTION, new Uint8Array(16).fill(octet))
    const sent = { purpose: 'liveness', exchangeType: ExchangeType.INFORMATIONAL } as const
    pair.saOf(pair.gateway).window.waiting.push({ ...sent, payloads: [1, 2, 3, 4, 5].map(token) })
    pair.command(pair.gateway, { kind: 'check-liveness' })
    pair.settle()
    expect(sa.crashTokens.map((kept) => kept[0])).toEqual([1, 2, 3, 4])
  })

  it('RFC 6290 §5.1: a secret of less than 32 octets is refused', () => {
    const short = { gatewayCrashSecret: new Uint8Array(31) }
    expect(() => new Pair(short)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' } satisfies Partial<SessionError>))
  })
})

describe('RFC 6290 §9.2 no token is shown for an IKE SA that is there', () => {
  const answersTo = (
    pair: MeddledPair,
    flags: number,
    { nextIsProtected = true, spis = pair.saOf(pair.gateway) as Spis } = {},
  ): Payload[] => {
    const { initiatorSpi, responderSpi } = spis
    const header = { initiatorSpi, responderSpi, exchangeType: ExchangeType.INFORMATIONAL, flags, messageId: 9 }
    const payload: Payload = nextIsProtected ? { type: 'SK', firstPayload: 0, body: new Uint8Array(64) } : notify(16_384)
    const from = pair.log.length
    pair.deliverIke(pair.gateway, encodeMessage({ header, payloads: [payload] }))
    pair.settle()
    return pair.log.slice(from).flatMap((entry) => (entry.from === pair.gateway ? decodeMessage(entry.octets).payloads : []))
  }
  const hasToken = (payloads: readonly Payload[]): boolean => findNotify(payloads, NotifyType.QUICK_CRASH_DETECTION) !== undefined
  const up = (options: PairOptions = {}): MeddledPair => {
    const pair = new MeddledPair({ transports: [UDP], gatewayCrashSecret: SECRET, ...options })
    pair.connect()
    return pair
  }

  it('RFC 6290 §9.2: whichever of the two roles the flags of the request give the gateway', () => {
    for (const flags of [0, HeaderFlag.INITIATOR]) expect(hasToken(answersTo(up(), flags))).toBe(false)
  })

  it('RFC 6290 §9.2: nor is it the token of that IKE SA, where one of the SPIs is another', () => {
    const pair = up()
    const { initiatorSpi, responderSpi } = pair.saOf(pair.gateway)
    const [kept] = pair.saOf(pair.client).crashTokens
    for (const spis of [
      { initiatorSpi, responderSpi: responderSpi + 64n },
      { initiatorSpi: initiatorSpi + 1n, responderSpi },
    ])
      for (const flags of [0, HeaderFlag.INITIATOR])
        for (const payload of answersTo(pair, flags, { spis: spis })) if (payload.type === 'N') expect(payload.data).not.toEqual(kept)
  })

  it('RFC 6290 §4.5: a request that is not protected gets none', () => {
    const pair = up()
    const spis = { initiatorSpi: 5n, responderSpi: 6n }
    expect(hasToken(answersTo(pair, HeaderFlag.INITIATOR, { spis }))).toBe(true)
    expect(hasToken(answersTo(pair, HeaderFlag.INITIATOR, { spis, nextIsProtected: false }))).toBe(false)
  })

  it('RFC 6290 §9.2: of several cores only the one whose SPI it is answers with one', () => {
    const pair = up({ gatewayShard: { index: 1, count: 2 } })
    expect(hasToken(answersTo(pair, HeaderFlag.INITIATOR, { spis: { initiatorSpi: 5n, responderSpi: 0x101n } }))).toBe(true)
    expect(hasToken(answersTo(pair, HeaderFlag.INITIATOR, { spis: { initiatorSpi: 5n, responderSpi: 0x100n } }))).toBe(false)
  })
})

/** Another core in the gateway's place, which knows nothing but its secret. */
function restarted(pair: Pair, crashSecret: Uint8Array): Node {
  pair.nodes.splice(pair.nodes.indexOf(pair.gateway), 1)
  return pair.add('gateway-2', pair.gateway.address, { ...sessionConfig([gatewayPeer()], true), crashSecret })
}
