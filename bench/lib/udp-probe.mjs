// UDP with the time of its sending in it, and what becomes of it; a helper (helper.mjs), one at each end. All of a machine's processes share the
// monotonic clock, so the delay of one way can be measured.
import { createSocket } from 'node:dgram'
import { closeSync, openSync, readSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { answer } from './helper-end.mjs'

const PROBE_PORT = 5301

const socket = createSocket('udp4')
let received = emptied()
let watch

answer({
  /** The end that receives. */
  listen: () =>
    new Promise((resolve) => {
      socket.on('message', took)
      socket.bind(PROBE_PORT, '0.0.0.0', () => {
        socket.setRecvBufferSize(4 << 20)
        resolve()
      })
    }),

  /** Answers when all is sent: how many that were. */
  send: ({ address, octets, perSecond, seconds }) =>
    new Promise((resolve) => {
      const started = performance.now()
      const total = Math.round(perSecond * seconds)
      let sent = 0
      const turn = () => {
        const due = Math.min(total, ((performance.now() - started) * perSecond) / 1000)
        for (; sent < due; sent++) {
          const datagram = Buffer.alloc(octets)
          datagram.writeBigUInt64BE(process.hrtime.bigint())
          socket.send(datagram, PROBE_PORT, address)
        }
        if (sent < total) setTimeout(turn, 1)
        else resolve(total)
      }
      turn()
    }),

  /** From now on: what arrives at the device that has this address, a millisecond at a time. */
  watch({ address }) {
    unwatch()
    const found = Object.entries(networkInterfaces()).find(([, addresses]) => addresses.some((one) => one.address === address))
    if (found === undefined) throw new Error(`no device has ${address}`)
    watch = { fd: openSync(`/sys/class/net/${found[0]}/statistics/rx_bytes`, 'r'), timer: undefined, octets: undefined, at: 0, samples: [] }
    sample()
  },

  /** What has come since it was asked last, and forgotten now. */
  collect() {
    const { delays, octets, first, last } = received
    received = emptied()
    delays.sort((a, b) => a - b)
    const bursts = (watch?.samples ?? []).filter((one) => one > 0).sort((a, b) => a - b)
    unwatch()
    return {
      count: delays.length,
      delay: { p50: rank(delays, 0.5), p90: rank(delays, 0.9), p99: rank(delays, 0.99), max: delays.at(-1) },
      megabits: delays.length < 2 ? undefined : ((octets - octets / delays.length) * 8) / (last - first) / 1000,
      burst: { p50: rank(bursts, 0.5), p99: rank(bursts, 0.99), max: bursts.at(-1) },
    }
  },
})
console.log('ready')

function emptied() {
  return { delays: [], octets: 0, first: undefined, last: undefined }
}

/** UDP and IPv4 headers are counted. */
function took(datagram) {
  received.delays.push(Number(process.hrtime.bigint() - datagram.readBigUInt64BE()) / 1e6)
  received.octets += datagram.length + 28
  received.last = performance.now()
  received.first ??= received.last
}

function sample() {
  const text = Buffer.alloc(24)
  const octets = Number(text.toString('latin1', 0, readSync(watch.fd, text, 0, 24, 0)))
  const now = performance.now()
  // A turn that comes late saw more than a millisecond's.
  if (watch.octets !== undefined) watch.samples.push(Math.round((octets - watch.octets) / Math.max(1, now - watch.at)))
  Object.assign(watch, { octets, at: now })
  watch.timer = setTimeout(sample, 1)
}

function unwatch() {
  if (watch === undefined) return
  clearTimeout(watch.timer)
  closeSync(watch.fd)
  watch = undefined
}

const rank = (sorted, share) =>
  sorted.length === 0 ? undefined : sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]
