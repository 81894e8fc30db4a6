// The two ways on which the adversary talks, as either end: UDP with the Non-ESP marker on 4500, and TCP with RFC 9329's frames.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { ikeFrame, isIke, PREFIX, Stream } from '../prober/stream.mjs'

const MARKER = Buffer.alloc(4)

/** To `host`, or waiting for whoever comes. Each has send(message), next(milliseconds), isClosed and close(). */
export async function openWire({ role, transport, host, address, reuses }) {
  if (transport === 'udp') return role === 'initiator' ? UdpWire.to(host) : UdpWire.at(address)
  return role === 'initiator' ? TcpWire.to(host, reuses) : TcpWire.at(address)
}

class Wire {
  #received = []
  #waiting

  take(message) {
    this.#received.push(message)
    this.#waiting?.()
  }

  /** The next message, `undefined` after `milliseconds`, or where no more can come. */
  async next(milliseconds) {
    if (this.#received.length === 0 && !this.isClosed)
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, milliseconds)
        this.#waiting = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    this.#waiting = undefined
    return this.#received.shift()
  }

  /** What came and nobody asked for. */
  clear() {
    this.#received.length = 0
  }

  wake() {
    this.#waiting?.()
  }
}

class UdpWire extends Wire {
  isClosed = false
  #socket
  #to

  static async to(host) {
    const wire = new UdpWire()
    await wire.#bind({ port: 0 })
    wire.#to = { address: host, port: 500, socket: wire.#socket }
    return wire
  }

  /** On both ports; answers from where it was asked. */
  static async at(address) {
    const wire = new UdpWire()
    await wire.#bind({ port: 500, address })
    wire.more = new UdpWire()
    await wire.more.#bind({ port: 4500, address }, wire)
    return wire
  }

  async #bind(where, taker = this) {
    const socket = createSocket('udp4')
    this.#socket = socket
    socket.on('message', (octets, from) => {
      const hasMarker = socket.address().port === 4500 || from.port === 4500
      if (taker !== this || where.address !== undefined) taker.#to = { address: from.address, port: from.port, socket }
      if (!hasMarker) taker.take(octets)
      else if (octets.length >= 32 && octets.readUInt32BE(0) === 0) taker.take(octets.subarray(4))
    })
    await new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.bind(where, resolve)
    })
  }

  send(message) {
    const { address, port, socket } = this.#to
    const isMarked = port === 4500 || socket.address().port === 4500
    return new Promise((resolve) => socket.send(isMarked ? Buffer.concat([MARKER, message]) : message, port, address, () => resolve()))
  }

  close() {
    this.#socket.close()
    this.more?.close()
  }
}

class TcpWire extends Wire {
  #stream
  #server
  #isFirst = true

  static async to(host) {
    const wire = new TcpWire()
    wire.#use(await Stream.open({ host, port: 4500 }))
    return wire
  }

  static async at(address) {
    const wire = new TcpWire()
    wire.#isFirst = false
    wire.#server = createServer((socket) => {
      // The prefix comes once, ahead of all frames (RFC 9329 §4).
      socket.once('data', (first) => {
        socket.pause()
        const stream = new Stream(socket)
        wire.#use(stream)
        socket.emit('data', first.subarray(PREFIX.length))
        socket.resume()
      })
      socket.on('error', () => {})
    })
    await new Promise((resolve) => wire.#server.listen({ host: address, port: 4500 }, resolve))
    return wire
  }

  #use(stream) {
    this.#stream = stream
    stream.onFrame = (frame) => {
      if (isIke(frame)) this.take(frame.subarray(4))
    }
    stream.socket.on('close', () => this.wake())
  }

  get isClosed() {
    return this.#stream?.closed !== undefined
  }

  async send(message) {
    await this.#stream.send(this.#isFirst ? Buffer.concat([PREFIX, ikeFrame(message)]) : ikeFrame(message))
    this.#isFirst = false
  }

  close() {
    this.#stream?.close()
    this.#server?.close()
  }
}
