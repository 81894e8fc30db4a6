import { describe, expect, it } from 'vitest'
import { flowKeyOf } from '../../src/queue/flow-key.ts'
import { seededRandom } from '../network.ts'
import { ipv4Packet } from '../pair.ts'
import { numbersFrom } from './support.ts'

const SALT = 0x12345678
const TCP = 6
const UDP = 17
const ICMP = 1
const FRAGMENT = 44

describe('RFC 8290 §4.1 which flow a packet is of', () => {
  it.each([
    ['IPv4', ipv4, 20],
    ['IPv6', ipv6, 40],
  ] as const)(
    '%s: protocol, both addresses and both ports tell flows apart; nothing else of the packet does',
    (_name, packetOf, header) => {
      const packet = packetOf(UDP)
      const others = header === 20 ? [1, 4, 5, 8, 10, 11] : [4, 5, 7]
      const parts = header === 20 ? [9, 12, 15, 16, 19] : [6, 8, 15, 23, 24, 31, 39]
      for (const at of [...others, header + 4, header + 7, header + 20])
        expect([at, keyOf(changed(packet, at))]).toEqual([at, keyOf(packet)])
      for (const at of [...parts, header, header + 1, header + 2, header + 3]) {
        // Another protocol may have ports or none: TCP has.
        const other = at === parts[0] ? changed(packet, at, TCP ^ UDP) : changed(packet, at)
        expect([at, keyOf(other) === keyOf(packet)]).toEqual([at, false])
      }
    },
  )

  it('protocols without ports: what lies there is no part of the flow', () => {
    expect(keyOf(changed(ipv4(ICMP), 20))).toBe(keyOf(ipv4(ICMP)))
    expect(keyOf(changed(ipv6(58), 40))).toBe(keyOf(ipv6(58)))
  })

  it('IPv4 options stand between header and ports', () => {
    const packet = ipv4(TCP)
    packet[0] = 0x47
    expect(keyOf(changed(packet, 20))).toBe(keyOf(packet))
    expect(keyOf(changed(packet, 28))).not.toBe(keyOf(packet))
  })

  it('all fragments of one packet share a key, though only the first has the ports (IPv4, RFC 791 §3.2; IPv6, RFC 8200 §4.5)', () => {
    const first = ipv4(UDP)
    first[6] = 0x20
    const middle = changed(changed(first, 20), 22)
    middle.set([0x20, 185], 6)
    const last = changed(middle, 23)
    last.set([0x01, 0x72], 6)
    expect(keyOf(middle)).toBe(keyOf(first))
    expect(keyOf(last)).toBe(keyOf(first))
    const firstOfIpv6 = ipv6(FRAGMENT)
    expect(keyOf(changed(changed(firstOfIpv6, 42), 50))).toBe(keyOf(firstOfIpv6))
  })

  it("Don't Fragment is no fragment", () => {
    const packet = ipv4(TCP)
    packet[6] = 0x40
    expect(keyOf(packet)).toBe(keyOf(ipv4(TCP)))
  })

  it('RFC 6437 §2: the IPv6 flow label is part of the flow; the Traffic Class is not', () => {
    const packet = ipv6(FRAGMENT)
    for (const [at, bits] of [
      [1, 0x0f],
      [2, 0xff],
      [3, 0x01],
    ] as const)
      expect(keyOf(changed(packet, at, bits))).not.toBe(keyOf(packet))
    expect(keyOf(changed(changed(packet, 0, 0x0f), 1, 0xf0))).toBe(keyOf(packet))
  })

  it('a packet that ends before its ports has a key all the same, of nothing that lies behind it', () => {
    for (const [packet, header] of [
      [ipv4(TCP), 20],
      [ipv6(TCP), 40],
    ] as const) {
      for (let length = header; length < header + 4; length++) {
        const key = flowKeyOf(packet, 0, length, SALT)
        for (let at = length; at < header + 4; at++) expect(flowKeyOf(changed(packet, at), 0, length, SALT)).toBe(key)
        expect(flowKeyOf(packet.subarray(0, length), 0, length, SALT)).toBe(key)
      }
    }
    const onlyOptions = ipv4(TCP)
    onlyOptions[0] = 0x4f
    expect(flowKeyOf(onlyOptions, 0, 60, SALT)).toBe(flowKeyOf(onlyOptions.subarray(0, 60), 0, 60, SALT))
  })

  it('is read where the packet lies in the buffer', () => {
    const buffer = new Uint8Array(200).fill(0xee)
    buffer.set(ipv6(TCP), 33)
    expect(flowKeyOf(buffer, 33, 80, SALT)).toBe(keyOf(ipv6(TCP)))
  })

  it('is a number of 32 bits, and spreads flows evenly, also over the queues that many have to share', () => {
    const counts = new Array<number>(1_024).fill(0)
    const keys = new Set<number>()
    for (let port = 0; port < 65_536; port++) {
      const packet = ipv4(UDP)
      packet.set([port >> 8, port & 0xff], 22)
      const key = keyOf(packet)
      if (!(Number.isInteger(key) && key >= 0 && key <= 0xffffffff)) expect.fail(`${key}`)
      keys.add(key)
      counts[key % 1_024]!++
    }
    // Of 65,536 numbers of 32 bits half a pair is alike; of 64 each, by chance no more than these.
    expect(keys.size).toBeGreaterThan(65_530)
    expect(Math.max(...counts)).toBeLessThan(64 + 50)
    expect(Math.min(...counts)).toBeGreaterThan(64 - 50)
  })

  it('another salt makes other keys, and other flows share a queue', () => {
    const below = numbersFrom('flows')
    const packets = Array.from({ length: 2_000 }, () => ipv4Packet('10.2.0.1', `10.8.${below(256)}.${below(256)}`, 40))
    const queueOf = (salt: number) => packets.map((packet) => flowKeyOf(packet, 0, 40, salt) % 64)
    const [one, two] = [queueOf(SALT), queueOf(SALT + 1)]
    let [together, stillTogether] = [0, 0]
    for (let i = 0; i < 1_000; i++) {
      if (one[2 * i] !== one[2 * i + 1]) continue
      together++
      if (two[2 * i] === two[2 * i + 1]) stillTogether++
    }
    expect(together).toBeGreaterThan(2)
    expect(stillTogether).toBeLessThan(together)
  })

  // Two neighbours of a network choose their interface identifiers themselves.
  it.each(['highest bits', 'random'])('no two flows share a key whatever the salt is: %s', (how) => {
    const random = seededRandom(`salts ${how}`)
    for (let tries = 0; tries < (how === 'random' ? 300 : 1); tries++) {
      const [flow, other] = [ipv6(TCP), ipv6(TCP)]
      const [first, second] =
        how === 'random'
          ? [random(4), random(4)]
          : [
              [0x80, 0, 0, 0],
              [0x80, 0x01, 0, 0],
            ]
      for (let i = 0; i < 4; i++) {
        other[16 + i] = other[16 + i]! ^ first[i]!
        other[20 + i] = other[20 + i]! ^ second[i]!
      }
      let alike = 0
      for (let salt = 0; salt < 100; salt++)
        if (flowKeyOf(flow, 0, 80, salt * 0x9e3779b) === flowKeyOf(other, 0, 80, salt * 0x9e3779b)) alike++
      expect(alike).toBeLessThan(2)
    }
  })

  it('never throws and always answers a number, for 20,000 random packets of all lengths', () => {
    const random = seededRandom('packets')
    const below = numbersFrom('lengths')
    for (let i = 0; i < 20_000; i++) {
      const packet = random(40 + below(60))
      packet[0] = (i % 2 === 0 ? 0x45 : 0x60) + (packet[0]! % 11)
      const key = flowKeyOf(packet, 0, packet.length, SALT)
      if (!(Number.isInteger(key) && key >= 0)) expect.fail(`${key} for ${[...packet]}`)
    }
  })
})

function keyOf(packet: Uint8Array): number {
  return flowKeyOf(packet, 0, packet.length, SALT)
}

function changed(packet: Uint8Array, at: number, bits: number = 0x01): Uint8Array {
  const copy = packet.slice()
  copy[at] = copy[at]! ^ bits
  return copy
}

function ipv4(protocol: number): Uint8Array {
  const packet = ipv4Packet('10.2.0.1', '10.8.0.10', 80)
  packet[9] = protocol
  return packet
}

function ipv6(nextHeader: number): Uint8Array {
  const packet = Uint8Array.from({ length: 80 }, (_, index) => (index * 37) & 0xff)
  packet.set([0x60, 0, 0, 0, 0, 40, nextHeader, 64])
  return packet
}
