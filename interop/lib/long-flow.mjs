#!/usr/bin/env node
// long-flow.mjs send|count|echo ADDRESS PORT: one TCP connection that sends a little all the time, until SIGTERM; the other end counts and
// says at its end {octets, wrong}, where `wrong` are octets that are not the next of the pattern. `echo` sends to one that gives back what it
// gets, counts that, and says {sent, octets, wrong, longestGap} when all of it is back; `longestGap`: milliseconds in which nothing came.
import { connect, createServer } from 'node:net'

const CHUNK = 20_000
const EVERY = 20
/** Octet i of the stream; no stretch of it is like another. */
const octetAt = (i) => Math.imul(i, 0x9e3779b1) >>> 24

const [mode, address, port] = process.argv.slice(2)
if (mode === 'count') {
  const server = createServer((socket) => {
    server.close()
    const count = counted(socket)
    socket.on('error', () => {})
    socket.once('close', () => say({ octets: count.octets, wrong: count.wrong }))
  })
  server.listen(Number(port), address, () => console.log('LISTENING'))
} else {
  let sent = 0
  const socket = connect({ host: address, port: Number(port) })
  const count = counted(socket)
  socket.on('error', (error) => {
    say({ error: error.message })
    process.exit(1)
  })
  socket.once('connect', () => console.log('CONNECTED'))
  const timer = setInterval(() => {
    if (socket.writableLength > 4 * CHUNK) return
    const from = sent
    socket.write(Uint8Array.from({ length: CHUNK }, (_, i) => octetAt(from + i)))
    sent += CHUNK
  }, EVERY)
  process.once('SIGTERM', () => {
    clearInterval(timer)
    if (mode === 'send') {
      say({ sent })
      socket.end(() => process.exit(0))
      return
    }
    setInterval(() => {
      if (count.octets < sent) return
      say({ sent, ...count })
      process.exit(0)
    }, EVERY)
  })
}

/** What comes by `socket`, against the pattern. */
function counted(socket) {
  const count = { octets: 0, wrong: 0, longestGap: 0 }
  let last
  socket.on('data', (bytes) => {
    const now = performance.now()
    if (last !== undefined) count.longestGap = Math.max(count.longestGap, Math.round(now - last))
    last = now
    for (const octet of bytes) if (octet !== octetAt(count.octets++)) count.wrong++
  })
  return count
}

function say(result) {
  console.log(JSON.stringify(result))
}
