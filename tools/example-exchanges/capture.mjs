// What passes on an interface, from a packet socket: IPv4 packets in the order in which they passed.
import { loadLibc } from '@underpass/native'

// linux/if_packet.h
const AF_PACKET = 17
const SOCK_RAW = 3
const SOCK_NONBLOCK = 0o4000
const ETH_P_ALL = 0x0003
const SOL_PACKET = 263
const PACKET_IGNORE_OUTGOING = 23
const ETHERNET_HEADER = 14
/** On the loopback interface the kernel leaves a run of segments in one. */
const LONGEST = 65_536 + ETHERNET_HEADER

export class Capture {
  #libc = loadLibc()
  #fd
  #buffer = new Uint8Array(LONGEST)

  constructor(device) {
    this.#fd = this.#libc.socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0)
    // What leaves by the loopback interface comes in by it: once is enough.
    this.#libc.setsockopt(this.#fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    const address = new DataView(new ArrayBuffer(20))
    address.setUint16(0, AF_PACKET, true)
    address.setUint16(2, ETH_P_ALL)
    address.setInt32(4, this.#libc.ifNameToIndex(device), true)
    this.#libc.bind(this.#fd, new Uint8Array(address.buffer))
  }

  /** All since the last call: UDP datagrams and TCP segments. */
  take() {
    const packets = []
    for (;;) {
      const octets = this.#libc.read(this.#fd, this.#buffer, 0, LONGEST)
      if (octets < ETHERNET_HEADER) return packets
      const packet = transportPacket(Buffer.from(this.#buffer.subarray(ETHERNET_HEADER, octets)))
      if (packet !== undefined) packets.push(packet)
    }
  }

  close() {
    this.#libc.close(this.#fd)
  }
}

/** RFC 791 §3.1, RFC 768, RFC 9293 §3.1. */
function transportPacket(packet) {
  if (packet[0] >> 4 !== 4) return undefined
  const header = (packet[0] & 15) * 4
  const [source, destination] = [12, 16].map((at) => [...packet.subarray(at, at + 4)].join('.'))
  const body = packet.subarray(header, packet.readUInt16BE(2))
  if (body.length < 8) return undefined
  const from = { address: source, port: body.readUInt16BE(0) }
  const to = { address: destination, port: body.readUInt16BE(2) }
  if (packet[9] === 17) return { protocol: 'udp', from, to, data: body.subarray(8) }
  if (packet[9] !== 6) return undefined
  const flags = body[13]
  return {
    protocol: 'tcp',
    from,
    to,
    sequence: body.readUInt32BE(4),
    acknowledges: (flags & 0x10) === 0 ? undefined : body.readUInt32BE(8),
    isSyn: (flags & 0x02) !== 0,
    isFin: (flags & 0x01) !== 0,
    isRst: (flags & 0x04) !== 0,
    data: body.subarray((body[12] >> 4) * 4),
  }
}
