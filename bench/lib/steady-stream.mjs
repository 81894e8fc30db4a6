// One end of a TCP connection that carries a little all the time, both ways, and keeps when something came.
import { connect, createServer } from 'node:net'
import { hrtime } from 'node:process'
import { answer } from './helper-end.mjs'

const CHUNK = Buffer.alloc(500)
const EVERY = 5

/** Milliseconds, each ascending. */
const arrivals = []
let socket
let end

/** The monotonic clock is the machine's, and so the same at both ends. */
const now = () => Number(hrtime.bigint() / 1_000n) / 1_000

answer({
  async listen({ address, port }) {
    const server = createServer((accepted) => {
      server.close()
      begin(accepted)
    })
    await new Promise((resolve, reject) => server.once('error', reject).listen(port, address, resolve))
  },

  async connect({ address, port }) {
    const opened = connect({ host: address, port })
    await new Promise((resolve, reject) => opened.once('error', reject).once('connect', resolve))
    begin(opened)
  },

  now,

  /** Since `since` what came, and the longest time in which nothing did, that which lasts still included. */
  view({ since }) {
    const times = [since, ...arrivals.filter((time) => time > since), now()]
    let at = 1
    for (let i = 2; i < times.length; i++) if (times[i] - times[i - 1] > times[at] - times[at - 1]) at = i
    const isOver = at < times.length - 1
    return { longest: times[at] - times[at - 1], until: isOver ? times[at] - since : undefined, last: arrivals.at(-1), end, now: now() }
  },
})

function begin(opened) {
  socket = opened
  socket.setNoDelay(true)
  socket.on('data', () => arrivals.push(now()))
  socket.on('error', (error) => {
    end = error.code
  })
  socket.on('close', () => {
    end ??= 'closed'
    clearInterval(timer)
  })
  const timer = setInterval(() => {
    // What waits is as much as a flow has that is held up; more would be memory alone.
    if (socket.writableLength < 1_000_000) socket.write(CHUNK)
  }, EVERY)
}
