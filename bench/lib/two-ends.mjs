// Two network namespaces and a veth pair between them: what every contender is started in, measured in and stopped in.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Lab } from '../../interop/lib/lab.mjs'
import { run } from '../../interop/lib/process.mjs'
import { Helper } from './helper.mjs'
import { connectionsIn, SS } from './sockets.mjs'

/** The outer addresses. */
export const GATEWAY = '172.30.0.1'
export const CLIENT = '172.30.0.2'

/** iperf3's own port. */
const IPERF = 5201
/** Octets that a limited link may send at once: two packets of 1,500. */
const BURST = 3200

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
   * Every route that is there now gets the congestion control of these ends, in whatever table it stands. By route, as a namespace's own
   * setting takes only what is in the machine's tcp_allowed_congestion_control, which is not ours to change.
   */
  async controlCongestion() {
    for (const namespace of [this.gateway, this.client]) {
      const routes = (await this.mustIn(namespace, ['ip', '-4', 'route', 'show', 'table', 'all'])).split('\n')
      const changes = routes
        .filter((route) => route !== '' && !/^(local|broadcast|unreachable|blackhole|prohibit|throw) /.test(route))
        .map((route) => `route change ${route.replace(/ (linkdown|dead|congctl \S+)/g, '')} congctl ${this.congestionControl}\n`)
      await this.mustIn(namespace, ['ip', '-batch', '-'], { input: changes.join('') })
    }
  }

  /** @returns {Promise<import('./sockets.mjs').Connection[]>} of both ends, what is established now */
  async connections() {
    const texts = await Promise.all([this.gateway, this.client].map((namespace) => this.mustIn(namespace, SS)))
    return texts.flatMap(connectionsIn)
  }

  /**
   * The congestion control of the TCP connections that there are now: `outer` between the two ends, at this port of the gateway's where one is
   * given, `inner` to or from `address`, which is a contender's. Joined by '+' where there are several, undefined where there is none.
   */
  async congestionControls(address, port) {
    const connections = await this.connections()
    const of = (isMeant) => {
      const names = new Set(connections.filter(isMeant).map(({ control }) => control))
      return names.size === 0 ? undefined : [...names].sort().join('+')
    }
    const isAt =
      (...addresses) =>
      (one) =>
        [one.local, one.remote].some((end) => addresses.includes(end.replace(/:\d+$/, '')))
    // The link's own address is nobody's inner one.
    const isInner =
      address === GATEWAY ? (one) => isAt(GATEWAY)(one) && [one.local, one.remote].some((end) => end.endsWith(`:${IPERF}`)) : isAt(address)
    const isOuter = (one) =>
      isAt(GATEWAY, CLIENT)(one) && !isInner(one) && (port === undefined || [one.local, one.remote].includes(`${GATEWAY}:${port}`))
    return { outer: of(isOuter), inner: of(isInner) }
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

  /**
   * Both ends of the veth pair send at most `rate` (tc(8)'s word) and keep at most `queue` octets waiting; what is more is dropped. Throws
   * where the kernel has no tbf, which cuts what TCP or UDP has given in one piece.
   */
  async limit({ rate, queue }) {
    for (const namespace of [this.gateway, this.client])
      await this.mustIn(namespace, [
        ...['tc', 'qdisc', 'replace', 'dev', 'outer', 'root'],
        ...['tbf', 'rate', rate, 'burst', String(BURST), 'limit', String(queue)],
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
const LOAD = new Set(['iperf3', 'ping', 'udp-load', 'tcpdump', 'ss'])

function nameOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return undefined
  }
}
