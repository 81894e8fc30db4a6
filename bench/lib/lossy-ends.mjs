// Two ends with an emulated link between them, whatever is to be compared on it started beside each other, and what measures it.
import { bareLink } from '../contenders/bare-link.mjs'
import { openvpn } from '../contenders/openvpn.mjs'
import { underpass } from '../contenders/underpass.mjs'
import { flow, startIperf } from './iperf.mjs'
import { CLIENT, GATEWAY } from './two-ends.mjs'

export const MEGABITS = 50

/** Who is compared; what each is called in rows. */
export const CARRIERS = [
  { who: 'plain', name: 'plain TCP', group: 'bare', contender: bareLink },
  { who: 'tcp', name: 'Underpass TCP', group: 'ours', contender: underpass({ runtime: 'node', transport: 'tcp' }) },
  { who: 'openvpn', name: 'OpenVPN TCP', group: 'peer', contender: openvpn },
  { who: 'udp', name: 'Underpass UDP', group: 'ours', contender: underpass({ runtime: 'node', transport: 'udp', lane: 'second' }) },
]

/** Beside a flow: one small datagram each 10 ms. */
const PROBE = { octets: 64, perSecond: 100 }
/** What the link is checked with: a slow stream for its losses and its delay, a fast one for its rate. */
const SLOW = { octets: 200, perSecond: 4_000, seconds: 1 }
const FAST = { octets: 1_400, perSecond: 7_000, seconds: 0.4 }

export class LossyEnds {
  #ends
  #emulator
  #sender
  #receiver
  #addresses = new Map()

  /** `ends`: without a link. `carriers` that cannot run here are to be left out. Nothing is lost yet. */
  static async start(ends, { carriers, roundTrip }) {
    const lossy = new LossyEnds()
    lossy.#ends = ends
    await lossy.#link()
    lossy.#sender = await helper(ends, ends.client, 'probe-sender', 'udp-probe.mjs')
    lossy.#receiver = await helper(ends, ends.gateway, 'probe-receiver', 'udp-probe.mjs')
    await lossy.#receiver.does('listen')
    await lossy.configure({ roundTrip, pattern: 'random', loss: 0, seed: 0 })
    for (const { who, contender } of carriers) {
      const { address } = await contender.start(ends)
      lossy.#addresses.set(who, address)
      // A server each: one whose flow was given up may be busy for long.
      await startIperf(ends, address)
    }
    await ends.controlCongestion()
    const outer = [...(await ends.congestionControls())]
    if (outer.some((name) => name !== ends.congestionControl)) throw new Error(`the tunnels' connections use ${outer.join(' and ')}`)
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

  /** Goodput of one flow to the gateway's end, and what a datagram beside it takes. */
  async measure(who, { seconds, omit, roundTrip }) {
    const address = this.#addresses.get(who)
    const flowing = flow(this.#ends, address, { seconds, omit, patience: 20 })
    // A failure is the flow's to tell, below.
    flowing.catch(() => {})
    await pause(omit * 1000 + 500)
    await this.#receiver.does('collect')
    await this.#receiver.does('watch', { address })
    const probes = await this.#sender.does('send', { address, ...PROBE, seconds: seconds - 0.5 })
    const { gigabits, retransmits } = await flowing
    // The last of the datagrams may have waited longer than the flow went on.
    await drained(roundTrip)
    const { count, delay, burst } = await this.#receiver.does('collect')
    return { megabits: gigabits * 1000, retransmits, delay, burst, probesLost: Math.max(0, 1 - count / probes) }
  }

  /** A second of each, on the link that is to come: an outer connection remembers a worse one. */
  async warmUp() {
    for (const address of this.#addresses.values()) {
      const { congestionControl } = await flow(this.#ends, address, { seconds: 1 })
      if (congestionControl !== undefined && congestionControl !== this.#ends.congestionControl)
        throw new Error(`a flow used ${congestionControl}`)
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

/** The queue holds a round trip's worth, and half of one it is under way. */
const drained = (roundTrip) => pause(2 * roundTrip + 50)

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
