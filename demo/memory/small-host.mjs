// A host in a few hundred lines, for places where the kernel gives us none: IPv4, ICMP echo, UDP, and as much of TCP as a path
// that neither reorders nor often loses needs. Packets come from and go to one end of a memory TUN.
import { batchOf } from '@underpass/tun-device'
import { SmallStream } from './small-stream.mjs'

const IP_HEADER = 20
const UDP_HEADER = 8
const ICMP = 1
const TCP = 6
const UDP = 17
const ECHO_REPLY = 0
const ECHO_REQUEST = 8

export class SmallHost {
  #tun
  #address
  #udp = new Map()
  #listeners = new Map()
  #streams = new Map()
  #pings = new Map()
  #nextPort = 40_000
  #identification = 0

  /** `address` in text; the packets for any other are not ours. */
  constructor(tun, address) {
    this.#tun = tun
    this.#address = octetsOf(address)
    tun.start(({ buffer, offsets, lengths, count }) => {
      // Lent for the call: what is kept is copied below.
      for (let i = 0; i < count; i++) this.#receive(Buffer.from(buffer.subarray(offsets[i], offsets[i] + lengths[i])))
      for (const stream of this.#streams.values()) stream.flush()
    })
  }

  /** Milliseconds until the answer; `undefined` without one. */
  ping(address, sequence, timeout = 2_000) {
    return new Promise((resolve) => {
      const end = (time) => {
        clearTimeout(timer)
        this.#pings.delete(sequence)
        resolve(time)
      }
      const timer = setTimeout(() => end(undefined), timeout)
      const started = performance.now()
      this.#pings.set(sequence, () => end(performance.now() - started))
      const message = Buffer.alloc(64)
      message[0] = ECHO_REQUEST
      message.writeUInt16BE(sequence, 6)
      this.#sendEcho(message, octetsOf(address))
    })
  }

  /** `onDatagram(payload, address, port)`. Answers the port, a free one where none is asked for. */
  bindUdp(onDatagram, port = this.#nextPort++) {
    this.#udp.set(port, onDatagram)
    return port
  }

  sendUdp(payload, from, address, port) {
    const remote = octetsOf(address)
    const datagram = Buffer.alloc(UDP_HEADER + payload.length)
    datagram.writeUInt16BE(from, 0)
    datagram.writeUInt16BE(port, 2)
    datagram.writeUInt16BE(datagram.length, 4)
    payload.copy(datagram, UDP_HEADER)
    // RFC 768: a sum of 0 is sent as all ones, for 0 says that there is none.
    datagram.writeUInt16BE(this.#sum(UDP, remote, datagram) || 0xffff, 6)
    this.#send(UDP, remote, datagram)
  }

  /** `onStream(duplex)` for each connection to the port. */
  listen(port, onStream) {
    this.#listeners.set(port, onStream)
  }

  connect(address, port) {
    return this.#stream(octetsOf(address), port, this.#nextPort++).open()
  }

  #receive(packet) {
    if (packet.length < IP_HEADER || packet[0] !== 0x45 || checksum(packet.subarray(0, IP_HEADER)) !== 0) return
    const [source, destination] = [packet.subarray(12, 16), packet.subarray(16, 20)]
    if (!destination.equals(this.#address)) return
    const message = packet.subarray(IP_HEADER, packet.readUInt16BE(2))
    switch (packet[9]) {
      case ICMP:
        return this.#receiveEcho(source, message)
      case UDP:
        return this.#receiveUdp(source, message)
      case TCP:
        return this.#receiveTcp(source, message)
    }
  }

  #receiveEcho(source, message) {
    if (message.length < 8 || checksum(message) !== 0) return
    if (message[0] === ECHO_REPLY) this.#pings.get(message.readUInt16BE(6))?.()
    if (message[0] !== ECHO_REQUEST) return
    message[0] = ECHO_REPLY
    this.#sendEcho(message, source)
  }

  #sendEcho(message, remote) {
    message.writeUInt16BE(0, 2)
    message.writeUInt16BE(checksum(message), 2)
    this.#send(ICMP, remote, message)
  }

  #receiveUdp(source, datagram) {
    if (datagram.length < UDP_HEADER || this.#sum(UDP, source, datagram) !== 0) return
    this.#udp.get(datagram.readUInt16BE(2))?.(datagram.subarray(UDP_HEADER), textOf(source), datagram.readUInt16BE(0))
  }

  #receiveTcp(source, segment) {
    if (segment.length < IP_HEADER || this.#sum(TCP, source, segment) !== 0) return
    const [remotePort, port] = [segment.readUInt16BE(0), segment.readUInt16BE(2)]
    const known = this.#streams.get(`${textOf(source)} ${remotePort} ${port}`)
    if (known !== undefined) return known.receive(segment)
    const onStream = this.#listeners.get(port)
    if (onStream === undefined || !SmallStream.isOpening(segment)) return
    const stream = this.#stream(source, remotePort, port)
    stream.receive(segment)
    onStream(stream)
  }

  #stream(remote, remotePort, port) {
    const address = Buffer.from(remote)
    const key = `${textOf(address)} ${remotePort} ${port}`
    const stream = new SmallStream({
      port,
      remotePort,
      mss: this.#tun.mtu - IP_HEADER - 20,
      send: (segment) => {
        segment.writeUInt16BE(this.#sum(TCP, address, segment), 16)
        this.#send(TCP, address, segment)
      },
      onGone: () => this.#streams.delete(key),
    })
    this.#streams.set(key, stream)
    return stream
  }

  #send(protocol, destination, payload) {
    const packet = Buffer.alloc(IP_HEADER + payload.length)
    packet[0] = 0x45
    packet.writeUInt16BE(packet.length, 2)
    this.#identification = (this.#identification + 1) & 0xffff
    packet.writeUInt16BE(this.#identification, 4)
    packet[8] = 64
    packet[9] = protocol
    this.#address.copy(packet, 12)
    destination.copy(packet, 16)
    packet.writeUInt16BE(checksum(packet.subarray(0, IP_HEADER)), 10)
    payload.copy(packet, IP_HEADER)
    this.#tun.write(batchOf([packet]))
  }

  /** Over the pseudo header too. The addresses' order is all the same to a sum. */
  #sum(protocol, remote, message) {
    const pseudo = Buffer.alloc(12)
    this.#address.copy(pseudo, 0)
    remote.copy(pseudo, 4)
    pseudo[9] = protocol
    pseudo.writeUInt16BE(message.length, 10)
    return checksum(pseudo, message)
  }
}

/** RFC 1071; 0 over a message whose own sum is right. All parts but the last have an even length. */
function checksum(...parts) {
  let sum = 0
  for (const part of parts) {
    const even = part.length & ~1
    for (let i = 0; i < even; i += 2) sum += (part[i] << 8) | part[i + 1]
    if (even < part.length) sum += part[even] << 8
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

const octetsOf = (address) => Buffer.from(address.split('.').map(Number))
const textOf = (octets) => octets.join('.')
