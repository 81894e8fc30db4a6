// Two network namespaces and a veth pair between them: what every contender is started in, measured in and stopped in.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Lab } from '../../interop/lib/lab.mjs'
import { run } from '../../interop/lib/process.mjs'
import { Helper } from './helper.mjs'

/** The outer addresses. */
export const GATEWAY = '172.30.0.1'
export const CLIENT = '172.30.0.2'

let opened = 0

export class TwoEnds extends Lab {
  #helpers = []

  /**
   * Made anew for each contender and round; `close()` undoes it. `congestionControl`: TCP's, see `controlCongestion`; what a machine has set
   * for itself differs from the default, which is Linux's and Debian's, and moves TCP in TCP a great deal. Without `hasLink` nothing leads
   * from one end to the other yet.
   */
  static async open({ congestionControl = 'cubic', hasLink = true } = {}) {
    const ends = new TwoEnds('bench')
    ends.prefix = `up-bench-${process.pid}-${++opened}`
    try {
      ends.gateway = await ends.namespace('g')
      ends.client = await ends.namespace('c')
      if (hasLink)
        await ends.link(
          { namespace: ends.gateway, device: 'outer', address: `${GATEWAY}/24` },
          { namespace: ends.client, device: 'outer', address: `${CLIENT}/24` },
        )
      ends.congestionControl = congestionControl
      await ends.controlCongestion()
    } catch (error) {
      await ends.close()
      throw error
    }
    return ends
  }

  /**
   * Every route that is there now gets the congestion control of these ends. By route, as a namespace's own setting takes only what is in
   * the machine's tcp_allowed_congestion_control, which is not ours to change.
   */
  async controlCongestion() {
    for (const namespace of [this.gateway, this.client]) {
      const routes = (await this.mustIn(namespace, ['ip', '-4', 'route', 'show'])).split('\n').filter((line) => line !== '')
      const changes = routes.map(
        (route) => `route change ${route.replace(/ (linkdown|dead|congctl \S+)/g, '')} congctl ${this.congestionControl}\n`,
      )
      await this.mustIn(namespace, ['ip', '-batch', '-'], { input: changes.join('') })
    }
  }

  /** The congestion control of every TCP connection that the client's end has now. */
  async congestionControls() {
    const stdout = await this.mustIn(this.client, ['ss', '-Htin', 'state', 'established'])
    return new Set([...stdout.matchAll(/^\s+(?:ts |sack |ecn |ecnseen |fastopen )*([a-z]\w+) /gm)].map(([, name]) => name))
  }

  /** A program of this folder's in a namespace, which answers questions (helper.mjs). It is there until the contenders are gone. */
  helper(namespace, label, file, words = []) {
    const helper = new Helper(namespace, label, file, { words, log: join(this.dir, `${label}.log`) })
    this.#helpers.push(helper)
    return helper
  }

  async close(options) {
    const failures = await super.close({ ...options, keep: true })
    for (const helper of this.#helpers.splice(0)) await helper.stop().catch((error) => failures.push(String(error)))
    return [...failures, ...(await super.close(options))]
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
