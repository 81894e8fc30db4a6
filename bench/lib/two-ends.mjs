// Two network namespaces and a veth pair between them: what every contender is started in, measured in and stopped in.
import { readFileSync } from 'node:fs'
import { Lab } from '../../interop/lib/lab.mjs'
import { run } from '../../interop/lib/process.mjs'

/** The outer addresses. */
export const GATEWAY = '172.30.0.1'
export const CLIENT = '172.30.0.2'

/** Linux's and Debian's default, in each namespace: what a machine has set for itself differs, and moves TCP in TCP a great deal. */
const CONGESTION_CONTROL = 'cubic'

let opened = 0

export class TwoEnds extends Lab {
  /** Made anew for each contender and round; `close()` undoes it. */
  static async open() {
    const ends = new TwoEnds('bench')
    ends.prefix = `up-bench-${process.pid}-${++opened}`
    try {
      ends.gateway = await ends.namespace('g')
      ends.client = await ends.namespace('c')
      await ends.link(
        { namespace: ends.gateway, device: 'outer', address: `${GATEWAY}/24` },
        { namespace: ends.client, device: 'outer', address: `${CLIENT}/24` },
      )
      for (const namespace of [ends.gateway, ends.client])
        await ends.in(namespace, ['sh', '-c', `echo ${CONGESTION_CONTROL} > /proc/sys/net/ipv4/tcp_congestion_control`])
    } catch (error) {
      await ends.close()
      throw error
    }
    return ends
  }

  /** A name for a device or socket that no other run has at the same time; at most 15 octets. */
  unique(letter) {
    return `upb${letter}${process.pid}`
  }

  /** Both ends of the veth pair send at most this; for `tc`'s words of a rate see tc(8). Throws where the kernel has no tbf. */
  async limit(rate) {
    for (const namespace of [this.gateway, this.client])
      await this.mustIn(namespace, [
        'tc',
        'qdisc',
        'replace',
        'dev',
        'outer',
        'root',
        'tbf',
        'rate',
        rate,
        'burst',
        '32kb',
        'latency',
        '50ms',
      ])
  }

  /** What runs at both ends but the load itself: a contender's processes, also those that it has forked. */
  async contenderPids() {
    const lists = await Promise.all([this.gateway, this.client].map((name) => this.#pids(name)))
    return lists.flat().filter((pid) => !LOAD.has(nameOf(pid)))
  }

  async #pids(namespace) {
    const { stdout } = await run(['ip', 'netns', 'pids', namespace])
    return stdout.split('\n').filter((word) => word !== '')
  }
}

/** Programs that make, take or measure the traffic. */
const LOAD = new Set(['iperf3', 'ping', 'udp-load'])

function nameOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return undefined
  }
}
