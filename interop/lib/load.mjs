// Inner datagrams all the time, both ways, by iperf3: how many were lost while something happened.
import { until } from './process.mjs'

/**
 * From `near` to `address`, which is in reach there; the server answers on it with `serve(argv)`, which starts it in the background.
 * `megabits` each way. `end()` waits for the end and answers {sent, lost} of both ways together.
 */
export async function startLoad(lab, near, address, { serve, isListening, seconds, megabits = 2 }) {
  serve(['iperf3', '--server', '--one-off', '--bind', address])
  await until('iperf3 to listen', isListening)
  const flow = ['--udp', '--bidir', '--length', '1200', '--bandwidth', `${megabits}M`, '--time', String(seconds), '--json']
  const client = lab.in(near, ['iperf3', '--client', address, ...flow], { timeout: (seconds + 30) * 1000 })
  return {
    async end() {
      const { stdout } = await client
      const { end, error } = JSON.parse(stdout)
      if (error) throw new Error(`iperf3: ${error}`)
      const sums = [end.sum_received ?? end.sum, end.sum_received_bidir_reverse ?? end.sum_bidir_reverse]
      return { packets: total(sums, 'packets'), lost: total(sums, 'lost_packets') }
    },
  }
}

function total(sums, key) {
  return sums.reduce((sum, part) => sum + (part?.[key] ?? 0), 0)
}
