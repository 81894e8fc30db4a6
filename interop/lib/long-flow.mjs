#!/usr/bin/env node
// long-flow.mjs send|count ADDRESS PORT: one TCP connection that sends a little all the time, until SIGTERM; the other end counts and says
// at its end {octets, wrong}, where `wrong` are octets that are not the next of the pattern.
import { connect, createServer } from 'node:net'

const CHUNK = 20_000
const EVERY = 20
/** Octet i of the stream. */
const octetAt = (i) => (i * 7) & 0xff

const [mode, address, port] = process.argv.slice(2)
if (mode === 'send') {
  let sent = 0
  const socket = connect({ host: address, port: Number(port) })
  socket.on('error', (error) => {
    console.log(JSON.stringify({ error: error.message }))
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
    console.log(JSON.stringify({ sent }))
    socket.end(() => process.exit(0))
  })
} else {
  const server = createServer((socket) => {
    server.close()
    let octets = 0
    let wrong = 0
    socket.on('data', (bytes) => {
      for (const octet of bytes) if (octet !== octetAt(octets++)) wrong++
    })
    socket.on('error', () => {})
    socket.once('close', () => console.log(JSON.stringify({ octets, wrong })))
  })
  server.listen(Number(port), address, () => console.log('LISTENING'))
}
