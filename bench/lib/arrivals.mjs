// When TCP segments arrive at a tunnel's end, outside and inside: how many inner packets an outer retransmission sets free at once, and how
// long nothing came before it. tcpdump counts, at the device before the program and at the one behind it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds after the arrival of a retransmission in which what comes out is its doing. */
const RELEASE = 2
/** Packets nearer to each other than this are of one burst: half of the turns in which the emulated link hands on. */
const TOGETHER = 0.5
const OCTETS_KEPT = 120

/** @param {{ device: string, filter: string }} what `filter`: pcap's, of TCP segments of one connection and way */
export async function capture(ends, namespace, label, { device, filter }) {
  const file = join(ends.dir, `${label}-${device}-${performance.now()}.pcap`)
  const words = ['--interface', device, '--snapshot-length', String(OCTETS_KEPT), '--buffer-size', '8192', '--time-stamp-precision=nano']
  const tcpdump = ends.backgroundIn(namespace, `tcpdump-${label}`, ['tcpdump', '-n', '-p', '-Z', 'root', ...words, '-w', file, filter])
  await tcpdump.waitForLine(/listening on/, 5_000)
  return {
    /** @returns {Promise<{ at: number, sequence: number, payload: number }[]>} `at` in milliseconds */
    async segments() {
      // The kernel hands on what it has in blocks.
      await sleep(1_100)
      await tcpdump.stop()
      return segmentsIn(readFileSync(file))
    },
  }
}

/**
 * @param {{ outer?: object[], inner: object[], mss: number }} what `mss`: of the inner flow, whose packets a device may be given in one piece
 * @returns {{ any: object, afterRetransmission?: object }} packets in a burst; `silence`: milliseconds before it
 */
export function bursts({ outer, inner, mss }) {
  const packets = inner.filter(({ payload }) => payload > 0).map(({ at, payload }) => ({ at, count: Math.ceil(payload / mss) }))
  return {
    any: percentiles(together(packets)),
    ...(outer === undefined ? {} : { afterRetransmission: released(retransmissionsIn(outer), packets) }),
  }
}

function together(packets) {
  const counts = []
  let last = Number.NEGATIVE_INFINITY
  for (const { at, count } of packets) {
    if (at - last > TOGETHER) counts.push(0)
    counts[counts.length - 1] += count
    last = at
  }
  return counts
}

/** The link keeps the order, so a segment from before the last one has been sent again. */
function retransmissionsIn(segments) {
  let end
  const times = []
  for (const { at, sequence, payload } of segments) {
    if (payload === 0) continue
    if (end !== undefined && ((sequence - end) | 0) < 0) times.push(at)
    const after = (sequence + payload) | 0
    if (end === undefined || ((after - end) | 0) > 0) end = after
  }
  return times
}

function released(times, packets) {
  const counts = []
  const silences = []
  let from = 0
  let until = Number.NEGATIVE_INFINITY
  for (const at of times) {
    // One that arrives while another one's are still coming out is of the same burst.
    if (at < until) continue
    until = at + RELEASE
    while (from < packets.length && packets[from].at < at) from++
    let to = from
    let count = 0
    while (to < packets.length && packets[to].at < until) count += packets[to++].count
    counts.push(count)
    if (count > 0 && from > 0) silences.push(packets[from].at - packets[from - 1].at)
  }
  return { ...percentiles(counts), empty: counts.filter((count) => count === 0).length, silence: percentiles(silences) }
}

/** @param {number[]} values */
export function percentiles(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = (share) =>
    sorted.length === 0 ? undefined : round(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)])
  return { count: sorted.length, p50: rank(0.5), p90: rank(0.9), p99: rank(0.99), max: rank(1) }
}

const round = (value) => Math.round(value * 100) / 100

const NANOSECONDS = 0xa1b23c4d
const LINK_HEADERS = { 1: 14, 12: 0, 101: 0, 113: 16, 228: 0 }

/** Of a pcap file with IPv4. */
function segmentsIn(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const isLittle = view.getUint32(0, true) === NANOSECONDS
  const header = LINK_HEADERS[view.getUint32(20, isLittle) & 0xffff]
  if (header === undefined) throw new Error(`pcap: link type ${view.getUint32(20, isLittle)}`)
  const segments = []
  for (let at = 24; at + 16 <= file.length; ) {
    const kept = view.getUint32(at + 8, isLittle)
    const ip = at + 16 + header
    if (at + 16 + kept > file.length) break
    const tcp = ip + 4 * (view.getUint8(ip) & 15)
    // A packet in one piece of over 64 kB has no length of its own.
    const length = view.getUint16(ip + 2) || view.getUint32(at + 12, isLittle) - header
    segments.push({
      at: view.getUint32(at, isLittle) * 1e3 + view.getUint32(at + 4, isLittle) / 1e6,
      sequence: view.getUint32(tcp + 4),
      payload: length - (tcp - ip) - 4 * (view.getUint8(tcp + 12) >> 4),
    })
    at += 16 + kept
  }
  return segments
}
