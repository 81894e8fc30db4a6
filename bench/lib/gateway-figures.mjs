// What a gateway has done and used so far, by what the kernel counts: of its namespace /proc/PID/net says what the process sees.
import { readdirSync, readFileSync } from 'node:fs'

/** `headers`: octets of IP and TCP in each packet of `size`, `interfaceName`: the TUN device into which they are written. */
export function gatewayFigures({ pid, interfaceName, size, headers }) {
  /** A super-packet of several segments is counted once, with one set of headers. */
  const device = () => {
    const lines = readFileSync(`/proc/${pid}/net/dev`, 'utf8').split('\n')
    const line = lines.find((text) => text.trim().startsWith(`${interfaceName}:`))
    const [octets, packets] = line.replace(/^.*:/, '').trim().split(/\s+/).map(Number)
    return { octets, packets }
  }

  const segments = (to, from) => (to.octets - from.octets - headers * (to.packets - from.packets)) / (size - headers)

  return {
    ...{ device, segments },

    /** With the CPU seconds of the gateway's threads, and of this process, which is the load. */
    all() {
      const own = process.cpuUsage()
      return { at: performance.now(), ...device(), threads: threadSeconds(pid), generator: (own.user + own.system) / 1e6 }
    },

    /** Between two of `all()`; threads by what they used, most first. */
    difference(from, to) {
      const count = segments(to, from)
      const threads = Object.entries(to.threads).map(([thread, seconds]) => seconds - (from.threads[thread] ?? 0))
      return {
        ...{ seconds: (to.at - from.at) / 1e3, packets: Math.round(count), octets: Math.round(count * size) },
        ...{ threads: threads.filter((seconds) => seconds > 0.001).sort((a, b) => b - a), generator: to.generator - from.generator },
      }
    },
  }
}

function threadSeconds(pid) {
  const of = (thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0]) / 1e9
  return Object.fromEntries(readdirSync(`/proc/${pid}/task`).map((thread) => [thread, of(thread)]))
}
