// Thousands of idle clients on one gateway: its memory and CPU time, what another client or packet costs as they grow, and how they come back
// when every connection is cut. The gateway is the program, over real sockets; all clients are one process. Needs root.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { until } from '../../interop/lib/process.mjs'
import { root } from '../../tools/runtimes.mjs'
import { spread } from '../lib/measure.mjs'
import { memoryOf, openFilesLimit, preciseCpuSeconds } from '../lib/process-figures.mjs'
import { progress } from '../lib/progress.mjs'
import { notRoot, openLab } from '../lib/rounds.mjs'
import { AWAY, afterCut, afterListener, afterRestart } from '../lib/scale-comebacks.mjs'
import { SCALE, SOURCES, startScaleGateway } from '../lib/scale-gateway.mjs'
import { GATEWAY } from '../lib/two-ends.mjs'

const MEMORY = pathToFileURL(join(root, 'bench/lib/memory-on-request.mjs')).href

/** Clients that connect beside those that are counted, and leave again. */
const EXTRA = 50
/** Descriptors of a process that are no client's. */
const OTHER_FILES = 200

const FULL = { sizes: [100, 1_000, 3_000, 10_000], packets: 20_000, livenessSeconds: 30, idleSeconds: 60, comeBackSeconds: 180, repeats: 3 }
const QUICK = { sizes: [100, 500], packets: 5_000, livenessSeconds: 5, idleSeconds: 10, comeBackSeconds: 40, repeats: 1 }

export async function run({ quick, ...changes }) {
  const reason = notRoot()
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const plan = { ...(quick ? QUICK : FULL), ...changes }
  const most = openFilesLimit() - OTHER_FILES - EXTRA
  const sizes = plan.sizes.filter((size) => size <= most)
  const notes =
    sizes.length < plan.sizes.length ? [`Only ${openFilesLimit()} open files are allowed here: no more than ${sizes.at(-1)} clients.`] : []
  return await openLab().in({}, (ends) => measure(ends, { ...plan, sizes }, notes))
}

async function measure(ends, { sizes, packets, livenessSeconds, idleSeconds, comeBackSeconds, repeats }, notes) {
  const total = sizes.at(-1)
  const memoryFile = join(ends.dir, 'gateway-memory.json')
  process.env.BENCH_MEMORY_FILE = memoryFile
  const gateway = await startScaleGateway(ends, { clients: total, livenessSeconds, flags: ['--expose-gc', `--import=${MEMORY}`] })
  const words = [JSON.stringify({ gateway: GATEWAY, psk: SCALE.psk, sources: SOURCES, clients: total + EXTRA })]
  const clients = ends.helper(ends.client, 'clients', 'scale-clients.mjs', words)
  if ((await clients.find((line) => (line === 'ready' ? line : undefined), 60_000)) === undefined)
    throw new Error(`the clients did not start: ${clients.lines.slice(-5).join(' ')}`)
  const meter = meterOf(gateway.pid)

  progress('warming up')
  await warmUp(clients, total)
  const empty = memoryOf(gateway.pid).resident
  const emptyCollected = await collected(gateway.pid, memoryFile)
  const rows = []
  for (const [i, size] of sizes.entries()) {
    progress(`${size} clients`)
    const from = sizes[i - 1] ?? 0
    const growth = await meter(() => clients.does('connect', { from, to: size }, 600_000))
    if (growth.result.failures > 0)
      notes.push(`${growth.result.failures} attempts failed on the way to ${size} clients; they were repeated.`)
    rows.push({ clients: size, ...(await costs(clients, meter, { size, total, packets })), perSecond: (size - from) / growth.seconds })
    rows.at(-1).resident = memoryOf(gateway.pid).resident
    const { heap, external } = await collected(gateway.pid, memoryFile)
    rows.at(-1).octetsPerClient = Math.round((heap + external - emptyCollected.heap - emptyCollected.external) / size)
  }

  progress(`${total} clients, idle for ${idleSeconds} s`)
  // The pings were everybody's last sign of life, all at one time: the window begins and ends between two of their checks.
  await sleep(livenessSeconds * 500)
  const before = await clients.does('messages')
  const idle = await meter(() => sleep(idleSeconds * 1000))
  const checks = (await clients.does('messages')) - before
  const memory = memoryOf(gateway.pid)

  const how = { total, comeBackSeconds, pid: gateway.pid }
  const several = async (what, once) => {
    const all = []
    for (let i = 0; i < repeats; i++) {
      progress(what)
      all.push(await once(ends, clients, how))
      await sleep(2_000)
    }
    const seconds = ({ back, last }) => (back === total ? last : comeBackSeconds + 1)
    all.sort((one, other) => seconds(one) - seconds(other))
    return { ...all[all.length >> 1], lasts: all.map(seconds) }
  }
  const comeBack = await several('every connection is cut', afterCut)
  const listener = await several(`the listener is away for ${AWAY} s`, afterListener).catch((error) => {
    notes.push(`The listener was not away (${error.message.split('\n')[0]}).`)
    return undefined
  })
  progress('the gateway is killed and started again')
  const start = () => startScaleGateway(ends, { clients: total, livenessSeconds, isAgain: true })
  const restart = await afterRestart(ends, clients, { ...how, gateway, start })
  for (const [what, one] of Object.entries({
    'every connection was cut': comeBack,
    'the listener was away': listener,
    'the gateway was killed': restart,
  }))
    if (one !== undefined && one.back < total)
      notes.push(
        `When ${what}, only ${one.back} of ${total} clients came back within ${comeBackSeconds} s; ${one.lost} had lost their connection.`,
      )
  notes.push(
    `Of [limits] ${gateway.limits.length === 0 ? 'all are the defaults' : `these are not the defaults: ${gateway.limits.join(', ')}`}; the clients have ${SOURCES.length} addresses.`,
  )
  return {
    ...{ livenessSeconds, idleSeconds, repeats },
    idle: {
      ...{ clients: total, empty, resident: memory.resident, peak: memory.peak, perClient: Math.round((memory.resident - empty) / total) },
      ...{ cpuShare: round(idle.cpu / idle.seconds), checks, checksPerSecond: round(checks / idle.seconds) },
      ...{ cpuMicrosecondsPerCheck: round((1e6 * idle.cpu) / checks) },
    },
    ...{ comeBack, listener, restart, rows, notes },
  }
}

/** What the gateway holds when its garbage is collected. */
async function collected(pid, file) {
  rmSync(file, { force: true })
  process.kill(pid, 'SIGUSR2')
  await until('the gateway to collect its garbage', () => existsSync(file), 20_000, 20)
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** Code that runs for the first time is slow, and is compiled meanwhile. */
async function warmUp(clients, total) {
  for (let i = 0; i < 10; i++) {
    await clients.does('connect', { from: total, to: total + EXTRA }, 60_000)
    await clients.does('ping', { from: total, to: total + EXTRA, count: 1_000 }, 60_000)
    await clients.does('disconnect', { from: total, to: total + EXTRA }, 60_000)
  }
  await sleep(1_000)
}

/** Of one handshake and one ping while `size` clients are there: three times, as a collection of garbage falls on one and not on another. */
async function costs(clients, meter, { size, total, packets }) {
  const handshakes = []
  const pings = []
  const milliseconds = []
  for (let i = 0; i < 3; i++) {
    const extra = { from: total, to: total + EXTRA }
    const connected = await meter(() => clients.does('connectOneByOne', extra, 120_000))
    handshakes.push((1e6 * connected.cpu) / EXTRA)
    milliseconds.push(...connected.result.milliseconds)
    await clients.does('disconnect', extra, 60_000)
    const pinged = await meter(() => clients.does('ping', { from: 0, to: size, count: packets }, 120_000))
    pings.push((1e6 * pinged.cpu) / packets)
  }
  milliseconds.sort((a, b) => a - b)
  const extraMilliseconds = { median: milliseconds[milliseconds.length >> 1], p99: milliseconds.at(-2), max: milliseconds.at(-1) }
  for (const key of Object.keys(extraMilliseconds)) extraMilliseconds[key] = round(extraMilliseconds[key])
  return { handshakeMicroseconds: spread(handshakes), pingMicroseconds: spread(pings), extraMilliseconds }
}

/** CPU seconds of a process, and seconds, while something is done. */
function meterOf(pid) {
  return async (work) => {
    const [cpu, started] = [preciseCpuSeconds(pid), performance.now()]
    const result = await work()
    return { result, cpu: preciseCpuSeconds(pid) - cpu, seconds: (performance.now() - started) / 1000 }
  }
}

const round = (value) => (value === undefined ? undefined : Number(value.toPrecision(4)))
