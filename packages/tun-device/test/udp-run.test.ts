import { describe, expect, it } from 'vitest'
import { Coalescer } from '../src/coalescer.ts'
import { batchOf } from '../src/packet-batch.ts'
import { SuperPacket } from '../src/super-packet.ts'
import { octets, pseudoHeader, seeded, slowChecksum, type TcpFields, tcpPacket, udpPacket, withOptions } from './packets.ts'
import { plan, throughSuperPackets } from './runs.ts'

const random = seeded(11)

/** Consecutive datagrams of one flow with the given payload lengths. */
function flow(fields: TcpFields, lengths: readonly number[]): Uint8Array[] {
  return lengths.map((length, i) =>
    udpPacket({ ...fields, identification: ((fields.identification ?? 9) + i) & 0xffff }, octets(length, random)),
  )
}

describe.each([4, 6] as const)('IPv%i', (version) => {
  const ip = version === 4 ? 20 : 40

  it('RFC 768: joins the datagrams of a flow, the last of which may be shorter', () => {
    expect(plan(flow({ version }, [64, 64, 64, 40]))).toEqual([[0, 1, 2, 3]])
    expect(plan(flow({ version }, [64, 64, 40, 40]))).toEqual([[0, 1, 2], [3]])
    expect(plan(flow({ version }, [64, 64, 40, 64, 64]))).toEqual([
      [0, 1, 2],
      [3, 4],
    ])
    expect(plan(flow({ version }, [40, 64, 64]))).toEqual([[0], [1, 2]])
  })

  it('keeps flows apart that are interleaved, and TCP of the same ports', () => {
    const one = flow({ version, sourcePort: 1 }, [65, 65, 65])
    const two = flow({ version, sourcePort: 2 }, [200, 200, 200])
    const three = flow({ version, source: 99, sourcePort: 1 }, [65, 65, 65])
    const tcp = [0, 1, 2].map((i) => tcpPacket({ version, sourcePort: 1, sequence: 1 + 50 * i, identification: i }, octets(50, random)))
    expect(plan([0, 1, 2].flatMap((i) => [one[i], two[i], three[i], tcp[i]]))).toEqual([
      [0, 4, 8],
      [1, 5, 9],
      [2, 6, 10],
      [3, 7, 11],
    ])
  })

  it('joins only what would come out of a super-packet as it went in', () => {
    const [a] = flow({ version }, [100])
    const second = (fields: TcpFields): Uint8Array => flow({ version, identification: 10, ...fields }, [100])[0]
    expect(plan([a, second({})])).toEqual([[0, 1]])
    for (const fields of [
      { hopLimit: 63 },
      { trafficClass: 3 },
      { destinationPort: 444 },
      { destination: 3 },
      ...(version === 4 ? [{ isAtomic: false }] : []),
    ]) {
      expect(plan([a, second(fields)]), JSON.stringify(fields)).toEqual([[0], [1]])
    }
  })

  it('leaves a datagram without checksum alone, and lets none overtake it', () => {
    const [a, b, c, d] = flow({ version }, [100, 100, 100, 100])
    b.fill(0, ip + 6, ip + 8)
    expect(plan([a, b, c, d])).toEqual([[0], [1], [2, 3]])
  })

  it('does not hide a wrong checksum', () => {
    const [a, b, c] = flow({ version }, [100, 100, 100])
    b[ip + 60] ^= 1
    expect(plan([a, b, c])).toEqual([[0], [1], [2]])
  })

  it('joins a datagram whose checksum is all ones because the sum is zero', () => {
    const packets = flow({ version }, [64, 64])
    const view = new DataView(packets[1].buffer)
    const sum = view.getUint16(ip + 8) + view.getUint16(ip + 6)
    view.setUint16(ip + 8, (sum & 0xffff) + (sum >> 16))
    view.setUint16(ip + 6, 0xffff)
    expect(slowChecksum(pseudoHeader(packets[1]), packets[1].subarray(ip))).toBe(0)
    expect(plan(packets)).toEqual([[0, 1]])
    expect(throughSuperPackets(packets)).toEqual(packets)
  })

  it('leaves empty datagrams alone, and those whose UDP length is not the rest of the packet', () => {
    expect(plan(flow({ version }, [0, 0, 0]))).toEqual([[0], [1], [2]])
    expect(plan(flow({ version }, [10, 0, 10, 10]))).toEqual([[0], [1], [2, 3]])
    const [a, b, c, d] = flow({ version }, [10, 10, 10, 10])
    // Octets behind the datagram, still inside the IP packet.
    new DataView(b.buffer).setUint16(ip + 4, 17)
    expect(plan([a, b, c, d])).toEqual([[0], [1], [2, 3]])
  })

  it('lets nothing overtake a fragment or a packet with options between the same hosts', () => {
    const [a, b, c] = flow({ version }, [100, 100, 100])
    expect(plan([a, withOptions(b), c])).toEqual([[0], [1], [2]])
    if (version === 4) expect(plan([a, b.with(6, 0x20), c])).toEqual([[0], [1], [2]])
  })

  it('joins at most 64 datagrams, and stays below 65,536 octets', () => {
    expect(plan(flow({ version }, new Array(130).fill(64))).map((run) => run.length)).toEqual([64, 64, 2])
    expect(plan(flow({ version }, new Array(60).fill(1400))).map((run) => run.length)).toEqual([46, 14])
  })

  it('joins none where the kernel does not know GSO_UDP_L4', () => {
    const tcp = [0, 1].map((i) => tcpPacket({ version, sequence: 1 + 50 * i, identification: i }, octets(50, random)))
    expect(plan([...flow({ version }, [64, 64]), ...tcp], false)).toEqual([[0], [1], [2, 3]])
  })

  it('joins again what was cut up', () => {
    for (const [total, size] of [
      [64 * 64, 64],
      [3001, 500],
      [1000, 999],
      [65_507 - 20, 1473],
    ]) {
      const whole = udpPacket({ version, identification: 0xfff0 }, octets(total, random))
      const buffer = new Uint8Array(200_000)
      buffer.set(whole, 100_010)
      buffer[100_000] = 1
      buffer[100_001] = 5
      new DataView(buffer.buffer, 100_000).setUint16(4, size, true)
      new DataView(buffer.buffer, 100_000).setUint16(6, ip, true)
      new DataView(buffer.buffer, 100_000).setUint16(8, 6, true)
      const superPacket = new SuperPacket(buffer)
      expect(superPacket.load(100_000, 0, 100_010, whole.length)).toBe(true)
      const pieces: Uint8Array[] = []
      while (superPacket.nextLength > 0) pieces.push(buffer.slice(0, superPacket.writeNext(0)))
      const coalescer = new Coalescer(true)
      coalescer.plan(batchOf(pieces))
      expect([coalescer.runs, coalescer.packets[0], coalescer.lengths[0]]).toEqual([1, Math.ceil(total / size), whole.length])
      expect(throughSuperPackets(pieces)).toEqual(pieces)
    }
  })

  it('(randomised) gives back every datagram, in order within its flow, when it is segmented again', () => {
    for (let round = 0; round < 40; round++) {
      const flows = Array.from({ length: 1 + random(12) }, (_, i) => randomFlow(version, 1000 + i, random(9) + 60))
      const packets: Uint8Array[] = []
      while (flows.some((each) => each.length > 0)) {
        const each = flows[random(flows.length)]
        // Some turns take several, so that there is something to join.
        for (let k = random(6); k >= 0 && each.length > 0; k--) packets.push(each.shift()!)
      }
      const out = throughSuperPackets(packets)
      expect(byPort(out, ip)).toEqual(byPort(packets, ip))
    }
  })
})

it('RFC 6864 §4: identifications need to rise by one, modulo 65,536, only where a datagram is not atomic', () => {
  const numbered = (isAtomic: boolean, ...identifications: number[]): Uint8Array[] =>
    identifications.map((identification) => udpPacket({ identification, isAtomic }, octets(10, random)))
  expect(plan(numbered(true, 5, 5, 90))).toEqual([[0, 1, 2]])
  expect(plan(numbered(false, 5, 6, 90))).toEqual([[0, 1], [2]])
  expect(plan(numbered(false, 0xfffe, 0xffff, 0, 1))).toEqual([[0, 1, 2, 3]])
  expect(plan(numbered(false, 5, 5))).toEqual([[0], [1]])
})

/** Datagrams of mostly one length, with everything that may keep one from joining. */
function randomFlow(version: 4 | 6, sourcePort: number, usual: number): Uint8Array[] {
  const ip = version === 4 ? 20 : 40
  const isAtomic = random(2) === 0
  let identification = random(0x1_0000)
  return Array.from({ length: 1 + random(90) }, () => {
    identification = (identification + (random(15) === 0 ? 2 : 1)) & 0xffff
    const length = random(8) === 0 ? random(usual + 20) : usual
    const trafficClass = random(12) === 0 ? 3 : 0
    const packet = udpPacket({ version, sourcePort, isAtomic, identification, trafficClass }, octets(length, random))
    const kind = random(30)
    if (kind === 0) packet.fill(0, ip + 6, ip + 8)
    if (kind === 1) packet[ip + 7] ^= 1
    return kind === 2 ? withOptions(packet) : packet
  })
}

/**
 * The datagrams of each source port, in order, as text. The identification of an atomic one may change, and with it the header checksum:
 * they are left out there.
 */
function byPort(packets: readonly Uint8Array[], ip: number): Record<number, string[]> {
  const ports: Record<number, string[]> = {}
  for (const packet of packets) {
    const transport = packet[0] === 0x46 ? 24 : packet[6] === 0 && ip === 40 ? 48 : ip
    const port = new DataView(packet.buffer, packet.byteOffset).getUint16(transport)
    const shown = packet.slice()
    if (ip === 20 && (packet[6] & 0x40) !== 0) for (const at of [4, 5, 10, 11]) shown[at] = 0
    ports[port] ??= []
    ports[port].push(String(shown))
  }
  return ports
}
