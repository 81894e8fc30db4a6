// Two ends with an emulated link between them, whatever is to be compared on it started beside each other, and what measures it.
import { bareLink } from '../contenders/bare-link.mjs'
import { openvpn } from '../contenders/openvpn.mjs'
import { underpass } from '../contenders/underpass.mjs'
import { bursts, capture } from './arrivals.mjs'
import { flow, startIperf } from './iperf.mjs'
import { CLIENT, GATEWAY } from './two-ends.mjs'

export const MEGABITS = 50

/**
 * Who is compared; what each is called in rows. `port`: of the gateway's end of the outer connection, where it is TCP; `outerControl`: its
 * congestion control, where it is not that of the ends.
 */
export const CARRIERS = [
  { who: 'plain', name: 'plain TCP', group: 'bare', contender: bareLink },
  { who: 'tcp', name: 'Underpass TCP', group: 'ours', port: 4500, contender: underpass({ runtime: 'node', transport: 'tcp' }) },
  {
    ...{ who: 'tcp-jumbo', name: 'Underpass TCP, MTU 9,000', group: 'ours', port: 4502 },
    contender: underpass({ runtime: 'node', transport: 'tcp', frames: 'jumbo', lane: 'third' }),
  },
  {
    ...{ who: 'tcp-bbr', name: 'Underpass TCP, MTU 9,000, outer BBR', group: 'ours', port: 4503, outerControl: 'bbr' },
    contender: underpass({ runtime: 'node', transport: 'tcp', frames: 'jumbo', lane: 'fourth', congestionControl: 'bbr' }),
  },
  { who: 'openvpn', name: 'OpenVPN TCP', group: 'peer', port: 1194, contender: openvpn },
  { who: 'udp', name: 'Underpass UDP', group: 'ours', contender: underpass({ runtime: 'node', transport: 'udp', lane: 'second' }) },
]

/** Beside a flow: one small datagram each 10 ms. */
const PROBE = { octets: 64, perSecond: 100 }
/** iperf3's own port. */
const IPERF = 5201
/** Milliseconds between two looks at the TCP connections. */
const SAMPLED_EVERY = 100
/** Milliseconds for a flow to begin. */
const BEGUN_WITHIN = 10_000
/** More than iperf3's control connection sends. */
const CONTROL_OCTETS = 4_000
/** Milliseconds until a link that does not get quiet is used as it is. */
const SETTLED_WITHIN = 4_000
/** What the link is checked with: a slow stream for its losses and its delay, a fast one for its rate. */
const SLOW = { octets: 200, perSecond: 8_000, seconds: 0.5 }
const FAST = { octets: 1_400, perSecond: 7_000, seconds: 0.4 }

export class LossyEnds {
  #ends
  #emulator
  #sender
  #receiver
  #sampler
  #addresses = new Map()

  /** `ends`: without a link. `carriers` that cannot run here are to be left out. Nothing is lost yet. */
  static async start(ends, { carriers, roundTrip }) {
    const lossy = new LossyEnds()
    lossy.#ends = ends
    await lossy.#link()
    lossy.#sender = await helper(ends, ends.client, 'probe-sender', 'udp-probe.mjs')
    lossy.#receiver = await helper(ends, ends.gateway, 'probe-receiver', 'udp-probe.mjs')
    lossy.#sampler = await helper(ends, ends.client, 'tcp-samples', 'tcp-samples.mjs')
    await lossy.#receiver.does('listen')
    await lossy.configure({ roundTrip, pattern: 'random', loss: 0, seed: 0 })
    for (const { who, contender } of carriers) {
      const { address } = await contender.start(ends)
      lossy.#addresses.set(who, address)
      // A server each: one whose flow was given up may be busy for long.
      await startIperf(ends, address)
    }
    await ends.controlCongestion()
    return lossy
  }

  configure(how) {
    return this.#emulator.does('configure', { megabits: MEGABITS, ...how })
  }

  /** What the link does to UDP: the share that it loses, milliseconds of one way, Mbit/s at most. */
  async check({ roundTrip }) {
    const sent = await this.#sender.does('send', { address: GATEWAY, ...SLOW })
    await drained(roundTrip)
    const slow = await this.#receiver.does('collect')
    await this.#sender.does('send', { address: GATEWAY, ...FAST })
    await drained(roundTrip)
    const fast = await this.#receiver.does('collect')
    return { loss: 1 - slow.count / sent, delay: slow.delay, megabits: fast.megabits }
  }

  /**
   * Goodput of one flow to the gateway's end, and what a datagram beside it takes. `controls`: the congestion control of the flow and of the
   * outer connections, as ss(8) sees them meanwhile; another one than that of these ends is an error. `late`: the share of packets, since
   * `configure`, that the link had no time for when they were due.
   */
  async measure({ who, port, outerControl }, { seconds, omit, roundTrip }) {
    const address = this.#addresses.get(who)
    await this.#settled(roundTrip)
    const flowing = flow(this.#ends, address, { seconds, omit, patience: 20 })
    // A failure is the flow's to tell, below.
    flowing.catch(() => {})
    await this.#begun(address)
    await pause(omit * 1000)
    await this.#receiver.does('collect')
    await this.#receiver.does('watch', { address })
    const probing = this.#sender.does('send', { address, ...PROBE, seconds: seconds - 0.5 }, seconds * 1000 + 15_000)
    const controls = await this.#controls(address, port, outerControl)
    const probes = await probing
    const { gigabits, retransmits } = await flowing
    // The last of the datagrams may have waited longer than the flow went on.
    await drained(roundTrip)
    const { count, delay, burst } = await this.#receiver.does('collect')
    const late = await this.#late()
    return { megabits: gigabits * 1000, retransmits, delay, burst, probesLost: Math.max(0, 1 - count / probes), controls, late }
  }

  /**
   * Flows at the same time, `parallel` of them to each carrier. Answers their goodput together, in Mbit/s.
   * @param {{ who: string, parallel: number }[]} flows
   */
  async together(flows, { seconds, omit, roundTrip }) {
    await this.#settled(roundTrip)
    const each = flows.map(({ who, parallel }) => flow(this.#ends, this.#addresses.get(who), { seconds, omit, parallel, patience: 20 }))
    const figures = await Promise.all(each)
    return figures.reduce((sum, { gigabits }) => sum + gigabits * 1000, 0)
  }

  /**
   * A flow from its first octet on, its TCP connections sampled, and its packets' arrivals counted.
   * @returns {Promise<{ connections: Record<'outer' | 'inner', { at: number, mss: number, cwnd: number, ssthresh?: number, resent: number,
   *   sent: number, notSent: number, rtt: number }[]>, delay: object, bursts: object, probesLost: number }>} at the sending end; `at` in seconds
   */
  async closer({ who, port }, { seconds, roundTrip }) {
    const address = this.#addresses.get(who)
    const ends = this.#ends
    await this.#settled(roundTrip)
    const inside = await capture(ends, ends.gateway, `${who}-inner`, {
      device: (await deviceOf(ends, address)) ?? 'outer',
      filter: `dst host ${address} and tcp dst port ${IPERF}`,
    })
    const outside =
      port === undefined
        ? undefined
        : await capture(ends, ends.gateway, `${who}-outer`, { device: 'outer', filter: `tcp dst port ${port}` })
    await this.#receiver.does('collect')
    await this.#sampler.does('start', { every: SAMPLED_EVERY })
    const flowing = flow(ends, address, { seconds, patience: 20 })
    flowing.catch(() => {})
    await pause(500)
    const probes = await this.#sender.does('send', { address, ...PROBE, seconds: seconds - 0.5 }, seconds * 1000 + 15_000)
    const { gigabits } = await flowing
    const samples = await this.#sampler.does('stop')
    await drained(roundTrip)
    const { count, delay } = await this.#receiver.does('collect')
    const connections = connectionsOf(samples, { address, port })
    const [inner, outer] = await Promise.all([inside.segments(), outside?.segments()])
    const mss = Math.max(...connections.inner.map((one) => one.mss))
    return {
      ...{ megabits: gigabits * 1000, connections, delay, probesLost: Math.max(0, 1 - count / probes) },
      bursts: bursts({ inner, outer, mss }),
    }
  }

  /** A second of each, on the link that is to come: an outer connection remembers a worse one. */
  async warmUp() {
    for (const address of this.#addresses.values()) await flow(this.#ends, address, { seconds: 1 })
  }

  /** A lost SYN alone takes a second. */
  async #begun(address) {
    for (let waited = 0; waited < BEGUN_WITHIN; waited += 100) {
      const connections = await this.#ends.connections()
      if (connections.some(({ remote, sent }) => remote === `${address}:${IPERF}` && sent > CONTROL_OCTETS)) return
      await pause(100)
    }
    throw new Error('ss(8) saw no flow')
  }

  async #controls(address, port, outerControl) {
    const { outer, inner } = await this.#ends.congestionControls(address, port)
    const wanted = this.#ends.congestionControl
    if (inner === undefined) throw new Error('ss(8) saw no flow')
    check('inner', inner, wanted)
    if (port === undefined) return { inner }
    check('outer', outer, outerControl ?? wanted)
    return { inner, outer }
  }

  /** The share of packets since `configure` that the link handed on behind their time. */
  async #late() {
    const counters = await this.#emulator.does('counters')
    const sum = (name) => counters.reduce((total, one) => total + one[name], 0)
    return sum('late') / Math.max(1, sum('delivered'))
  }

  /** What the flow before has left in queues would be on the link beside the next one. */
  async #settled(roundTrip) {
    let before = Number.NEGATIVE_INFINITY
    for (let waited = 0; waited < SETTLED_WITHIN; waited += roundTrip + 50) {
      const arrived = (await this.#emulator.does('counters')).reduce((sum, one) => sum + one.arrived, 0)
      if (arrived - before <= 2) return
      before = arrived
      await pause(roundTrip + 50)
    }
  }

  async #link() {
    const ends = this.#ends
    const between = await ends.namespace('e')
    this.#emulator = await helper(ends, between, 'emulator', 'link-emulator.mjs', ['outer-c', 'outer-g'])
    const sides = [
      { namespace: ends.client, made: 'outer-c', address: CLIENT },
      { namespace: ends.gateway, made: 'outer-g', address: GATEWAY },
    ]
    for (const { namespace, made, address } of sides) {
      await ends.mustIn(between, ['ip', 'link', 'set', 'dev', made, 'netns', namespace, 'name', 'outer'])
      await ends.mustIn(namespace, ['ip', 'link', 'set', 'dev', 'outer', 'addrgenmode', 'none'])
      await ends.mustIn(namespace, ['ip', 'addr', 'add', `${address}/24`, 'dev', 'outer'])
      await ends.mustIn(namespace, ['ip', 'link', 'set', 'dev', 'outer', 'up'])
      // What one flow has learnt of the way is not to be the next one's.
      await ends.mustIn(namespace, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save'])
    }
    await ends.controlCongestion()
    await this.#emulator.does('start')
  }
}

async function helper(ends, namespace, label, file, words) {
  const started = ends.helper(namespace, label, file, words)
  const ready = await started.find((line) => (line === 'ready' ? line : undefined), 15_000)
  if (ready === undefined) throw new Error(`${label} did not start: ${started.lines.slice(-3).join(' ')}`)
  return started
}

function check(which, control, wanted) {
  if (control !== wanted) throw new Error(`${which} TCP used ${control} and not ${wanted}`)
}

/** The name of the device of the gateway's end that has the address. */
async function deviceOf(ends, address) {
  const text = await ends.mustIn(ends.gateway, ['ip', '-o', '-4', 'addr', 'show', 'to', address])
  return /^\d+: (\S+)/.exec(text)?.[1]
}

/** Of all samples the flow's own connection, and the tunnel's. iperf3 has one more, which sends next to nothing and lasts longer. */
function connectionsOf(samples, { address, port }) {
  const of = (remote) => {
    const all = samples.flatMap(({ at, connections }) => connections.filter((one) => one.remote === remote).map((one) => ({ at, ...one })))
    const most = all.reduce((one, other) => (other.sent > one.sent ? other : one), all[0])
    return all
      .filter(({ local }) => local === most.local)
      .map(({ at, mss, cwnd, ssthresh, resent, sent, notSent, rtt }) => ({ at, mss, cwnd, ssthresh, resent, sent, notSent, rtt }))
  }
  return { inner: of(`${address}:${IPERF}`), ...(port === undefined ? {} : { outer: of(`${GATEWAY}:${port}`) }) }
}

/** The queue holds a round trip's worth, and half of one it is under way. */
const drained = (roundTrip) => pause(2 * roundTrip + 50)

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
