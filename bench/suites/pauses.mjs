// Pauses of the garbage collector at both ends while one TCP flow runs at full rate through client and gateway on Node, what a packet
// allocates, and where. Needs root and iperf3.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { until } from '../../interop/lib/process.mjs'
import { root } from '../../tools/runtimes.mjs'
import { underpass } from '../contenders/underpass.mjs'
import { flow, iperfVersion, startIperf, withoutIperf } from '../lib/iperf.mjs'
import { progress } from '../lib/progress.mjs'
import { notRoot, openLab } from '../lib/rounds.mjs'

/** A pause that is longer is one too many. */
const LONG = 5
const SHOWN = 12
/** IP and TCP headers, timestamps included: what of the inner MTU is not iperf3's. */
const HEADERS = 52
const WATCH = pathToFileURL(join(root, 'bench/lib/garbage-watch.mjs')).href

const FLOWS = [
  { name: 'client to gateway', how: {} },
  { name: 'gateway to client', how: { reverse: true } },
]

export async function run({ quick, only, ...changes }) {
  const reason = notRoot() ?? withoutIperf(await iperfVersion())
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const plan = quick ? { seconds: 5, samplingSeconds: 3 } : { seconds: 60, samplingSeconds: 10 }
  const { seconds, samplingSeconds } = { ...plan, ...changes }
  const rows = []
  const notes = []
  const lab = openLab()
  for (const transport of ['tcp', 'udp']) {
    if (only !== undefined && !only.toLowerCase().split(',').includes(transport)) continue
    for (const each of FLOWS) {
      const label = `${transport.toUpperCase()}, ${each.name}`
      try {
        progress(`${label}: pauses, ${seconds} s`)
        const pauses = await lab.in({}, (ends) => watched(ends, { transport, ...each, what: 'pauses', seconds }))
        progress(`${label}: allocations, ${samplingSeconds} s`)
        const allocations = await lab.in({}, (ends) => watched(ends, { transport, ...each, what: 'allocations', seconds: samplingSeconds }))
        for (const end of ['client', 'gateway']) rows.push(row({ transport, flow: each.name, end }, pauses, allocations))
      } catch (error) {
        notes.push(`${label}: ${error.message.split('\n')[0]}`)
      }
    }
  }
  return { seconds, samplingSeconds, long: LONG, rows, notes }
}

async function watched(ends, { transport, how, what, seconds }) {
  const folder = ends.folder('watch')
  Object.assign(process.env, { NODE_OPTIONS: `--import=${WATCH}`, BENCH_WATCH: what, BENCH_WATCH_FOLDER: folder })
  const { address } = await underpass({ runtime: 'node', transport })
    .start(ends)
    .finally(() => delete process.env.NODE_OPTIONS)
  await ends.controlCongestion()
  await startIperf(ends, address)
  // What the compiler does and what it leaves is over.
  await flow(ends, address, { ...how, seconds: 3 })
  const pids = (await ends.contenderPids()).map(Number)
  const tell = () => {
    for (const pid of pids) process.kill(pid, 'SIGUSR2')
  }
  tell()
  const { gigabits } = await flow(ends, address, { ...how, seconds })
  tell()
  const files = Object.fromEntries(pids.map((pid) => [endOf(pid), join(folder, `${pid}.json`)]))
  await until('both ends to say what they saw', () => Object.values(files).every(existsSync), 20_000, 100)
  const mtu = underpass({ runtime: 'node', transport }).labels.mtu
  const packets = (gigabits * 1e9 * seconds) / 8 / (mtu - HEADERS)
  return {
    gigabits,
    packets,
    ...Object.fromEntries(Object.entries(files).map(([end, file]) => [end, JSON.parse(readFileSync(file, 'utf8'))])),
  }
}

const endOf = (pid) => (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('underpass-gateway') ? 'gateway' : 'client')

function row(what, pauses, allocations) {
  const { collections, allocated, heap, seconds } = pauses[what.end]
  const sorted = collections.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b)
  const byType = {}
  for (const { type, milliseconds } of collections) {
    byType[type] ??= { count: 0, longest: 0, milliseconds: 0 }
    const of = byType[type]
    of.count++
    of.longest = round(Math.max(of.longest, milliseconds))
    of.milliseconds = round(of.milliseconds + milliseconds)
  }
  const { functions } = allocations[what.end]
  const sampled = functions.reduce((sum, { octets }) => sum + octets, 0)
  return {
    ...{ ...what, gigabits: round(pauses.gigabits), packets: Math.round(pauses.packets), seconds: round(seconds) },
    ...{ collections: sorted.length, long: sorted.filter((one) => one > LONG).length, longest: round(sorted.at(-1) ?? 0) },
    ...{ median: round(sorted[sorted.length >> 1] ?? 0), share: round(sorted.reduce((sum, one) => sum + one, 0) / 1e3 / seconds), byType },
    ...{ heap, octetsPerPacket: round(allocated / pauses.packets), sampledOctetsPerPacket: round(sampled / allocations.packets) },
    functions: functions.slice(0, SHOWN).map(({ name, octets }) => ({ name, octetsPerPacket: round(octets / allocations.packets) })),
  }
}

const round = (value) => Number(value.toPrecision(4))
