/**
 * Watches the path of an IKE SA that is up: does ESP pass by it at all, and how well (RFC 9329 §5.1, §9)? By path checks where the peer knows them
 * (`ike/path-check.ts`), else by what comes back. UDP that lets only IKE through is left for a stream; UDP that loses much is compared with one.
 * A stream by which packets leave and nothing comes back is asked, and given up if it is silent, long before TCP or a liveness check would.
 */
import type { Core } from '../core.ts'
import type { PathJudgement } from '../events.ts'
import type { IkeSa } from '../ike/ike-sa.ts'
import { buildLivenessCheck } from '../ike/informational-requests.ts'
import { type AnsweredCheck, beginPathCheck } from '../ike/path-check.ts'
import { sendRequest } from '../ike/transmission.ts'
import type { Connection } from '../paths/connection.ts'
import type { PathQuality } from '../status.ts'
import type { Initiator } from './initiator.ts'
import { isClearlyMore, isLossy, lossOf, newestOf, rateOf, SAMPLES_KEPT, type Sample, type Share } from './quality.ts'
import { type Look, trafficOf } from './traffic.ts'
import type { TransportList } from './transport-list.ts'

/** Checks in a row by which no ESP came, or went, before that is believed: one may be lost with all its packets. */
const MAX_ESP_FAILURES = 3
/** Milliseconds until one is repeated, or is begun where another request is out. */
const REPEAT = 200
/** Packets in one interval that make a check worth its message. */
const BUSY = 50
/** Packets that left without any coming back, and intervals that this lasted, before a peer without path checks is suspected to get none. */
const UNANSWERED = 5
const UNANSWERED_INTERVALS = 2

/** Why UDP is left. */
type Leaving = Extract<PathJudgement['decision'], 'esp-blocked' | 'esp-silent' | 'try-stream'>

export class PathWatch {
  declare readonly timerNames: 'look' | 'judge' | 'stalled'
  readonly timers: Map<string, unknown> = new Map()
  readonly #initiator: Initiator
  readonly #transports: TransportList
  #sa: IkeSa | undefined
  #index = 0
  /** Since the path was taken. */
  #samples: readonly Sample[] = []
  #begun: Look | undefined
  /** At the last check by this path. */
  #last: Look | undefined
  /** At the half of a trial: what it carries is measured from there, as flows that lost much take their time to come back. */
  #halfWay: Look | undefined
  #isProven = false
  #espFailures = 0
  /** The last check was begun as the one before it left a doubt. */
  #isRecheck = false
  #silentIntervals = 0
  /** When a stream was asked whether it still carries anything. */
  #askedAt = 0
  /** A stream is on trial against UDP, which carried this many octets in a second. */
  #trial: { readonly before: number } | undefined
  /** UDP is not compared again before this; each time it is twice as long. */
  #holdUntil = Number.NEGATIVE_INFINITY
  #holds = 0
  /** A stream was better than UDP until then. */
  #streamUntil = Number.NEGATIVE_INFINITY

  constructor(initiator: Initiator, transports: TransportList) {
    this.#initiator = initiator
    this.#transports = transports
  }

  /** When UDP may be asked for again at the earliest. */
  get streamUntil(): number {
    return this.#streamUntil
  }

  /** The SA has a path, which may be another than before. */
  begin(core: Core, sa: IkeSa, index: number): void {
    this.pause(core)
    this.#sa = sa
    this.#index = index
    this.#samples = []
    this.#begun = trafficOf(core, sa)
    this.#last = undefined
    this.#halfWay = undefined
    this.#isProven = sa.transport === 'tcp'
    this.#espFailures = 0
    this.#isRecheck = false
    this.#silentIntervals = 0
    if (this.#trial && sa.transport === 'tcp') core.timers.set(this, 'judge', core.now + core.config.timers.trial / 2)
    else this.#trial = undefined
    if (sa.transport === 'udp' && this.#transports.hasStream) this.#look(core)
    else if (sa.transport === 'tcp') core.timers.set(this, 'look', core.now + core.config.timers.pathCheck / 2)
  }

  rekeyed(old: IkeSa, sa: IkeSa): void {
    if (this.#sa === old) this.#sa = sa
  }

  /** The SA has no path, or is about to have another. */
  pause(core: Core): void {
    core.timers.clearAll(this)
    this.#sa = undefined
  }

  /** Another network: what was found out is not true of it. */
  forget(): void {
    this.#trial = undefined
    this.#holdUntil = Number.NEGATIVE_INFINITY
    this.#holds = 0
    this.#streamUntil = Number.NEGATIVE_INFINITY
  }

  checked(core: Core, sa: IkeSa, check: AnsweredCheck): void {
    if (sa !== this.#sa || sa.transport !== 'udp') return
    // A message that was held up on another way has moved it.
    if (!check.isSendingPath) sa.owesPathProbe = true
    const { inbound, outbound } = check
    // Of a path that ESP has passed, any of it says that it still does.
    const passes = (isDummyThere: boolean, share: Share | undefined): boolean =>
      isDummyThere || (this.#isProven && share !== undefined && share.arrived > 0)
    if (!passes(check.espIn, inbound) || !passes(check.espOut, outbound)) {
      if (++this.#espFailures < MAX_ESP_FAILURES) return core.timers.set(this, 'look', core.now + REPEAT)
      return this.#leaveUdp(core, sa, { decision: 'esp-blocked', roundTripMilliseconds: check.roundTrip }, 0)
    }
    this.#isProven = true
    this.#espFailures = 0
    // What arrived may have been under way before ESP was blocked.
    this.#isRecheck = !(this.#isRecheck || (check.espIn && check.espOut))
    if (this.#isRecheck) core.timers.set(this, 'look', core.now + REPEAT)
    const now = trafficOf(core, sa)
    const before = this.#last
    this.#last = now
    // The first by this path counts from a check by the path before it.
    if (!before || !inbound || !outbound || now.at - before.at < core.config.timers.pathCheck / 2) return
    const delivered = outbound.expected === 0 ? 1 : outbound.arrived / outbound.expected
    const octets = now.octetsIn - before.octetsIn + (now.octetsOut - before.octetsOut) * delivered
    this.#samples = [
      ...this.#samples.slice(1 - SAMPLES_KEPT),
      { milliseconds: now.at - before.at, inbound, outbound, octets, roundTrip: check.roundTrip },
    ]
    if (!isLossy(this.#samples) || core.now < this.#holdUntil || !sa.isMobike) return
    this.#leaveUdp(core, sa, { decision: 'try-stream', ...this.#figures() }, rateOf(this.#samples))
  }

  onTimer(core: Core, name: PathWatch['timerNames']): void {
    if (name === 'look') this.#look(core)
    else if (name === 'judge') this.#judge(core)
    else this.#giveUpStalled(core)
  }

  status(): PathQuality | undefined {
    return this.#samples.length === 0 ? undefined : this.#figures()
  }

  /** A path that is new is asked at once, one that is known when there is something to learn. */
  #look(core: Core): void {
    const sa = this.#sa
    if (sa?.state.kind !== 'ESTABLISHED') return
    if (sa.path?.transport === 'tcp') return this.#lookAtStream(core, sa, sa.path.connection)
    core.timers.set(this, 'look', core.now + core.config.timers.pathCheck)
    if (!sa.pathChecks) return this.#listen(core, sa)
    const { packetsIn, packetsOut } = trafficOf(core, sa)
    const before = this.#last ?? this.#begun!
    const isOpen = this.#isProven && this.#espFailures === 0 && !this.#isRecheck
    // Whether what we send gets there only the peer can say. What comes says of itself that it does, and is asked for its losses. That nothing
    // is sent to us cannot be told from all of it being lost: that is asked as seldom as whether the peer is there.
    const isQuiet = packetsOut === before.packetsOut && packetsIn - before.packetsIn < BUSY
    const isLate = core.now - before.at >= (sa.livenessPeriod ?? core.config.timers.liveness)
    if (isOpen && isQuiet && !isLate) return
    if (sa.window.outstanding) core.timers.set(this, 'look', core.now + REPEAT)
    else sendRequest(core, sa, beginPathCheck(core, sa))
  }

  /** Packets leave by it, or wait for it, and none comes. */
  #lookAtStream(core: Core, sa: IkeSa, { waiting }: Connection): void {
    const before = this.#last ?? this.#begun!
    const now = trafficOf(core, sa)
    this.#last = now
    core.timers.set(this, 'look', core.now + core.config.timers.pathCheck / 2)
    const isOneSided = now.packetsIn === before.packetsIn && (now.packetsOut > before.packetsOut || waiting?.isEmpty === false)
    if (!isOneSided || core.timers.has(this, 'stalled')) return
    this.#askedAt = core.now
    core.timers.set(this, 'stalled', core.now + core.config.timers.resume)
    if (!sa.window.outstanding) sendRequest(core, sa, buildLivenessCheck())
  }

  /** Not a word since it was asked: on a link that is only slow something would have come. */
  #giveUpStalled(core: Core): void {
    const sa = this.#sa
    const { resume } = core.config.timers
    if (sa && sa.lastInboundAt < this.#askedAt)
      this.#initiator.leaveSilentConnection(core, sa, `nothing has come by it for ${resume} ms, and packets leave`)
  }

  /** Nothing says that what leaves arrives but what comes back. */
  #listen(core: Core, sa: IkeSa): void {
    const now = trafficOf(core, sa)
    if (now.packetsIn > this.#begun!.packetsIn) {
      this.#begun = now
      this.#silentIntervals = 0
    }
    if (now.packetsOut - this.#begun!.packetsOut < UNANSWERED || core.now < this.#holdUntil || !sa.isMobike) return
    this.#silentIntervals++
    // Where IKE does not pass, either, that is another's business.
    if (this.#silentIntervals <= UNANSWERED_INTERVALS) {
      if (!sa.window.outstanding) sendRequest(core, sa, buildLivenessCheck())
    } else this.#leaveUdp(core, sa, { decision: 'esp-silent' }, 0)
  }

  #leaveUdp(core: Core, sa: IkeSa, judgement: PathJudgement & { readonly decision: Leaving }, rate: number): void {
    if (!this.#transports.hasStream || !sa.isMobike) {
      this.#say(core, sa, { ...judgement, decision: 'no-other-way' })
      // Said once for each path.
      this.#isProven = true
      core.timers.clear(this, 'look')
      return
    }
    const udp = this.#index
    this.#say(core, sa, judgement)
    if (judgement.decision === 'esp-blocked') this.#transports.block(core, udp, 'half-way')
    else this.#trial = { before: rate }
    this.#initiator.leaveForStream(core, sa, udp, REASONS[judgement.decision])
  }

  /** The trial is over. */
  #judge(core: Core): void {
    const sa = this.#sa
    const trial = this.#trial
    if (sa && trial && this.#halfWay === undefined) {
      this.#halfWay = trafficOf(core, sa)
      return core.timers.set(this, 'judge', core.now + core.config.timers.trial / 2)
    }
    this.#trial = undefined
    // Where nothing came by UDP, anything that has come since is more.
    const from = trial?.before === 0 ? this.#begun : this.#halfWay
    if (!sa || !trial || !from) return
    const now = trafficOf(core, sa)
    const octets = now.octetsIn - from.octetsIn + (trial.before === 0 ? 0 : now.octetsOut - from.octetsOut)
    const octetsPerSecond = (1000 * octets) / (now.at - from.at)
    this.#holdUntil = core.now + Math.min(core.config.timers.maxUdpProbe, core.config.timers.blocked * 2 ** this.#holds++)
    const isBetter = isClearlyMore(octetsPerSecond, trial.before)
    const figures = { octetsPerSecond: Math.round(octetsPerSecond), octetsPerSecondBefore: Math.round(trial.before) }
    this.#say(core, sa, { decision: isBetter ? 'stay-on-stream' : 'return-to-udp', ...figures })
    if (isBetter) this.#streamUntil = this.#holdUntil
    if (isBetter) this.#initiator.probeLater(core)
    else this.#initiator.returnToUdp(core, sa)
  }

  #say(core: Core, sa: IkeSa, judgement: PathJudgement): void {
    core.event({ kind: 'path-judged', peer: sa.peerName, ikeSa: sa.id, transport: this.#transports.nameOf(this.#index), ...judgement })
  }

  #figures(): PathQuality {
    const { inbound, outbound, roundTrip } = newestOf(this.#samples)!
    return {
      lossIn: rounded(lossOf(inbound)),
      lossOut: rounded(lossOf(outbound)),
      roundTripMilliseconds: roundTrip,
      octetsPerSecond: Math.round(rateOf(this.#samples)),
    }
  }
}

const REASONS: Readonly<Record<Leaving, string>> = {
  'esp-blocked': 'UDP lets IKE through and drops ESP',
  'esp-silent': 'over UDP nothing comes back by ESP',
  'try-stream': 'UDP loses much: a stream is tried',
}

function rounded(share: number): number {
  return Math.round(1000 * share) / 1000
}
