import { describe, expect, it } from 'vitest'
import { AttributeType, decodePacket, type EapRequest, RadiusClient, type RadiusOutput } from '../src/index.ts'
import { answerTo, eapMessage, isAuthentic, mppeKey, SECRET } from './server.ts'

const SECRETS = [SECRET, Uint8Array.from(Buffer.from('the second'))]
const REQUEST: EapRequest = { packet: Uint8Array.of(2, 1, 0, 9, 1, 97, 110, 110, 97), identity: 'anna', state: undefined }

function clientOf(secrets: readonly Uint8Array[] = [SECRET]): { client: RadiusClient; drain: () => RadiusOutput[]; wait: () => number } {
  let count = 0
  const random = (length: number): Uint8Array => new Uint8Array(length).map(() => ++count & 0xff)
  const client = new RadiusClient({ servers: secrets.map((secret) => ({ secret, nasIdentifier: 'gw.example' })), random })
  let time = 0
  const drain = (): RadiusOutput[] => {
    const outputs: RadiusOutput[] = []
    for (let output = client.pollOutput(); ; output = client.pollOutput()) {
      if (output.kind === 'wait-until') {
        time = output.time
        return outputs
      }
      outputs.push(output)
    }
  }
  return { client, drain, wait: () => time }
}

const sent = (outputs: readonly RadiusOutput[]): Extract<RadiusOutput, { kind: 'send' }> =>
  outputs.find((one): one is Extract<RadiusOutput, { kind: 'send' }> => one.kind === 'send')!

describe('RFC 3579 §2 EAP by RADIUS', () => {
  it('RFC 3579 §3.1: a request holds User-Name, who we are, EAP-Message and Message-Authenticator', () => {
    const { client, drain } = clientOf()
    client.ask(REQUEST, 0)
    const { octets } = sent(drain())
    expect(isAuthentic(octets)).toBe(true)
    const { code, attributes } = decodePacket(octets)
    expect(code).toBe(1)
    const of = (type: number): string[] =>
      attributes.flatMap((one) => (one.type === type ? [Buffer.from(one.value).toString('latin1')] : []))
    expect(of(AttributeType.USER_NAME)).toEqual(['anna'])
    expect(of(AttributeType.NAS_IDENTIFIER)).toEqual(['gw.example'])
    expect(of(AttributeType.EAP_MESSAGE)).toEqual(['\x02\x01\x00\x09\x01anna'])
  })

  it('RFC 3579 §3.1: an EAP packet of more than 253 octets is in several attributes, in order and behind each other; and so it comes', () => {
    const { client, drain } = clientOf()
    const packet = Uint8Array.from({ length: 700 }, (_, i) => i & 0xff)
    client.ask({ ...REQUEST, packet }, 0)
    const { octets } = sent(drain())
    const { attributes } = decodePacket(octets)
    const first = attributes.findIndex(({ type }) => type === 79)
    expect(attributes.slice(first, first + 3).map(({ type, value }) => [type, value.length])).toEqual([
      [79, 253],
      [79, 253],
      [79, 194],
    ])
    const pieces = attributes.filter(({ type }) => type === 79)
    expect(Buffer.concat(pieces.map(({ value }) => value))).toEqual(Buffer.from(packet))
    client.receive(0, answerTo(octets, 11, [...pieces, { type: 24, value: Uint8Array.of(7) }]), 10)
    expect(drain()).toEqual([{ kind: 'answer', question: 1, answer: { outcome: 'challenge', packet, state: Uint8Array.of(0, 7) } }])
  })

  it('RFC 2865 §5.24: the State of a challenge goes back as it came, to the server that gave it', () => {
    const { client, drain } = clientOf(SECRETS)
    client.ask({ ...REQUEST, state: Uint8Array.of(1, 9, 8, 7) }, 0)
    const { server, octets } = sent(drain())
    expect(server).toBe(1)
    expect(isAuthentic(octets, SECRETS[1])).toBe(true)
    expect(decodePacket(octets).attributes.filter(({ type }) => type === 24)).toEqual([{ type: 24, value: Uint8Array.of(9, 8, 7) }])
  })

  it('RFC 2548 §2.4, RFC 2865 §5.8, §5.27: Access-Accept gives keys, which make the MSK, a name, an address and a time', () => {
    const { client, drain } = clientOf()
    client.ask(REQUEST, 0)
    const { octets } = sent(drain())
    const [received, given] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
    client.receive(
      0,
      answerTo(octets, 2, [
        eapMessage(3, 1, 0, 4),
        mppeKey(octets, 17, received),
        mppeKey(octets, 16, given),
        { type: 1, value: Buffer.from('anna@example') },
        { type: 8, value: Uint8Array.of(10, 9, 9, 9) },
        { type: 27, value: Uint8Array.of(0, 0, 14, 16) },
      ]),
      10,
    )
    expect(drain()).toEqual([
      {
        kind: 'answer',
        question: 1,
        answer: {
          outcome: 'accept',
          packet: Uint8Array.of(3, 1, 0, 4),
          msk: Uint8Array.from([...received, ...given]),
          identity: 'anna@example',
          addresses: [Uint8Array.of(10, 9, 9, 9)],
          sessionTimeout: 3600,
        },
      },
    ])
  })

  it('RFC 2548 §2.4: keys of 16 octets make an MSK of 64, with zeros behind them', () => {
    const { client, drain } = clientOf()
    client.ask(REQUEST, 0)
    const { octets } = sent(drain())
    client.receive(
      0,
      answerTo(octets, 2, [mppeKey(octets, 16, new Uint8Array(16).fill(2)), mppeKey(octets, 17, new Uint8Array(16).fill(1))]),
      10,
    )
    const [output] = drain()
    const msk = output?.kind === 'answer' && output.answer.outcome === 'accept' ? output.answer.msk : undefined
    expect(msk).toEqual(Uint8Array.from({ length: 64 }, (_, i) => (i < 16 ? 1 : i < 32 ? 2 : 0)))
  })

  it('RFC 2865 §5.8: 255.255.255.254 lets us choose: it is no address', () => {
    const { client, drain } = clientOf()
    client.ask(REQUEST, 0)
    client.receive(0, answerTo(sent(drain()).octets, 2, [{ type: 8, value: Uint8Array.of(255, 255, 255, 254) }]), 10)
    expect(drain()).toMatchObject([{ answer: { outcome: 'accept', addresses: [], msk: undefined } }])
  })

  it('RFC 2865 §4.3: Access-Reject says so, with the words for people', () => {
    const { client, drain } = clientOf()
    client.ask(REQUEST, 0)
    client.receive(0, answerTo(sent(drain()).octets, 3, [eapMessage(4, 1, 0, 4), { type: 18, value: Buffer.from('no, Änne') }]), 10)
    expect(drain()).toMatchObject([{ answer: { outcome: 'reject', packet: Uint8Array.of(4, 1, 0, 4), message: 'no, Änne' } }])
  })
})

describe('RFC 2865 §2.4 what is repeated, and to whom', () => {
  it('RFC 2865 §2.5: the same octets, after waits that double; then the next server; then it has failed', () => {
    const { client, drain, wait } = clientOf(SECRETS)
    client.ask(REQUEST, 0)
    const history: [number, number][] = []
    const seen = new Map<number, Uint8Array>()
    let failed: RadiusOutput | undefined
    for (let now = 0; failed === undefined; now = wait()) {
      client.timeout(now)
      for (const output of drain()) {
        if (output.kind === 'failed') failed = output
        if (output.kind !== 'send') continue
        history.push([now, output.server])
        expect(output.octets).toEqual(seen.get(output.server) ?? output.octets)
        seen.set(output.server, output.octets)
      }
    }
    expect(history).toEqual([
      [0, 0],
      [1_000, 0],
      [3_000, 0],
      [7_000, 1],
      [8_000, 1],
      [10_000, 1],
    ])
    expect(failed).toEqual({ kind: 'failed', question: 1, detail: 'RADIUS server 2 does not answer' })
    expect(wait()).toBe(Number.POSITIVE_INFINITY)
  })

  it('RFC 2865 §2.4: a server that did not answer is asked after the others for a while, and before them later', () => {
    const { client, drain } = clientOf(SECRETS)
    client.ask(REQUEST, 0)
    for (const now of [1_000, 3_000, 7_000]) client.timeout(now)
    drain()
    client.ask(REQUEST, 8_000)
    expect(sent(drain()).server).toBe(1)
    client.ask(REQUEST, 40_000)
    expect(sent(drain()).server).toBe(0)
  })

  it('RFC 2865 §3: no two requests that wait have one Identifier, and no more wait than there are', () => {
    const { client, drain } = clientOf()
    for (let i = 0; i < 257; i++) client.ask(REQUEST, 0)
    const outputs = drain()
    const identifiers = outputs.flatMap((output) => (output.kind === 'send' ? [output.octets[1]!] : []))
    expect(new Set(identifiers).size).toBe(256)
    expect(outputs.at(-1)).toMatchObject({ kind: 'failed', question: 257 })
  })

  it('RFC 3579 §3.2: what is forged, malformed or late is discarded, and what is right after it is still heard', () => {
    const { client, drain } = clientOf(SECRETS)
    client.ask(REQUEST, 0)
    const { octets } = sent(drain())
    const right = answerTo(octets, 11, [eapMessage(1, 2, 0, 5, 4)])
    const wrongIdentifier = answerTo(octets, 11, [eapMessage(1, 2, 0, 5, 4)])
    wrongIdentifier[1]! ^= 0x80
    const forged = [
      new Uint8Array(3),
      right.map((octet, i) => (i === 25 ? octet ^ 1 : octet)),
      answerTo(octets, 11, [eapMessage(1, 2, 0, 5, 4)], { secret: SECRETS[1]! }),
      answerTo(octets, 11, [eapMessage(1, 2, 0, 5, 4)], { withoutMessageAuthenticator: true }),
      answerTo(octets, 11, []),
      answerTo(octets, 5, []),
      wrongIdentifier,
    ]
    for (const octetsOfIt of forged) client.receive(0, octetsOfIt, 5)
    client.receive(1, right, 5)
    expect(drain().map(({ kind }) => kind)).toEqual(Array(8).fill('discarded'))
    client.receive(0, right, 6)
    client.receive(0, right, 6)
    expect(drain().map(({ kind }) => kind)).toEqual(['answer', 'discarded'])
  })

  it('RFC 2865 §3: random changes of an answer never throw', () => {
    const { client, drain } = clientOf()
    client.ask(REQUEST, 0)
    const { octets } = sent(drain())
    const right = answerTo(octets, 2, [
      eapMessage(3, 1, 0, 4),
      mppeKey(octets, 16, new Uint8Array(16)),
      mppeKey(octets, 17, new Uint8Array(16)),
    ])
    for (let i = 0; i < right.length; i++)
      for (const value of [0, 1, 0x7f, 0xff])
        client.receive(0, right.with(i, value === right[i] ? value ^ 2 : value).subarray(0, right.length - (i % 3)), 1)
    expect(drain().every(({ kind }) => kind === 'discarded')).toBe(true)
  })

  it('a packet that has no room fails, and says why', () => {
    const { client, drain } = clientOf()
    client.ask({ ...REQUEST, packet: new Uint8Array(4_000) }, 0)
    expect(drain()).toMatchObject([{ kind: 'failed', detail: expect.stringMatching(/4096/) }])
  })
})
