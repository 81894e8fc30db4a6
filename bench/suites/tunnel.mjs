// iperf3, one TCP flow in each direction, through a tunnel between two processes, and beside it over the bare link. Needs root.
import { setTimeout as sleep } from 'node:timers/promises'
import { run as command } from '../../interop/lib/process.mjs'
import { runtimes } from '../../tools/runtimes.mjs'
import { spread } from '../lib/measure.mjs'
import { cpuSeconds, TunnelLab } from '../lib/tunnel-lab.mjs'

const DIRECTIONS = ['client to gateway', 'gateway to client']

export async function run({ quick, allRuntimes }) {
  if (process.getuid?.() !== 0) return { rows: [], notes: ['The tunnel is measured as root only: it makes network namespaces.'] }
  const iperf = await command(['iperf3', '--version']).catch(() => ({ code: -1 }))
  if (iperf.code !== 0) return { rows: [], notes: ['iperf3 is not installed (Debian: apt-get install iperf3); there are no figures.'] }
  const lab = new TunnelLab()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void lab.close().then(() => process.exit(1)))
  try {
    const notes = []
    const contenders = await start(lab, allRuntimes, notes)
    const { rounds, seconds } = quick ? { rounds: 1, seconds: 1 } : { rounds: allRuntimes ? 3 : 5, seconds: allRuntimes ? 2 : 3 }
    const cases = contenders.flatMap((contender) => DIRECTIONS.map((direction) => ({ ...contender, direction, results: [] })))
    // The first seconds of a tunnel are compilation.
    for (const each of cases) if (each.processes !== undefined) await flow(lab, each, 1)
    for (let round = 0; round < rounds; round++) for (const each of cases) each.results.push(await flow(lab, each, seconds))
    return { iperf3: iperf.stdout.split('\n')[0], seconds, rows: cases.flatMap((each) => row(each, notes)), notes }
  } finally {
    for (const failure of await lab.close()) console.error(failure)
  }
}

async function start(lab, allRuntimes, notes) {
  const bare = { contender: 'bare link', runtime: '', address: '172.30.0.1', ...(await lab.twoEnds('bare')) }
  const contenders = [bare]
  for (const runtime of runtimes()) {
    if (runtime.name !== 'node' && !allRuntimes) continue
    if (!runtime.command) {
      notes.push(`${runtime.name} is not here: no binary of it for this platform came with npm ci.`)
      continue
    }
    for (const transport of ['tcp', 'udp']) {
      try {
        const tunnel = await lab.tunnel(`${runtime.name}-${transport}`, { transport, runtime })
        contenders.push({ contender: transport, runtime: runtime.name, address: '10.30.0.1', ...tunnel })
      } catch (error) {
        notes.push(`${runtime.name} over ${transport} did not come up: ${error.message.split('\n')[0]}`)
      }
    }
  }
  for (const { gateway, address } of contenders) {
    const server = lab.backgroundIn(gateway, 'iperf3', ['iperf3', '--server', '--bind', address, '--forceflush'])
    await server.waitForLine(/listening/i, 5_000)
  }
  return contenders
}

/** One flow. A failure is a result too: it says why. */
async function flow(lab, { client, address, direction, processes }, seconds) {
  const before = used(processes)
  const argv = ['iperf3', '--client', address, '--time', String(seconds), '--json', '--connect-timeout', '3000']
  const { stdout } = await lab.in(client, direction === DIRECTIONS[1] ? [...argv, '--reverse'] : argv, { timeout: 1000 * seconds + 10_000 })
  const after = used(processes)
  await sleep(50)
  try {
    const report = JSON.parse(stdout)
    if (report.error !== undefined) return { error: report.error }
    const { bytes, bits_per_second: bits } = report.end.sum_received
    if (bytes === 0) return { error: 'nothing arrived' }
    const gigabytes = bytes / 1e9
    const cpu = processes && {
      gateway: (after.gateway - before.gateway) / gigabytes,
      client: (after.client - before.client) / gigabytes,
    }
    return { gigabits: bits / 1e9, retransmits: report.end.sum_sent.retransmits ?? 0, cpu }
  } catch {
    return { error: `iperf3 said: ${stdout.trim().slice(-200)}` }
  }
}

const used = (processes) => processes && { gateway: cpuSeconds(processes.gateway), client: cpuSeconds(processes.client) }

function row({ contender, runtime, direction, device, results }, notes) {
  const good = results.filter((one) => one.error === undefined)
  const name = `${contender} ${runtime} ${direction}`.replace('  ', ' ')
  for (const { error } of results.filter((one) => one.error !== undefined)) notes.push(`${name}: a round failed: ${error}`)
  if (good.length === 0) return []
  const figures = { gigabits: spread(good.map((one) => one.gigabits)), retransmits: good.reduce((sum, one) => sum + one.retransmits, 0) }
  if (good[0].cpu === undefined) return [{ contender, runtime, direction, ...figures }]
  const cpu = (side) => spread(good.map((one) => one.cpu[side]))
  return [{ contender, runtime, direction, device, ...figures, gatewayCpuPerGigabyte: cpu('gateway'), clientCpuPerGigabyte: cpu('client') }]
}
