// A TCP connection to a responder of RFC 9329, or of its draft with a Length of 32 bits, driven octet by octet, and everything it says noted with its time.
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { u16, u32 } from './ike.mjs'

export const PREFIX = Buffer.from('IKETCP')
export const frame = (message, lengthOctets = 2) =>
  Buffer.concat([(lengthOctets === 2 ? u16 : u32)(message.length + lengthOctets), message])
export const ikeFrame = (message, lengthOctets) => frame(Buffer.concat([Buffer.alloc(4), message]), lengthOctets)

export class Stream {
  frames = []
  octets = 0
  closed = undefined
  /** Called with each frame, besides keeping it. */
  onFrame = undefined
  #lengthOctets
  #partial = Buffer.alloc(0)
  #listeners = new Set()

  static open(target) {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: target.host, port: target.port, noDelay: true })
      socket.setTimeout(5_000, () => socket.destroy(new Error('no TCP connection in 5 s')))
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.setTimeout(0)
        socket.off('error', reject)
        resolve(new Stream(socket, target.lengthOctets))
      })
    })
  }

  constructor(socket, lengthOctets = 2) {
    this.socket = socket
    this.#lengthOctets = lengthOctets
    this.opened = Date.now()
    this.local = { address: socket.localAddress, port: socket.localPort }
    this.remote = { address: socket.remoteAddress, port: socket.remotePort }
    socket.on('data', (chunk) => this.#take(chunk))
    const end = (how) => () => {
      this.closed ??= { how, after: Date.now() - this.opened }
      this.#notify()
    }
    socket.on('error', (error) => end(error.code === 'ECONNRESET' ? 'RST' : error.code)())
    socket.on('end', end('FIN'))
    socket.on('close', end('closed'))
  }

  /** Each argument is one write; a number is a pause in ms. Without Nagle, a write is a segment. */
  async send(...pieces) {
    for (const piece of pieces) {
      if (typeof piece === 'number') await sleep(piece)
      else if (this.closed === undefined) await new Promise((resolve) => this.socket.write(piece, () => resolve()))
    }
  }

  /** The first frame, from `since` on, that `pick` turns into something; undefined after `timeout` ms or a close. */
  async next(pick, timeout = 2_500, since = 0) {
    const deadline = Date.now() + timeout
    for (let from = since; ; ) {
      for (; from < this.frames.length; from++) {
        const picked = pick(this.frames[from])
        if (picked !== undefined && picked !== false) return picked
      }
      const left = deadline - Date.now()
      if (left <= 0 || this.closed !== undefined) return undefined
      await this.#change(left)
    }
  }

  /** The next IKE message from `since` on that `matches`, without its marker. */
  ike(matches = () => true, timeout = undefined, since = 0) {
    return this.next((message) => isIke(message) && matches(message.subarray(4)) && message.subarray(4), timeout, since)
  }

  /** Waits for a close; undefined when it is still open after `timeout` ms. */
  async waitForClose(timeout) {
    const deadline = Date.now() + timeout
    while (this.closed === undefined && Date.now() < deadline) await this.#change(deadline - Date.now())
    return this.closed
  }

  reset() {
    this.socket.resetAndDestroy()
  }

  close() {
    this.socket.destroy()
  }

  #take(chunk) {
    this.octets += chunk.length
    this.#partial = Buffer.concat([this.#partial, chunk])
    const own = this.#lengthOctets
    while (this.#partial.length >= own) {
      const length = this.#partial.readUIntBE(0, own)
      if (length < own || this.#partial.length < length) break
      const message = this.#partial.subarray(own, length)
      this.frames.push(message)
      this.onFrame?.(message)
      this.#partial = this.#partial.subarray(length)
    }
    this.#notify()
  }

  #change(timeout) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#listeners.delete(done)
        resolve()
      }
      const timer = setTimeout(done, timeout)
      this.#listeners.add(done)
    })
  }

  #notify() {
    for (const done of [...this.#listeners]) done()
  }
}

export const isIke = (message) => message.length >= 32 && message.readUInt32BE(0) === 0
