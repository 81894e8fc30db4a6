import { describe, expect, it } from 'vitest'
import { supersedes } from '../../src/queue/pure-ack.ts'
import { Rig } from './support.ts'

const NOP_NOP_TIMESTAMPS = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]
const SACK = [1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2]

interface Made {
  readonly family?: 4 | 6
  readonly ack?: number
  readonly sequence?: number
  readonly port?: number
  readonly flags?: number
  readonly reserved?: number
  readonly options?: readonly number[]
  readonly payload?: number
  readonly ecn?: number
  readonly fragment?: number
  readonly protocol?: number
  readonly address?: number
}

/** An acknowledgement of TCP's, or what differs from one (RFC 9293 §3.1). */
function segment(made: Made = {}): Uint8Array {
  const { family = 4, ack = 1_000, sequence = 7, port = 80, flags = 0x10, options = NOP_NOP_TIMESTAMPS } = made
  const { payload = 0, ecn = 0, fragment = 0, protocol = 6, address = 1, reserved = 0 } = made
  const tcpLength = 20 + options.length
  const words = (value: number): number[] => [24, 16, 8, 0].map((by) => (value >>> by) & 0xff)
  const total = tcpLength + payload
  const ip =
    family === 4
      ? [0x45, ecn, 0, 20 + total, 0, 1, fragment >> 8, fragment & 0xff, 64, protocol, 0, 0, 10, 0, 0, address, 10, 0, 0, 2]
      : [0x60, ecn << 4, 0, 0, 0, total, protocol, 64, ...Array(15).fill(0), address, ...Array(15).fill(0), 2]
  const tcp = [
    port >> 8,
    port & 0xff,
    0x20,
    0,
    ...words(sequence),
    ...words(ack),
    ((tcpLength / 4) << 4) | reserved,
    flags,
    1,
    0,
    0,
    0,
    0,
    0,
  ]
  return Uint8Array.from([...ip, ...tcp, ...options, ...Array(payload).fill(9)])
}

const stands = (later: Uint8Array, earlier: Uint8Array): boolean => {
  // Not at the beginning of a buffer, as packets hardly ever are.
  const [a, b] = [Uint8Array.from([0, 0, 0, ...later, 9]), Uint8Array.from([0, ...earlier, 9, 9])]
  return supersedes(a, 3, later.length, b, 1, earlier.length)
}

describe.each([4, 6] as const)('RFC 3449 §5.2.1 a later TCP acknowledgement stands for an earlier one (IPv%i)', (family) => {
  const one = (made: Made = {}): Uint8Array => segment({ family, ...made })

  it('that acknowledges less', () => {
    expect(stands(one({ ack: 2_000 }), one())).toBe(true)
    expect(stands(one({ ack: 2_000, options: [] }), one({ options: [] }))).toBe(true)
  })

  it('also across the end of the numbers (RFC 9293 §3.4)', () => {
    expect(stands(one({ ack: 5 }), one({ ack: 0xffff_fff0 }))).toBe(true)
    expect(stands(one({ ack: 0xffff_fff0 }), one({ ack: 5 }))).toBe(false)
  })

  it('not for a duplicate, which counts (RFC 5681 §3.2), nor for a higher one', () => {
    expect(stands(one(), one())).toBe(false)
    expect(stands(one(), one({ ack: 2_000 }))).toBe(false)
  })

  it.each<[string, Made]>([
    ['data', { payload: 1 }],
    ['FIN', { flags: 0x11 }],
    ['PSH', { flags: 0x18 }],
    ['RST', { flags: 0x14 }],
    ['CWR (RFC 3168 §6.1.2)', { flags: 0x90 }],
    ['a reserved bit', { reserved: 1 }],
    ['SACK (RFC 2018)', { options: SACK }],
    ['an option that we do not know', { options: [254, 4, 0, 0] }],
    ['another protocol', { protocol: 17 }],
  ])('not where either has %s', (_what, made) => {
    expect(stands(one({ ack: 2_000, ...made }), one(made))).toBe(false)
    expect(stands(one({ ack: 2_000, ...made }), one())).toBe(false)
    expect(stands(one({ ack: 2_000 }), one(made))).toBe(false)
  })

  it.each<[string, Made]>([
    ['of another address', { address: 77 }],
    ['of another port', { port: 81 }],
    ['with another sequence number', { sequence: 8 }],
    ["without the other's ECE (RFC 3168 §6.1.3)", { flags: 0x50 }],
    ["without the other's mark (RFC 3168 §5)", { ecn: 3 }],
  ])('not for one %s', (_what, made) => {
    expect(stands(one({ ack: 2_000 }), one(made))).toBe(false)
    expect(stands(one({ ack: 2_000, ...made }), one())).toBe(false)
  })

  it('not where it is cut off anywhere', () => {
    const [later, earlier] = [one({ ack: 2_000 }), one()]
    const header = family === 4 ? 20 : 40
    for (let length = header; length < earlier.length; length++) {
      expect(stands(later.subarray(0, length), earlier), `${length}`).toBe(false)
      expect(stands(later, earlier.subarray(0, length)), `${length}`).toBe(false)
    }
  })
})

it('RFC 3449 §5.2.1 not for one that is a fragment, or has options of IPv4', () => {
  for (const fragment of [0x2000, 1]) expect(stands(segment({ ack: 2_000, fragment }), segment({ fragment }))).toBe(false)
  const withOptions = (ack: number): Uint8Array => {
    const packet = segment({ ack })
    return Uint8Array.from([0x46, ...packet.subarray(1, 20), 1, 1, 1, 1, ...packet.subarray(20)])
  }
  expect(stands(withOptions(2_000), withOptions(1_000))).toBe(false)
})

describe('RFC 3449 §5.2.1 where acknowledgements wait', () => {
  const ackOf = (packet: Uint8Array): number => new DataView(packet.buffer).getUint32(28)

  it('the last of a row is sent, in the place and with the age of the first', () => {
    const rig = new Rig(undefined, true)
    for (let i = 1; i <= 5; i++) rig.putPacket(1, segment({ ack: 1_000 * i }), { now: i })
    expect(rig.thinned).toBe(4)
    expect(rig.queues.octets).toBe(256)
    expect(rig.store.arrivalOf(0)).toBe(1)
    expect(rig.takeAll().map(({ packet }) => ackOf(packet))).toEqual([5_000])
    expect([rig.queues.octets, rig.queues.isEmpty, rig.isAllFree]).toEqual([0, true, true])
  })

  it('duplicates, data and the acknowledgements behind them stay in order', () => {
    const rig = new Rig(undefined, true)
    const sent = [segment({ ack: 1 }), segment({ ack: 2 }), segment({ ack: 2 }), segment({ ack: 3, payload: 1 }), segment({ ack: 4 })]
    for (const packet of [...sent, segment({ ack: 5 })]) rig.putPacket(1, packet)
    expect(rig.takeAll().map(({ packet }) => ackOf(packet))).toEqual([2, 2, 3, 5])
  })

  it('flows that share a queue keep their own', () => {
    const rig = new Rig(undefined, true)
    for (let i = 1; i <= 3; i++) for (const port of [80, 81]) rig.putPacket(1, segment({ ack: i, port }))
    expect(rig.takeAll()).toHaveLength(6)
  })

  it('not unless it is asked for', () => {
    const rig = new Rig()
    for (let i = 1; i <= 5; i++) rig.putPacket(1, segment({ ack: i }))
    expect([rig.thinned, rig.takeAll().length]).toEqual([0, 5])
  })
})
