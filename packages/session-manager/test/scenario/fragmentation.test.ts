import { decodeMessage, ExchangeType, NotifyType, type Payload } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { sealContent } from '../../src/ike/protection.ts'
import type { Identity } from '../../src/index.ts'
import { isIkeAuth, isIkeSaInit, MeddledPair, replacing, rewritten } from '../meddler.ts'
import type { Node } from '../network.ts'
import { identity, type PairOptions, TCP, UDP } from '../pair.ts'

/** Small enough that IKE_AUTH takes several fragments each way. */
const SMALL = { maxIkeDatagramIpv4: 256 }

describe('RFC 7383 IKE fragmentation', () => {
  it('RFC 7383 §2.3, RFC 9329 §7.5 (T-FRAG-2): both ends announce it, over TCP too', () => {
    for (const transport of [UDP, TCP]) {
      const pair = fragmentingPair({ transports: [transport] })
      pair.connect()
      for (const { octets } of pair.log.slice(0, 2))
        expect(decodeMessage(octets).payloads).toContainEqual(
          expect.objectContaining({ notifyType: NotifyType.IKEV2_FRAGMENTATION_SUPPORTED }),
        )
    }
  })

  it('RFC 7383 §2.5, §2.5.1 (R-1, R-2): over UDP what is too long goes in fragments, none longer than a datagram may be', () => {
    const pair = fragmentingPair()
    pair.connect()
    for (const from of [pair.client, pair.gateway]) {
      const fragments = fragmentsFrom(pair, from)
      expect(fragments.length).toBeGreaterThan(2)
      expect(fragments.map((fragment) => fragment.number)).toEqual(fragments.map((_, index) => index + 1))
      expect(new Set(fragments.map((fragment) => fragment.total))).toEqual(new Set([fragments.length]))
      expect(fragments.slice(1).map((fragment) => fragment.firstPayload)).toEqual(fragments.slice(1).map(() => 0))
      expect(Math.max(...fragments.map((fragment) => fragment.octets.length))).toBeLessThanOrEqual(256 - 32)
    }
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7383 §2.5.1 (R-2): what fits into the datagram is not cut', () => {
    const pair = fragmentingPair({ clientLimits: { maxIkeDatagramIpv4: 1280 }, gatewayLimits: { maxIkeDatagramIpv4: 1280 } })
    pair.connect()
    expect(pair.log.some(({ octets }) => octets[16] === 53)).toBe(false)
  })

  it('RFC 7383 §2.3 (R-1): where one end does not announce it, nothing is cut', () => {
    for (const kind of ['request', 'response'] as const) {
      const pair = fragmentingPair()
      pair.meddle = (message) => (isIkeSaInit(message, kind) ? [rewritten(message, withoutFragmentation)] : undefined)
      pair.initiate()
      pair.run(2_000)
      // AUTH covers IKE_SA_INIT, so that nobody can take it away and be unnoticed: it fails, but not in fragments.
      expect(pair.isUp).toBe(false)
      expect(fragmentsFrom(pair, pair.client)).toEqual([])
    }
  })

  it('RFC 7383 §2.6: the order of the fragments does not matter, nor that each comes twice', () => {
    const pair = fragmentingPair()
    const held: Uint8Array[] = []
    pair.meddle = (message) => {
      if (!isFragment(message.octets)) return undefined
      held.push(message.octets.slice())
      const { total } = fragmentIn(message.octets)
      return held.length % total === 0
        ? held
            .splice(0)
            .reverse()
            .flatMap((octets) => [octets, octets])
        : []
    }
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([
    ['request', 'gateway'],
    ['response', 'client'],
  ] as const)('RFC 7383 §2.6.1 (R-1): fragments of the %s that are lost come with the repetition of all of them', (_kind, to) => {
    const pair = fragmentingPair()
    let lost = 0
    pair.link.loses = ({ from, kind, bytes }) =>
      kind === 'ike' && from !== pair[to] && isFragment(bytes) && fragmentIn(bytes).number === 2 && lost++ === 0
    pair.connect()
    expect(lost).toBeGreaterThan(0)
    expect(pair.counter(pair.gateway, 'ike-fragments-in')).toBeGreaterThan(2)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7383 §2.6.1 (R-1): of a request that is answered only the first fragment asks for the answer again', () => {
    const pair = fragmentingPair()
    pair.connect()
    const fragments = fragmentsFrom(pair, pair.client)
    const before = pair.log.length
    for (const { octets } of fragments.slice(1)) pair.deliverIke(pair.gateway, octets)
    expect(pair.log.length).toBe(before)
    pair.deliverIke(pair.gateway, fragments[0]!.octets)
    const answer = pair.log.slice(before).map(({ octets }) => octets)
    expect(answer).toEqual(
      fragmentsFrom(pair, pair.gateway)
        .slice(0, answer.length)
        .map(({ octets }) => octets),
    )
    expect(answer.length).toBeGreaterThan(2)
  })

  it('RFC 7383 §2.6.1: nor does a first fragment that is forged', () => {
    const pair = fragmentingPair()
    pair.connect()
    const forged = fragmentsFrom(pair, pair.client)[0]!.octets.slice()
    forged[forged.length - 1]! ^= 1
    const before = pair.log.length
    pair.deliverIke(pair.gateway, forged)
    expect(pair.log.length).toBe(before)
  })

  it('RFC 7383 §2.6 (R-1): fragments whose ICV is wrong are dropped, and the message comes whole all the same', () => {
    const pair = fragmentingPair()
    pair.meddle = ({ octets }) => {
      if (!isFragment(octets)) return undefined
      const forged = octets.slice()
      forged[forged.length - 1]! ^= 1
      return [forged, octets.slice()]
    }
    pair.connect()
    expect(pair.counter(pair.gateway, 'ike-icv-failures')).toBeGreaterThan(2)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 9329 §7.5 (T-FRAG-1): over TCP nothing is sent in fragments', () => {
    const pair = fragmentingPair({ transports: [TCP] })
    pair.connect()
    expect(pair.log.some(({ octets }) => isFragment(octets))).toBe(false)
  })

  it('RFC 9329 §7.5 (T-FRAG-1): over TCP fragments are taken, both ways', () => {
    const pair = fragmentingPair({ transports: [TCP] })
    pair.meddle = (message) => {
      if (!isIkeAuth(message, 'request') && !isIkeAuth(message, 'response')) return undefined
      return inFragments(pair, message.octets, 3)
    }
    pair.connect()
    expect(pair.counter(pair.gateway, 'ike-fragments-in')).toBe(3)
    expect(pair.counter(pair.client, 'ike-fragments-in')).toBe(3)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 9329 §7.5, RFC 7383 §2.6.1 (T-FRAG-1, T-RTX-2): what was asked in fragments over UDP is answered when it comes whole', () => {
    const pair = fragmentingPair()
    pair.connect()
    const before = pair.log.length
    const outer = pair.log.find(({ octets }) => isFragment(octets))!.octets
    pair.deliverIke(
      pair.gateway,
      whole(
        pair,
        fragmentsFrom(pair, pair.client).filter(({ octets }) => octets[18] === outer[18]),
      ),
    )
    expect(pair.log.length).toBeGreaterThan(before)
  })
})

describe('RFC 7383 §2.6 what an insider sends in fragments is bounded', () => {
  it.each([
    [0, 2, 'number 0'],
    [1, 0, 'total 0'],
    [3, 2, 'number above the total'],
    [1, 300, 'more than limits.maxFragments'],
  ])('§2.6 (R-1): fragment %i of %i is discarded: %s', (number, total) => {
    const pair = fragmentingPair()
    pair.connect()
    sayFragment(pair, number, total, new Uint8Array(4))
    expect(pair.counter(pair.gateway, 'ike-fragments-discarded')).toBe(1)
    expect(pair.saOf(pair.gateway).fragments.request).toBeUndefined()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('§2.6, §2.5.2 (R-1): a larger total begins anew, a smaller one is discarded', () => {
    const pair = fragmentingPair()
    pair.connect()
    sayFragment(pair, 1, 2, new Uint8Array(0))
    sayFragment(pair, 2, 3, new Uint8Array(0))
    expect([...pair.saOf(pair.gateway).fragments.request!.chunks.keys()]).toEqual([2])
    sayFragment(pair, 2, 2, new Uint8Array(0))
    expect(pair.saOf(pair.gateway).fragments.request).toMatchObject({ total: 3 })
    const before = pair.log.length
    sayFragment(pair, 1, 3, new Uint8Array(0))
    sayFragment(pair, 3, 3, new Uint8Array(0))
    // An empty INFORMATIONAL, whose answer is short.
    expect(pair.transcript(before)).toEqual(['R → I  HDR, SK {}'])
  })

  it('§2.6 (R-1): octets beyond what a message can have are not kept', () => {
    const pair = fragmentingPair()
    pair.connect()
    for (let number = 1; number <= 70; number++) sayFragment(pair, number, 256, new Uint8Array(1_000))
    expect(pair.saOf(pair.gateway).fragments.request!.octets).toBeLessThanOrEqual(65_531)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('§2.6 (R-1): what does not become whole in timers.reassembly is forgotten, and the IKE SA stands', () => {
    const pair = fragmentingPair({ gatewayTimers: { reassembly: 1_000 } })
    pair.connect()
    sayFragment(pair, 1, 2, new Uint8Array(10))
    expect(pair.saOf(pair.gateway).fragments.request).toBeDefined()
    pair.run(1_100)
    expect(pair.saOf(pair.gateway).fragments.request).toBeUndefined()
    expect(pair.counter(pair.gateway, 'ike-reassembly-timeouts')).toBe(1)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('§2.6 (R-1): what is whole and no payloads is a syntax error, as in SK', () => {
    const pair = fragmentingPair()
    pair.connect()
    sayFragment(pair, 1, 2, new Uint8Array(3).fill(7), 40)
    sayFragment(pair, 2, 2, new Uint8Array(3).fill(7))
    expect(pair.counter(pair.gateway, 'ike-syntax-errors')).toBe(1)
  })
})

function fragmentingPair(options: PairOptions = {}): MeddledPair {
  const [client, gateway] = ['c', 'g'].map((letter) => identity(`@${letter.repeat(300)}`)) as [Identity, Identity]
  return new MeddledPair({
    transports: [UDP],
    client: { localId: client, remoteId: gateway },
    gateway: { localId: gateway },
    clientLimits: SMALL,
    gatewayLimits: SMALL,
    ...options,
  })
}

const withoutFragmentation = replacing('N', (payload) =>
  payload.notifyType === NotifyType.IKEV2_FRAGMENTATION_SUPPORTED ? undefined : (payload as Payload),
)

function isFragment(octets: Uint8Array): boolean {
  return octets[16] === 53
}

function fragmentIn(octets: Uint8Array): { number: number; total: number; firstPayload: number; octets: Uint8Array } {
  const payload = decodeMessage(octets).payloads.at(-1)
  if (payload?.type !== 'SKF') throw new Error('no fragment')
  return { number: payload.fragmentNumber, total: payload.totalFragments, firstPayload: payload.firstPayload, octets }
}

/** Of IKE_AUTH, that it put on the wire. */
function fragmentsFrom(pair: MeddledPair, from: Node): ReturnType<typeof fragmentIn>[] {
  return pair.log.filter((entry) => entry.from === from && isFragment(entry.octets)).map((entry) => fragmentIn(entry.octets))
}

/** The client says a fragment of an INFORMATIONAL, authentic and with any numbers. */
function sayFragment(pair: MeddledPair, number: number, total: number, bytes: Uint8Array, firstPayload = 0): void {
  const { initiatorSpi, responderSpi, protection } = pair.saOf(pair.client)
  const header = { initiatorSpi, responderSpi, exchangeType: ExchangeType.INFORMATIONAL, flags: 0x08, messageId: 2 }
  const octets = sealContent({ ...protection!, sealed: 1_000_000 + sayings++ }, header, { firstPayload, bytes }, () => new Uint8Array(8), {
    number: 1,
    total: 1,
  })
  pair.deliverIke(pair.gateway, renumbered(pair, octets, number, total, bytes, firstPayload))
}

let sayings = 0

/** The encoder refuses wrong numbers, so that they are written over and the whole is sealed again by hand. */
function renumbered(
  pair: MeddledPair,
  octets: Uint8Array,
  number: number,
  total: number,
  bytes: Uint8Array,
  firstPayload: number,
): Uint8Array {
  const { protection } = pair.saOf(pair.client)
  const { cipher, keys } = protection!
  const forged = octets.slice()
  forged[28] = firstPayload
  forged.set([number >> 8, number & 0xff, total >> 8, total & 0xff], 32)
  const iv = forged.slice(36, 36 + cipher.ivLength)
  const plaintext = new Uint8Array(bytes.length + 1)
  plaintext.set(bytes)
  forged.set(cipher.seal({ encryption: keys.skei, integrity: keys.skai }, iv, forged.subarray(0, 36), plaintext), 36 + cipher.ivLength)
  return forged
}

/** The same message cut into so many, as a peer that does that over TCP too. */
function inFragments(pair: MeddledPair, octets: Uint8Array, total: number): Uint8Array[] {
  const message = decodeMessage(octets)
  const { header } = message
  const protection = pair.keysOf(header)
  const content = pair.contentOf(octets)
  const chunk = Math.ceil(content.bytes.length / total)
  return Array.from({ length: total }, (_, index) => {
    const bytes = content.bytes.subarray(index * chunk, (index + 1) * chunk)
    const forging = { ...protection, sealed: 2_000_000 + sayings++ }
    return sealContent(forging, header, { firstPayload: content.firstPayload, bytes }, () => new Uint8Array(8), {
      number: index + 1,
      total,
    })
  })
}

/** The message that these are the fragments of, in one SK. */
function whole(pair: MeddledPair, fragments: readonly { octets: Uint8Array }[]): Uint8Array {
  const first = decodeMessage(fragments[0]!.octets)
  const protection = pair.keysOf(first.header)
  const content = pair.contentOf(...fragments.map(({ octets }) => octets))
  return sealContent({ ...protection, sealed: 3_000_000 + sayings++ }, first.header, content, () => new Uint8Array(8))
}
