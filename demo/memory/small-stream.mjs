// One TCP connection as a Node stream: handshake, a window, in-order delivery, a timer that sends again. No options, no congestion
// control; sequence numbers start low enough not to wrap within 2 GB.
import { Duplex } from 'node:stream'

const FIN = 0x01
const SYN = 0x02
const RST = 0x04
const ACK = 0x10
const HEADER = 20
const WINDOW = 65_535
const RESEND = 300

export class SmallStream extends Duplex {
  #port
  #remotePort
  #mss
  #send
  #onGone
  #isOpen = false
  #next = 1 + Math.floor(Math.random() * 2 ** 30)
  /** { sequence, length, flags, data }: sent and not acknowledged; then what waits for the window. */
  #unacknowledged = []
  #waiting = []
  #expected = 0
  #peerWindow = WINDOW
  #owesAck = false
  #advertised = WINDOW
  #afterWrite
  #timer
  #hasSentFin = false
  #hasFin = false

  constructor({ port, remotePort, mss, send, onGone }) {
    super()
    this.#port = port
    this.#remotePort = remotePort
    this.#mss = mss
    this.#send = send
    this.#onGone = onGone
  }

  /** Whether a segment asks for a new connection. */
  static isOpening(segment) {
    return (segment[13] & (SYN | ACK)) === SYN
  }

  open() {
    this.#queue(SYN)
    return this
  }

  /** A segment whose checksum is right. Its octets are the stream's from now on. */
  receive(segment) {
    const flags = segment[13]
    if ((flags & RST) !== 0) return void this.destroy(this.#isOpen ? undefined : new Error('connection refused'))
    const sequence = segment.readUInt32BE(4)
    this.#peerWindow = segment.readUInt16BE(14)
    if ((flags & SYN) !== 0) return this.#receiveSyn(sequence, flags, segment)
    this.#isOpen = true
    if ((flags & ACK) !== 0) this.#acknowledged(segment.readUInt32BE(8))
    const data = segment.subarray((segment[12] >> 4) * 4)
    const isNews = data.length > 0 || (flags & FIN) !== 0
    if (!isNews) return
    this.#owesAck = true
    if (sequence !== this.#expected) return
    this.#expected += data.length
    if (data.length > 0) this.push(data)
    if ((flags & FIN) === 0) return
    this.#expected++
    this.#hasFin = true
    this.push(null)
    this.#endIfDone()
  }

  /** Once a batch of segments is received: one acknowledgement for all of them. */
  flush() {
    if (this.#owesAck) this.#transmit({ sequence: this.#next, flags: ACK, data: NOTHING })
  }

  _read() {
    // The window had nearly closed, so the other end may be waiting to hear that it has not.
    if (this.#isOpen && this.#advertised < 2 * this.#mss) this.#transmit({ sequence: this.#next, flags: ACK, data: NOTHING })
  }

  _write(chunk, _encoding, done) {
    for (let at = 0; at < chunk.length; at += this.#mss) this.#queue(0, chunk.subarray(at, at + this.#mss))
    if (this.#waiting.length === 0) done()
    else this.#afterWrite = done
  }

  _final(done) {
    this.#hasSentFin = true
    this.#queue(FIN)
    done()
  }

  _destroy(error, done) {
    const isOver = this.#hasFin && this.#hasSentFin && this.#unacknowledged.length === 0
    if (!isOver) this.#transmit({ sequence: this.#next, flags: RST | ACK, data: NOTHING })
    this.#gone()
    done(error)
  }

  #receiveSyn(sequence, flags, segment) {
    const isAnswer = (flags & ACK) !== 0
    this.#expected = sequence + 1
    if (isAnswer) {
      this.#isOpen = true
      this.#acknowledged(segment.readUInt32BE(8))
      this.#owesAck = true
    } else if (this.#unacknowledged.length === 0) this.#queue(SYN)
  }

  #acknowledged(number) {
    const before = this.#unacknowledged.length
    while (this.#unacknowledged.length > 0 && this.#unacknowledged[0].sequence + this.#unacknowledged[0].length <= number)
      this.#unacknowledged.shift()
    if (this.#unacknowledged.length < before) this.#rearm()
    this.#pump()
    this.#endIfDone()
  }

  #queue(flags, data = NOTHING) {
    const length = data.length + ((flags & (SYN | FIN)) === 0 ? 0 : 1)
    this.#waiting.push({ sequence: this.#next, length, flags: flags === SYN && this.#expected === 0 ? SYN : flags | ACK, data })
    this.#next += length
    this.#pump()
  }

  /** Sends what fits in the window. Before the handshake is over only its own segment may leave. */
  #pump() {
    while (this.#waiting.length > 0) {
      const [segment] = this.#waiting
      const first = this.#unacknowledged[0]?.sequence ?? segment.sequence
      if (segment.sequence + segment.length - first > this.#peerWindow) break
      if (!this.#isOpen && (segment.flags & SYN) === 0) break
      this.#unacknowledged.push(this.#waiting.shift())
      this.#transmit(segment)
    }
    if (this.#timer === undefined && this.#unacknowledged.length + this.#waiting.length > 0) this.#rearm()
    if (this.#waiting.length > 0 || this.#afterWrite === undefined) return
    const done = this.#afterWrite
    this.#afterWrite = undefined
    done()
  }

  #rearm() {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#unacknowledged.length + this.#waiting.length === 0) return
    this.#timer = setTimeout(() => {
      // Everything again from the first that is missing. A closed window is asked with a segment that does not fit it.
      if (this.#unacknowledged.length === 0) this.#unacknowledged.push(this.#waiting.shift())
      for (const segment of this.#unacknowledged) this.#transmit(segment)
      this.#rearm()
    }, RESEND)
  }

  #transmit({ sequence, flags, data }) {
    const segment = Buffer.alloc(HEADER + data.length)
    this.#advertised = Math.max(0, WINDOW - this.readableLength)
    segment.writeUInt16BE(this.#port, 0)
    segment.writeUInt16BE(this.#remotePort, 2)
    segment.writeUInt32BE(sequence, 4)
    segment.writeUInt32BE(this.#expected, 8)
    segment[12] = (HEADER / 4) << 4
    segment[13] = flags
    segment.writeUInt16BE(this.#advertised, 14)
    data.copy(segment, HEADER)
    this.#owesAck = false
    this.#send(segment)
  }

  #endIfDone() {
    if (!this.#hasFin || !this.#hasSentFin || this.#unacknowledged.length + this.#waiting.length > 0) return
    // The acknowledgement of their FIN has to leave before they are forgotten.
    this.flush()
    this.#gone()
  }

  #gone() {
    clearTimeout(this.#timer)
    this.#unacknowledged = []
    this.#waiting = []
    this.#onGone()
  }
}

const NOTHING = Buffer.alloc(0)
