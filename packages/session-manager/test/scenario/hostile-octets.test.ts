import { decodeMessage, ExchangeType, encodePayloads, type Payload } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { openMessage } from '../../src/ike/protection.ts'
import { espFrame, ikeFrame, ikeMessage, join, PREFIX } from '../frames.ts'
import { seededRandom } from '../network.ts'
import { ipv4Packet, Pair } from '../pair.ts'

describe('nothing that a peer sends makes the core throw', () => {
  it('random octets behind a good prefix', () => {
    const random = seededRandom('octets')
    const pair = new Pair({ gatewayLimits: { maxConnectionsPerAddress: 10_000 } })
    for (let round = 0; round < 400; round++) {
      const stranger = pair.dialRaw(pair.gateway)
      stranger.write(join(PREFIX, random(round)))
      stranger.close('reset')
    }
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.gateway.core.connections.size).toBe(1)
  })

  it('real messages with octets changed, from strangers and on the live connection, both ways', () => {
    const random = seededRandom('changed')
    const pair = new Pair({
      gatewayLimits: { maxIcvFailures: 1e9, maxCorruptFrames: 1e9, maxUnknownSpis: 1e9, maxHalfOpen: 50, cookieThreshold: 49 },
    })
    pair.connect()
    const recorded = [
      ...pair.log.map((entry) => ikeFrame(entry.octets)),
      espFrame(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 80)),
      espFrame(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 80)),
    ]
    for (let round = 0; round < 1_500; round++) {
      const frame = mutate(recorded[round % recorded.length]!, random)
      if (round % 3 === 0) {
        const stranger = pair.dialRaw(pair.gateway)
        stranger.write(join(PREFIX, frame))
        pair.run(1)
        stranger.close('reset')
      } else if (pair.pipe.isOpen) pair.inject(pair.pipe, round % 3 === 1 ? pair.gateway : pair.client, frame)
      else pair.run(5_000, () => pair.pipe.isOpen)
      pair.input(round % 2 === 0 ? pair.gateway : pair.client, {
        kind: 'datagram',
        local: { address: '192.0.2.1', port: 4500 },
        remote: { address: '192.0.2.2', port: 4500 },
        message: round % 4 === 0 ? 'esp' : 'ike',
        bytes: frame.subarray(6),
      })
    }
    pair.run(200_000)
    expect(pair.gateway.core.halfOpen.size).toBe(0)
    pair.run(60_000, () => pair.isUp)
    expect(pair.passesTraffic()).toBe(true)
    expect(Object.keys(pair.gateway.core.counters).length).toBeLessThan(60)
  })

  it('an authenticated peer: IKE_AUTH requests and responses whose payloads are damaged before they are sealed', () => {
    const random = seededRandom('inner')
    for (let round = 0; round < 120; round++) {
      const isResponse = round % 2 === 1
      const pair = new Pair()
      pair.initiate()
      pair.run(1_000, () => pair.log.length === (isResponse ? 4 : 3))
      const [from, to] = isResponse ? [pair.gateway, pair.client] : [pair.client, pair.gateway]
      const sa = pair.saOf(from)
      const opened = openMessage(sa.protection!, pair.log.at(-1)!.octets, decodeMessage(pair.log.at(-1)!.octets))
      if (opened.kind !== 'authenticated') throw new Error('the keys are not at hand')
      const payloads = damage(opened.message.inner, random)
      const header = { exchangeType: ExchangeType.IKE_AUTH, messageId: 1, isResponse }
      pair.inject(pair.pipe, to, ikeFrame(ikeMessage(sa, payloads, header)))
      pair.settle()
    }
  })

  it('an established peer: requests of any exchange with damaged payloads', () => {
    const random = seededRandom('established')
    const exchanges = [ExchangeType.INFORMATIONAL, ExchangeType.CREATE_CHILD_SA, ExchangeType.IKE_AUTH, 99]
    const template = new Pair()
    template.connect()
    for (let round = 0; round < 60; round++) {
      const pair = new Pair()
      pair.connect()
      const sa = pair.saOf(pair.client)
      const payloads: Payload[] = Array.from({ length: 1 + (random(1)[0]! % 4) }, () => ({
        type: 'unknown',
        payloadType: 33 + (random(1)[0]! % 22),
        body: random(random(1)[0]! % 60),
      }))
      const header = { exchangeType: exchanges[round % 4]!, messageId: sa.window.takeMessageId(), isResponse: false }
      pair.inject(pair.pipe, pair.gateway, ikeFrame(ikeMessage(sa, payloads, header)))
      pair.settle()
    }
  })
})

function mutate(frame: Uint8Array, random: (length: number) => Uint8Array): Uint8Array {
  const changed = frame.slice()
  const [count, how] = random(2)
  for (let i = 0; i <= count! % 4; i++) {
    // The two octets of Length stay: the stream goes on.
    const at = 2 + (((random(1)[0]! << 8) | random(1)[0]!) % (changed.length - 2))
    changed[at] = how! % 2 === 0 ? random(1)[0]! : changed[at]! ^ (1 << (random(1)[0]! & 7))
  }
  return changed
}

/** One payload's octets changed, cut short, doubled or left out. */
function damage(payloads: readonly Payload[], random: (length: number) => Uint8Array): Payload[] {
  const [which, how, at, value] = random(4)
  return payloads.flatMap((payload, index): Payload[] => {
    if (index !== which! % payloads.length) return [payload]
    const { firstPayload, bytes } = encodePayloads([payload])
    const body = bytes.slice(4)
    const damaged = (octets: Uint8Array): Payload => ({ type: 'unknown', payloadType: firstPayload, body: octets })
    if (how! % 5 === 0) return []
    if (how! % 5 === 1) return [payload, payload]
    if (how! % 5 === 2) return [damaged(body.slice(0, at! % (body.length + 1)))]
    if (body.length > 0) body[at! % body.length] = value!
    return [damaged(body)]
  })
}
