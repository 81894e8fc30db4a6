#!/usr/bin/env node
// stream-relay.mjs LISTEN:PORT TARGET:PORT CONTROL: what a NAT, a proxy or an attacker may do to one RFC 9329 stream. It passes the frames of one
// originator on to the target by connections of its own, and does what it is told by the socket CONTROL, a JSON line each, answered with one:
//   {"do": "redial", "from": ADDRESS}          half of the originator's next ESP frame, a reset, and on by a new connection: {half, of, port}
//   {"do": "replay", "from": ADDRESS, "what"}  a new connection on which what="esp" or "ike" the originator sent before comes again:
//                                              {frames, port, octetsBack}
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const PREFIX = Buffer.from('IKETCP')
/** Frames of each kind that are kept for a replay, the newest: of ESP with ESN, what is older than the window has a wrong ICV (RFC 4303 §A2.2). */
const KEPT = 3
const REPLAY_WAIT = 1_500

const endpoint = (text) => ({ host: text.slice(0, text.lastIndexOf(':')), port: Number(text.slice(text.lastIndexOf(':') + 1)) })
const [listen, target] = process.argv.slice(2, 4).map(endpoint)
const control = process.argv[4]

const seen = { esp: [], ike: [] }
let originator
let onward
/** Set while the originator's next ESP frame is waited for, to be cut; that one is lost, and not kept. */
let cut
/** Frames that come while there is no connection to pass them on by. */
let held

createServer((socket) => {
  if (originator !== undefined) return socket.destroy()
  originator = socket.setNoDelay(true)
  const reader = new FrameReader({ hasPrefix: true })
  onward = dial()
  socket.on('data', (bytes) => {
    for (const frame of reader.read(bytes)) passOn(frame)
  })
  socket.on('error', () => {})
  socket.on('close', () => onward.destroy())
}).listen(listen.port, listen.host, () => console.log('LISTENING'))

createServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', async (line) => {
    const command = JSON.parse(String(line))
    socket.end(`${JSON.stringify(await (command.do === 'redial' ? redial(command) : replay(command)))}\n`)
  })
}).listen(control)

function passOn(frame) {
  const isIke = frame.readUInt32BE(2) === 0
  if (!isIke && cut !== undefined && held === undefined) {
    held = []
    cut(frame)
    cut = undefined
    return
  }
  const kept = isIke ? seen.ike : seen.esp
  kept.push(Buffer.from(frame))
  if (kept.length > KEPT) kept.shift()
  if (held === undefined) onward.write(frame)
  else held.push(Buffer.from(frame))
}

/** What the target sends goes back to the originator in whole frames: the half that a connection ended with is nobody's. */
function dial(from) {
  const socket = connect({ ...target, localAddress: from, noDelay: true })
  const reader = new FrameReader({ hasPrefix: false })
  socket.write(PREFIX)
  socket.on('data', (bytes) => {
    for (const frame of reader.read(bytes)) originator.write(frame)
  })
  socket.on('error', () => {})
  return socket
}

async function redial({ from }) {
  const frame = await new Promise((resolve) => {
    cut = resolve
  })
  const half = frame.length >> 1
  await new Promise((resolve) => onward.write(frame.subarray(0, half), resolve))
  // Not so soon that the reset overtakes what it is to cut off.
  await sleep(50)
  onward.resetAndDestroy()
  onward = dial(from)
  for (const waiting of held) onward.write(waiting)
  held = undefined
  await once(onward, 'connect')
  return { half, of: frame.length, port: onward.localPort }
}

async function replay({ from, what }) {
  const socket = connect({ ...target, localAddress: from, noDelay: true })
  let octetsBack = 0
  socket.on('data', (bytes) => {
    octetsBack += bytes.length
  })
  socket.on('error', () => {})
  socket.write(Buffer.concat([PREFIX, ...seen[what]]))
  await sleep(REPLAY_WAIT)
  const { localPort } = socket
  socket.destroy()
  return { frames: seen[what].length, port: localPort, octetsBack }
}

/** Cuts a stream into its frames, Length included. */
class FrameReader {
  #rest = Buffer.alloc(0)
  #hasPrefix

  constructor({ hasPrefix }) {
    this.#hasPrefix = hasPrefix
  }

  *read(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes])
    if (this.#hasPrefix) {
      if (this.#rest.length < PREFIX.length) return
      this.#rest = this.#rest.subarray(PREFIX.length)
      this.#hasPrefix = false
    }
    while (this.#rest.length >= 2 && this.#rest.length >= this.#rest.readUInt16BE(0)) {
      const length = this.#rest.readUInt16BE(0)
      yield this.#rest.subarray(0, length)
      this.#rest = this.#rest.subarray(length)
    }
  }
}
