// ESP (RFC 4303) with AES-256-GCM and a 16-octet ICV, tunnel mode, and the inner IPv4 packets the checks send through it.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { u16, u32 } from './ike.mjs'

export class EspSa {
  sequence = 0

  constructor({ innerAddress, childSpi, outKey, inKey, ownSpi }) {
    Object.assign(this, { innerAddress, childSpi, outKey, inKey, ownSpi })
  }

  /** Seals an inner IPv4 packet. Each call takes the next sequence number. */
  seal(packet, { tamper = false } = {}) {
    const padding = (4 - ((packet.length + 2) % 4)) % 4
    const trailer = Buffer.from([...Array.from({ length: padding }, (_, index) => index + 1), padding, 4])
    const head = Buffer.concat([this.childSpi, u32(++this.sequence)])
    const iv = randomBytes(8)
    const cipher = createCipheriv('aes-256-gcm', this.outKey.subarray(0, 32), Buffer.concat([this.outKey.subarray(32), iv]))
    cipher.setAAD(head)
    const sealed = Buffer.concat([head, iv, cipher.update(packet), cipher.update(trailer), cipher.final(), cipher.getAuthTag()])
    if (tamper) sealed[sealed.length - 1] ^= 1
    return sealed
  }

  /** The inner packet, or undefined when it is not ours or does not verify. */
  open(packet) {
    if (packet.length < 34 || !this.ownSpi.equals(packet.subarray(0, 4))) return undefined
    const decipher = createDecipheriv(
      'aes-256-gcm',
      this.inKey.subarray(0, 32),
      Buffer.concat([this.inKey.subarray(32), packet.subarray(8, 16)]),
    )
    decipher.setAAD(packet.subarray(0, 8))
    decipher.setAuthTag(packet.subarray(-16))
    try {
      const plain = Buffer.concat([decipher.update(packet.subarray(16, -16)), decipher.final()])
      return plain.subarray(0, plain.length - 2 - plain[plain.length - 2])
    } catch {
      return undefined
    }
  }
}

const octets = (address) => Buffer.from(address.split('.').map(Number))

/** RFC 1071. */
function checksum(bytes) {
  let sum = 0
  for (let index = 0; index < bytes.length; index += 2) sum += (bytes[index] << 8) | (bytes[index + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function ipv4(source, destination, protocol, payload) {
  const head = Buffer.concat([
    Buffer.from([0x45, 0]),
    u16(20 + payload.length),
    u16(0),
    u16(0x4000),
    Buffer.from([64, protocol, 0, 0]),
    octets(source),
    octets(destination),
  ])
  head.writeUInt16BE(checksum(head), 10)
  return Buffer.concat([head, payload])
}

export function echoRequest(source, destination, sequence) {
  const icmp = Buffer.concat([Buffer.from([8, 0, 0, 0]), u16(0x7570), u16(sequence), Buffer.from('underpass prober')])
  icmp.writeUInt16BE(checksum(icmp), 2)
  return ipv4(source, destination, 1, icmp)
}

/** A bare SYN: a listener answers it, and repeats its answer at 1, 3, 7 s, whatever path its packets then take. */
export function tcpSyn(source, destination, sourcePort, destinationPort) {
  const segment = Buffer.concat([
    u16(sourcePort),
    u16(destinationPort),
    u32(1),
    u32(0),
    Buffer.from([0x50, 0x02]),
    u16(65535),
    u16(0),
    u16(0),
  ])
  const pseudo = Buffer.concat([octets(source), octets(destination), Buffer.from([0, 6]), u16(segment.length)])
  segment.writeUInt16BE(checksum(Buffer.concat([pseudo, segment])), 16)
  return ipv4(source, destination, 6, segment)
}

export const isEchoReply = (packet, sequence) => packet[9] === 1 && packet[20] === 0 && packet.readUInt16BE(26) === sequence
export const isSynAck = (packet, sourcePort) => packet[9] === 6 && packet.readUInt16BE(22) === sourcePort && packet[33] === 0x12
