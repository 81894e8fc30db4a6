// Thousands of idle clients on one gateway: its memory and CPU time, what another client or packet costs as they grow, and how they come back
// when every connection is cut. The gateway is the program, over real sockets; all clients are one process. Needs root.
import { setTimeout as sleep } from 'node:timers/promises'
import { spread } from '../lib/measure.mjs'
import { forgetPeak, memoryOf, openFilesLimit, preciseCpuSeconds } from '../lib/process-figures.mjs'
import { progress } from '../lib/progress.mjs'
import { notRoot, openLab } from '../lib/rounds.mjs'
import { SCALE, SOURCES, startScaleGateway } from '../lib/scale-gateway.mjs'
import { GATEWAY } from '../lib/two-ends.mjs'

/** Clients that connect beside those that are counted, and leave again. */
const EXTRA = 50
/** Descriptors of a process that are no client's. */
const OTHER_FILES = 200

const FULL = { sizes: [100, 1_000, 10_000], packets: 20_000, livenessSeconds: 30, idleSeconds: 60, comeBackSeconds: 180 }
const QUICK = { sizes: [100, 500], packets: 5_000, livenessSeconds: 5, idleSeconds: 10, comeBackSeconds: 40 }

export async function run({ quick }) {
  const reason = notRoot()
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const plan = quick ? QUICK : FULL
  const most = openFilesLimit() - OTHER_FILES - EXTRA
  const sizes = plan.sizes.filter((size) => size <= most)
  const notes =
    sizes.length < plan.sizes.length ? [`Only ${openFilesLimit()} open files are allowed here: no more than ${sizes.at(-1)} clients.`] : []
  return await openLab().in({}, (ends) => measure(ends, { ...plan, sizes }, notes))
}

async function measure(ends, { sizes, packets, livenessSeconds, idleSeconds, comeBackSeconds }, notes) {
  const total = sizes.at(-1)
  const gateway = await startScaleGateway(ends, { clients: total, livenessSeconds })
  const words = [JSON.stringify({ gateway: GATEWAY, psk: SCALE.psk, sources: SOURCES, clients: total + EXTRA })]
  const clients = ends.helper(ends.client, 'clients', 'scale-clients.mjs', words)
  if ((await clients.find((line) => (line === 'ready' ? line : undefined), 60_000)) === undefined)
    throw new Error(`the clients did not start: ${clients.lines.slice(-5).join(' ')}`)
  const meter = meterOf(gateway.pid)

  progress('warming up')
  await warmUp(clients, total)
  const empty = memoryOf(gateway.pid).resident
  const rows = []
  for (const [i, size] of sizes.entries()) {
    progress(`${size} clients`)
    const from = sizes[i - 1] ?? 0
    const growth = await meter(() => clients.does('connect', { from, to: size }, 600_000))
    if (growth.result.failures > 0)
      notes.push(`${growth.result.failures} attempts failed on the way to ${size} clients; they were repeated.`)
    rows.push({ clients: size, ...(await costs(clients, meter, { size, total, packets })), perSecond: (size - from) / growth.seconds })
    rows.at(-1).resident = memoryOf(gateway.pid).resident
  }

  progress(`${total} clients, idle for ${idleSeconds} s`)
  // The pings were everybody's last sign of life, all at one time: the window begins and ends between two of their checks.
  await sleep(livenessSeconds * 500)
  const before = await clients.does('messages')
  const idle = await meter(() => sleep(idleSeconds * 1000))
  const checks = (await clients.does('messages')) - before
  const memory = memoryOf(gateway.pid)

  progress('every connection is cut')
  const comeBack = await cutAll(ends, clients, { meter, total, comeBackSeconds, pid: gateway.pid })
  if (comeBack.back < total)
    notes.push(
      `Only ${comeBack.back} of ${total} clients came back within ${comeBackSeconds} s; ${comeBack.lost} had lost their connection.`,
    )
  notes.push(
    `Of [limits] ${gateway.limits.length === 0 ? 'all are the defaults' : `these are not the defaults: ${gateway.limits.join(', ')}`}; the clients have ${SOURCES.length} addresses.`,
  )
  return {
    ...{ livenessSeconds, idleSeconds },
    idle: {
      ...{ clients: total, empty, resident: memory.resident, peak: memory.peak, perClient: Math.round((memory.resident - empty) / total) },
      ...{ cpuShare: round(idle.cpu / idle.seconds), checks, checksPerSecond: round(checks / idle.seconds) },
      ...{ cpuMicrosecondsPerCheck: round((1e6 * idle.cpu) / checks) },
    },
    ...{ comeBack, rows, notes },
  }
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

async function cutAll(ends, clients, { meter, total, comeBackSeconds, pid }) {
  forgetPeak(pid)
  const clientsMeter = meterOf(clients.pid)
  const refusedBefore = await refused(ends)
  const back = clientsMeter(() =>
    meter(() => clients.does('comeBack', { count: total, milliseconds: comeBackSeconds * 1000 }, (comeBackSeconds + 30) * 1000)),
  )
  await sleep(200)
  const cut = performance.now()
  await ends.mustIn(ends.gateway, ['ss', '-K', '-tn', 'state', 'established', 'sport', '=', ':4500'], { timeout: 60_000 })
  const cutSeconds = round((performance.now() - cut) / 1000)
  const { result: gateway, cpu: clientsCpu } = await back
  const { result, cpu, seconds } = gateway
  return {
    ...{ ...result, median: round(result.median), last: round(result.last), cutSeconds },
    ...{ cpuSeconds: round(cpu), cpuShare: round(cpu / seconds), clientsCpuShare: round(clientsCpu / seconds) },
    ...{ peak: memoryOf(pid).peak, refused: (await refused(ends)) - refusedBefore },
  }
}

/** Connections that found the listener's backlog full so far: each is tried again a second later, or more. */
async function refused(ends) {
  const lines = (await ends.mustIn(ends.gateway, ['cat', '/proc/net/netstat'])).split('\n').filter((line) => line.startsWith('TcpExt:'))
  const [names, values] = lines.map((line) => line.split(' '))
  return Number(values[names.indexOf('ListenOverflows')])
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
