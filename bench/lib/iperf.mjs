// iperf3 from the client's end to a contender's inner address, with the CPU time that went by meanwhile.
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../../interop/lib/process.mjs'
import { cpuSeconds, machineSeconds } from './cpu.mjs'

/** The version that is installed, or undefined. */
export async function iperfVersion() {
  const { code, stdout } = await run(['iperf3', '--version']).catch(() => ({ code: -1, stdout: '' }))
  return code === 0 ? stdout.split('\n')[0] : undefined
}

/** Why there are no figures without it. */
export const withoutIperf = (version) =>
  version === undefined ? 'iperf3 is not installed (Debian: apt-get install iperf3); there are no figures.' : undefined

export async function startIperf(ends, address) {
  const server = ends.backgroundIn(ends.gateway, 'iperf3', ['iperf3', '--server', '--bind', address, '--forceflush'])
  await server.waitForLine(/listening/i, 5_000)
}

/**
 * @param {{ seconds: number, omit?: number, patience?: number, reverse?: boolean, parallel?: number }} how `omit`: seconds in front that
 *   are not counted; `patience`: seconds beyond all these until it is given up
 * @returns {Promise<{ gigabits: number, retransmits: number, cpu: number, machineCpu: number, congestionControl?: string }>} `cpu` and `machineCpu` are seconds a
 *   gigabyte (10^9 octets) of what arrived: the contender's own processes at both ends, and the whole machine with iperf3 and kernel.
 */
export async function flow(ends, address, how) {
  for (let left = 3; ; left--) {
    // What the flow before has left in queues is to be gone, and its server ready again.
    await sleep(200)
    try {
      return await oneFlow(ends, address, how)
    } catch (error) {
      if (left === 0 || !/unable to connect|busy|control message/.test(error.message)) throw error
    }
  }
}

async function oneFlow(ends, address, { seconds, omit = 0, patience = 10, reverse = false, parallel = 1 }) {
  const argv = ['iperf3', '--client', address, '--time', String(seconds), '--json', '--connect-timeout', '3000']
  if (omit > 0) argv.push('--omit', String(omit))
  if (reverse) argv.push('--reverse')
  if (parallel > 1) argv.push('--parallel', String(parallel))
  const pids = await ends.contenderPids()
  const before = { own: cpuSeconds(pids), machine: machineSeconds() }
  const { stdout, stderr } = await ends.in(ends.client, argv, { timeout: 1000 * (omit + seconds + patience) })
  const after = { own: cpuSeconds(pids), machine: machineSeconds() }
  const { end, error } = report(stdout, stderr)
  if (error !== undefined) throw new Error(`iperf3: ${error}`)
  const { bytes, bits_per_second: bits } = end.sum_received
  if (bytes === 0) throw new Error('iperf3: nothing arrived')
  const perGigabyte = (name) => (after[name] - before[name]) / (bytes / 1e9)
  const cost = { cpu: perGigabyte('own'), machineCpu: perGigabyte('machine') }
  return { gigabits: bits / 1e9, retransmits: end.sum_sent.retransmits ?? 0, ...cost, congestionControl: end.sender_tcp_congestion }
}

function report(stdout, stderr) {
  try {
    return JSON.parse(stdout)
  } catch {
    return { error: `said ${(stdout + stderr).trim().slice(-200) || 'nothing'}` }
  }
}
