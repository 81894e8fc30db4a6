// ping(8) from the client's end: a round-trip time for each that was answered.

/** @returns {Promise<{ p50: number, p99: number, lost: number }>} milliseconds */
export async function pings(ends, address, { count, interval }) {
  const argv = ['ping', '-n', '-i', String(interval), '-c', String(count), '-W', '3', address]
  const { stdout, stderr } = await ends.in(ends.client, argv, { timeout: count * interval * 1000 + 15_000 })
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map(([, time]) => Number(time)).sort((a, b) => a - b)
  if (times.length === 0) throw new Error(`ping: no answer: ${(stderr || stdout).trim().split('\n').at(-1)}`)
  const rank = (share) => times[Math.min(times.length - 1, Math.ceil(share * times.length) - 1)]
  return { p50: rank(0.5), p99: rank(0.99), lost: count - times.length }
}
