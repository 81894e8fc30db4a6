import { describe, expect, it } from 'vitest'
import { Coalescer, LONG_PACKET } from '../src/coalescer.ts'
import { batchOf } from '../src/packet-batch.ts'
import { ACK, FIN, octets, PSH, seeded, type TcpFields, tcpPacket, withOptions } from './packets.ts'
import { plan, runsOf, throughSuperPackets } from './runs.ts'

const random = seeded(7)

/** Consecutive segments of one flow with the given payload lengths. */
function flow(fields: TcpFields, lengths: readonly number[], flags: readonly number[] = []): Uint8Array[] {
  let sequence = fields.sequence ?? 1000
  return lengths.map((length, i) => {
    const packet = tcpPacket(
      { ...fields, sequence: sequence >>> 0, identification: (fields.identification ?? 9) + i, flags: flags[i] ?? ACK },
      octets(length, random),
    )
    sequence += length
    return packet
  })
}

describe.each([4, 6] as const)('IPv%i', (version) => {
  const ip = version === 4 ? 20 : 40

  it('joins the segments of a flow, the last of which may be shorter', () => {
    expect(plan(flow({ version }, [100, 100, 100, 40]))).toEqual([[0, 1, 2, 3]])
    expect(plan(flow({ version }, [100, 100, 40, 40]))).toEqual([[0, 1, 2], [3]])
    expect(plan(flow({ version }, [40, 100, 100]))).toEqual([[0], [1, 2]])
  })

  it('keeps flows apart that are interleaved', () => {
    const one = flow({ version, sourcePort: 1 }, [100, 100, 100])
    const two = flow({ version, sourcePort: 2 }, [200, 200, 200])
    const three = flow({ version, source: 99 }, [100, 100, 100])
    expect(plan([0, 1, 2].flatMap((i) => [one[i], two[i], three[i]]))).toEqual([
      [0, 3, 6],
      [1, 4, 7],
      [2, 5, 8],
    ])
  })

  it('ends a run after PSH, and starts none with it', () => {
    expect(plan(flow({ version }, [100, 100, 100, 100], [ACK, ACK | PSH, ACK, ACK]))).toEqual([
      [0, 1],
      [2, 3],
    ])
    expect(plan(flow({ version }, [100, 100, 100], [ACK | PSH, ACK, ACK]))).toEqual([[0], [1, 2]])
  })

  it('ends a run at a gap, a repetition, and at what is not plain data', () => {
    const [a, b, c, d] = flow({ version }, [100, 100, 100, 100])
    expect(plan([a, c, d])).toEqual([[0], [1, 2]])
    expect(plan([a, a, b])).toEqual([[0], [1, 2]])
    const pureAck = tcpPacket({ version, sequence: 1200 }, new Uint8Array(0))
    expect(plan([a, b, pureAck, c, d])).toEqual([[0, 1], [2], [3, 4]])
    const fin = tcpPacket({ version, sequence: 1200, flags: ACK | FIN }, new Uint8Array(10))
    expect(plan([a, b, fin])).toEqual([[0, 1], [2]])
  })

  it('joins only packets that would come out of a super-packet as they went in', () => {
    const [a] = flow({ version }, [100])
    const second = (fields: TcpFields): Uint8Array => flow({ version, sequence: 1100, identification: 10, ...fields }, [100])[0]
    expect(plan([a, second({})])).toEqual([[0, 1]])
    for (const fields of [
      { acknowledgement: 78 },
      { window: 501 },
      { hopLimit: 63 },
      { trafficClass: 3 },
      { options: Uint8Array.of(1, 1, 1, 1) },
      { destinationPort: 444 },
      { destination: 3 },
    ]) {
      expect(plan([a, second(fields)]), JSON.stringify(fields)).toEqual([[0], [1]])
    }
    const options = Uint8Array.of(8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1)
    const later = options.with(5, 2)
    expect(plan([flow({ version, options }, [100])[0], second({ options })])).toEqual([[0, 1]])
    expect(plan([flow({ version, options }, [100])[0], second({ options: later })])).toEqual([[0], [1]])
  })

  it('does not hide a wrong checksum', () => {
    const [a, b, c] = flow({ version }, [100, 100, 100])
    b[ip + 60] ^= 1
    expect(plan([a, b, c])).toEqual([[0], [1], [2]])
  })

  it('stays below 65,536 octets', () => {
    const packets = flow({ version }, new Array(60).fill(1400))
    const runs = plan(packets)
    expect(runs.map((run) => run.length)).toEqual([46, 14])
  })

  it('leaves other protocols, fragments and headers with options alone', () => {
    const icmp = flow({ version }, [100, 100]).map((packet) => packet.with(version === 4 ? 9 : 6, version === 4 ? 1 : 58))
    expect(plan(icmp)).toEqual([[0], [1]])
    const truncated = flow({ version }, [100, 100]).map((packet) => packet.subarray(0, packet.length - 1))
    expect(plan(truncated)).toEqual([[0], [1]])
    if (version === 6) return
    const fragments = flow({ version }, [100, 100]).map((packet) => packet.with(6, 0x20))
    expect(plan(fragments)).toEqual([[0], [1]])
  })

  it('lets nothing overtake a packet between the same hosts that may belong to any of their flows', () => {
    const [a, b, c] = flow({ version }, [100, 100, 100])
    expect(plan([a, withOptions(b), c])).toEqual([[0], [1], [2]])
    const [stranger] = flow({ version, source: 99 }, [100])
    expect(plan([a, withOptions(stranger), b, c])).toEqual([[0, 2, 3], [1]])
    if (version === 6) return
    expect(plan([a, b, flow({ sourcePort: 9 }, [100])[0].with(6, 0x20), c])).toEqual([[0, 1], [2], [3]])
  })

  it('does not join a checksum of zero that stands as all ones, which would come out as zero', () => {
    const [a, b] = flow({ version, identification: 0 }, [100, 100])
    const view = new DataView(b.buffer)
    // Adding the checksum itself to the data, or to a field of the header, makes the checksum zero.
    const fill = (field: number, checksumAt: number): void => {
      const sum = view.getUint16(field) + view.getUint16(checksumAt)
      view.setUint16(field, (sum & 0xffff) + (sum >> 16))
      view.setUint16(checksumAt, 0)
    }
    fill(ip + 20, ip + 16)
    expect(plan([a, b])).toEqual([[0, 1]])
    view.setUint16(ip + 16, 0xffff)
    expect(plan([a, b])).toEqual([[0], [1]])
    if (version === 6) return
    view.setUint16(ip + 16, 0)
    fill(4, 10)
    expect(plan([a, b])).toEqual([[0, 1]])
    view.setUint16(10, 0xffff)
    expect(plan([a, b])).toEqual([[0], [1]])
  })

  it('(randomised) gives back every packet, in order within its flow, when it is segmented again', () => {
    for (let round = 0; round < 25; round++) {
      const flows = Array.from({ length: 1 + random(12) }, (_, i) => {
        const lengths = Array.from({ length: 1 + random(20) }, () => (random(5) === 0 ? random(300) : 300))
        const flags = lengths.map(() => (random(8) === 0 ? ACK | PSH : ACK))
        return flow(
          { version, sourcePort: 1000 + i, sequence: random(2 ** 32), identification: random(60_000), isAtomic: random(2) === 0 },
          lengths,
          flags,
        )
      })
      const packets: Uint8Array[] = []
      while (flows.some((each) => each.length > 0)) {
        const each = flows[random(flows.length)]
        if (each.length > 0) packets.push(each.shift()!)
      }
      const out = throughSuperPackets(packets)
      const byPort = (list: Uint8Array[]): Uint8Array[] =>
        list.toSorted((a, b) => new DataView(a.buffer, a.byteOffset).getUint16(ip) - new DataView(b.buffer, b.byteOffset).getUint16(ip))
      expect(byPort(out).map(String)).toEqual(byPort(packets).map(String))
    }
  })
})

it('RFC 6864 §4: identifications need to rise by one only where a datagram is not atomic', () => {
  const atomic = [5, 5, 90].map((identification, i) => tcpPacket({ sequence: 1000 + 10 * i, identification }, octets(10, random)))
  expect(plan(atomic)).toEqual([[0, 1, 2]])
  const other = [5, 6, 90].map((identification, i) =>
    tcpPacket({ sequence: 1000 + 10 * i, identification, isAtomic: false }, octets(10, random)),
  )
  expect(plan(other)).toEqual([[0, 1], [2]])
})

it('goes on to 524,280 octets over IPv4 where the kernel takes that, with a Total Length of 0; over IPv6 and in UDP it does not', () => {
  const lengthsOf = (version: 4 | 6): number[] => {
    const batch = batchOf(flow({ version }, new Array(500).fill(1_400)))
    const coalescer = new Coalescer(true, LONG_PACKET)
    coalescer.plan(batch)
    if (version === 4) {
      const header = new Uint8Array(200)
      expect(coalescer.writeSuperHeader(batch, 0, header, 0, 0)).toBe(40)
      expect([...header.subarray(12, 14)]).toEqual([0, 0])
      // The pseudo-header, its length of 32 bits and all: the kernel completes the sum.
      const words = [10 * 256, 1, 10 * 256, 2, 6, (coalescer.lengths[0] - 20) >>> 16, (coalescer.lengths[0] - 20) & 0xffff]
      const packet = batch.buffer.subarray(batch.offsets[0])
      for (let i = 0; i < 4; i++) words[i] = (packet[12 + 2 * i] << 8) | packet[13 + 2 * i]
      let sum = words.reduce((total, word) => total + word, 0)
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
      expect((header[10 + 36] << 8) | header[10 + 37]).toBe(sum)
    }
    return [...coalescer.lengths.subarray(0, coalescer.runs)]
  }
  const [first, second] = lengthsOf(4)
  expect(first).toBeGreaterThan(524_280 - 1_400)
  expect(first).toBeLessThanOrEqual(524_280)
  expect(first + second - 40).toBe(40 + 500 * 1_400)
  expect(Math.max(...lengthsOf(6))).toBeLessThan(65_536)
})

it('is used again and again, with batches of different sizes', () => {
  const coalescer = new Coalescer(true)
  for (const count of [3, 1, 40, 2]) {
    coalescer.plan(batchOf(flow({}, new Array(count).fill(50))))
    expect(runsOf(coalescer)).toEqual([Array.from({ length: count }, (_, i) => i)])
  }
  coalescer.plan(batchOf([]))
  expect(coalescer.runs).toBe(0)
})
