import { describe, expect, it } from 'vitest'
import { type Kind, obstacle, runFixture, type User } from './namespace.ts'
import { octets, seeded, type TcpFields, udpPacket } from './packets.ts'

/*
 * What the kernel makes of UDP super-packets: datagrams are written to a real device as one batch, and a socket gets them, each as it
 * was and in order.
 */
const DEVICES: readonly [Kind, User][] = [
  ['tun-plain', 'root'],
  ['tun', 'root'],
  ['tun', 'nobody'],
  ['packet', 'root'],
  ['packet', 'nobody'],
]

interface Datagram {
  readonly packet: Uint8Array
  readonly payload: Uint8Array
  /** The host has to drop it. */
  readonly isWrong?: boolean
}

interface Result {
  readonly writes: number
  /** What each read of the socket gave, as hexadecimal text. */
  readonly received: readonly string[]
}

const random = seeded(23)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

async function send(kind: Kind, user: User, how: string, bursts: readonly Datagram[][]): Promise<Result[]> {
  const input = bursts.map((burst) => {
    const payloads = payloadsOf(burst)
    const octets = payloads.join('').length / 2
    return { packets: burst.map(({ packet }) => hex(packet)), datagrams: payloads.length, octets }
  })
  const { result } = await runFixture('datagrams', user, [kind, how], JSON.stringify(input))
  expect(result.counters).toMatchObject({ writeDrops: 0, packetsWritten: bursts.flat().length })
  return result.results
}

describe.each(DEVICES)('RFC 768: datagrams written to a %s device, as %s', (kind, user) => {
  const reason = obstacle(kind, user)
  const isOneByOne = kind === 'tun-plain'

  it.for(['here', 'there', 'there-single'])('are received each as it was, and in order (socket %s)', async (how, { skip }) => {
    if (reason !== undefined) skip(reason)
    const bursts = [equal(4), equal(6), mixed(4), mixed(6)]
    const results = await send(kind, user, how, bursts)
    for (const [i, burst] of bursts.entries()) {
      expect(byFlow(results[i].received)).toEqual(
        byFlow(burst.filter(({ isWrong }) => isWrong !== true).map(({ payload }) => hex(payload))),
      )
    }
    expect(results.slice(0, 2).map(({ writes }) => writes)).toEqual(isOneByOne ? [130, 130] : [3, 3])
  })

  it('reach a socket with UDP_GRO several at once', async ({ skip }) => {
    if (reason !== undefined) skip(reason)
    const bursts = [equal(4), equal(6)]
    const results = await send(kind, user, 'gro', bursts)
    for (const [i, burst] of bursts.entries()) {
      expect(results[i].received.join('')).toBe(payloadsOf(burst).join(''))
      expect(results[i].received.length).toBe(isOneByOne ? 130 : 3)
    }
  })
})

/** Of those that a host takes. */
function payloadsOf(burst: readonly Datagram[]): string[] {
  return burst.filter(({ isWrong }) => isWrong !== true).map(({ payload }) => hex(payload))
}

/** What came of each flow, by the first octet of the payload; datagrams without payload are one flow. */
function byFlow(payloads: readonly string[]): Map<string, string[]> {
  const flows = new Map<string, string[]>()
  for (const payload of payloads.toSorted((a, b) => a.slice(0, 2).localeCompare(b.slice(0, 2)))) {
    const flow = payload.slice(0, 2)
    flows.set(flow, [...(flows.get(flow) ?? []), payload])
  }
  return flows
}

function datagram(fields: TcpFields, flow: number, length: number): Datagram {
  const payload = octets(length, random)
  if (length > 0) payload[0] = flow
  return { payload, packet: udpPacket({ ...fields, sourcePort: 1000 + flow, destinationPort: 9000 }, payload) }
}

function equal(version: 4 | 6): Datagram[] {
  return Array.from({ length: 130 }, (_, identification) => datagram({ version, identification }, 1, 64))
}

/** Three flows, one with ECN and one that is not atomic, of many lengths, some datagrams empty, without a checksum or with a wrong one. */
function mixed(version: 4 | 6): Datagram[] {
  const checksum = version === 4 ? 26 : 46
  let identification = 0xfff0
  return Array.from({ length: 150 }, (_, i): Datagram => {
    const flow = 1 + random(3)
    const length = [64, 64, 64, 64, 63, 0, 1200][random(7)]
    const fields = { version, trafficClass: flow === 2 ? 3 : 0, isAtomic: flow !== 3, identification: identification++ & 0xffff }
    const made = datagram(fields, flow, length)
    if (i % 17 === 3) {
      made.packet[checksum] ^= 0x55
      return { ...made, isWrong: true }
    }
    // RFC 8200 §8.1: over IPv6 it may not be missing.
    if (i % 19 === 5) {
      made.packet.fill(0, checksum, checksum + 2)
      return { ...made, isWrong: version === 6 }
    }
    return made
  })
}
