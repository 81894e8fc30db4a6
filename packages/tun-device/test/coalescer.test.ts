import { describe, expect, it } from 'vitest'
import { Coalescer } from '../src/coalescer.ts'
import { batchOf, packetsOf } from '../src/packet-batch.ts'
import { SuperPacket } from '../src/super-packet.ts'
import { ACK, FIN, octets, PSH, seeded, type TcpFields, tcpPacket, udpPacket } from './packets.ts'

const random = seeded(7)

/** Indices of the packets of each run. */
function plan(packets: readonly Uint8Array[]): number[][] {
  const coalescer = new Coalescer()
  coalescer.plan(batchOf(packets))
  return runsOf(coalescer)
}

function runsOf(coalescer: Coalescer): number[][] {
  return Array.from({ length: coalescer.runs }, (_, run) => {
    const indices: number[] = []
    for (let index = coalescer.first[run]; index >= 0; index = coalescer.next[index]) indices.push(index)
    expect(indices.length).toBe(coalescer.packets[run])
    return indices
  })
}

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
    const udp = udpPacket({ version }, octets(100, random))
    expect(plan([udp, udp])).toEqual([[0], [1]])
    const truncated = flow({ version }, [100, 100]).map((packet) => packet.subarray(0, packet.length - 1))
    expect(plan(truncated)).toEqual([[0], [1]])
    if (version === 6) return
    const fragments = flow({ version }, [100, 100]).map((packet) => packet.with(6, 0x20))
    expect(plan(fragments)).toEqual([[0], [1]])
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

it('is used again and again, with batches of different sizes', () => {
  const coalescer = new Coalescer()
  for (const count of [3, 1, 40, 2]) {
    coalescer.plan(batchOf(flow({}, new Array(count).fill(50))))
    expect(runsOf(coalescer)).toEqual([Array.from({ length: count }, (_, i) => i)])
  }
  coalescer.plan(batchOf([]))
  expect(coalescer.runs).toBe(0)
})

/** Builds each run's super-packet as it would be written, and cuts it up as the kernel would. */
function throughSuperPackets(packets: readonly Uint8Array[]): Uint8Array[] {
  const batch = batchOf(packets)
  const coalescer = new Coalescer()
  coalescer.plan(batch)
  const out: Uint8Array[] = []
  for (const [run, indices] of runsOf(coalescer).entries()) {
    if (indices.length === 1) {
      out.push(packetsOf(batch)[indices[0]])
      continue
    }
    const area = 2_000
    const buffer = new Uint8Array(area + 80_000)
    const headerLength = coalescer.writeSuperHeader(batch, run, buffer, area, 0)
    let at = area + 10 + headerLength
    for (const index of indices) {
      const payload = packets[index].subarray(headerLength)
      buffer.set(payload, at)
      at += payload.length
    }
    expect(at - area - 10).toBe(coalescer.lengths[run])
    const superPacket = new SuperPacket(buffer)
    expect(superPacket.load(area, 0, area + 10, coalescer.lengths[run])).toBe(true)
    while (superPacket.nextLength > 0) out.push(buffer.slice(0, superPacket.writeNext(0)))
  }
  return out
}
