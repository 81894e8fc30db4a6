/**
 * Finds another way for an IKE SA that is up (RFC 4555 §3.5, RFC 9329 §7.1): one request, the very same octets, goes by UDP first and then by
 * streams beside it, as transports race at the start; where its answer comes from, there the SA is from then on.
 */
import type { Core } from '../core.ts'
import type { IkeSa } from '../ike/ike-sa.ts'
import { attachPath } from '../ike/ike-sa-life.ts'
import { buildUpdateSaAddresses } from '../ike/mobike.ts'
import { type AnsweredCheck, beginPathCheck } from '../ike/path-check.ts'
import { prepareRequest, transmitBy } from '../ike/transmission.ts'
import type { Connection } from '../paths/connection.ts'
import { describePath, isOn, isToward, type Path } from '../paths/path.ts'
import { openStream, udpPath } from './dial.ts'
import type { Initiator } from './initiator.ts'
import { MOST_OFTEN, nextMove } from './race.ts'
import type { TransportList } from './transport-list.ts'

export interface MoverOptions {
  readonly initiator: Initiator
  readonly transports: TransportList
  readonly sa: IkeSa
  /** What the SA rides now. */
  readonly index: number
  /**
   * 'udp': what it rides is well, and only UDP would be better: nothing else is tried beside it, and it is asked last. 'stream': UDP is no good, though
   * IKE passes by it.
   */
  readonly lookFor: 'any' | 'udp' | 'stream'
}

/** A way that was begun and is not over. */
interface Candidate {
  readonly index: number
  readonly path: Path
  /** UDP: when it was first asked by it. A stream: when it was begun. */
  readonly since: number
  /** A stream: when it must be open, and then when it must have answered. */
  due?: number
  /** A stream that is open: the request went by it. */
  isAsked?: boolean
  /** What the SA rode before. */
  readonly isOld?: boolean
}

/** New connections that were asked by in vain: so many, and the peer has lost the SA. */
const MAX_UNANSWERED = 3

/** One may be lost with all its dummy packets. */
const MAX_ESP_FAILURES = 3

export class Mover {
  declare readonly timerNames: 'race' | 'repeat' | 'answer' | 'again' | 'anew'
  readonly timers: Map<string, unknown> = new Map()
  readonly #options: MoverOptions
  /** Rekeying makes another of it. */
  sa: IkeSa
  #begunAt = 0
  #candidates: readonly Candidate[] = []
  /** Indexes in the order in which they are begun. */
  #order: readonly number[]
  #next = 0
  #rounds = 0
  #begunAnewAt = Number.NEGATIVE_INFINITY
  #repetitions = 0
  /** New connections that were asked by in vain: the peer may have lost the SA. */
  #unanswered = 0
  /** Path checks that were answered over UDP, and ESP did not pass. */
  #espFailures = 0
  #lookFor: MoverOptions['lookFor']
  /** Where the outstanding request is an UPDATE_SA_ADDRESSES of ours: the transport whose addresses are in it. */
  #updateFor: number | undefined
  /** The transports that the outstanding request was sent by. */
  readonly #askedBy = new Set<number>()

  constructor(options: MoverOptions) {
    this.#options = options
    this.sa = options.sa
    const { transports, lookFor } = options
    this.#lookFor = lookFor
    this.#order = orderOf(options, allOf(transports))
  }

  begin(core: Core, reason: string): void {
    const { initiator } = this.#options
    const { sa } = this
    this.#begunAt = core.now
    if (this.#lookFor === 'any') this.#order = this.#halfWayLast(core)
    if (this.#lookFor !== 'udp') core.event({ kind: 'reconnecting', peer: initiator.peer.name, ikeSa: sa.id, inMilliseconds: 0, reason })
    this.#race(core)
  }

  /** What it rides may be no way any more. */
  get looksForAny(): boolean {
    return this.#lookFor === 'any'
  }

  /** Whose connection it is, hears of it. */
  connectionOpened(core: Core, connection: Connection): void {
    const candidate = this.#ofConnection(connection)
    if (candidate === undefined) return
    candidate.due = core.now + core.config.timers.resume
    candidate.isAsked = true
    this.#ask(core, candidate)
    this.#watchDue(core)
  }

  connectionClosed(core: Core, connection: Connection): void {
    const candidate = this.#ofConnection(connection)
    if (candidate === undefined) return
    this.#candidates = this.#candidates.filter((other) => other !== candidate)
    // That the old connection dies says nothing of the peer.
    if (candidate.isAsked && !candidate.isOld && !connection.isForeign) this.#unanswered++
    this.#race(core)
  }

  /** A valid answer of the peer's came by `arrival`. */
  answeredBy(core: Core, arrival: Path, verdict: AnsweredCheck | 'unacceptable' | undefined): void {
    const winner = this.#candidates.find(({ path }) =>
      path.transport === 'tcp' ? arrival.transport === 'tcp' && path.connection === arrival.connection : isToward(arrival, path.remote),
    )
    if (winner === undefined) {
      // It was what we asked by the new ways, too: the slot is free, and they are asked something else.
      core.timers.set(this, 'repeat', core.now)
      return
    }
    const { initiator, transports, index } = this.#options
    const { sa } = this
    if (verdict === 'unacceptable') return this.#withdraw(core, winner)
    if (verdict && winner.path !== sa.path && winner.path.transport === 'udp' && !(verdict.espIn && verdict.espOut))
      return this.#askAgain(core)
    // T-MOB-5: the addresses in it were another's; or it came by another way first, moved the peer there, and was only answered again by this one.
    sa.owesPathProbe = this.#updateFor !== winner.index || this.#askedBy.size > 1
    if (winner.path === sa.path) {
      this.stop(core, winner)
      return initiator.moved(core, sa, index, winner.index)
    }
    const before = sa.path?.transport === 'tcp' ? sa.path.connection : undefined
    const from = sa.path ? describePath(sa.path) : sa.lastPath
    this.stop(core, winner)
    attachPath(core, sa, winner.path)
    if (from) core.event({ kind: 'path-moved', ikeSa: sa.id, peer: sa.peerName, from, to: describePath(arrival) })
    // T-MOB-6.
    if (before?.ikeSas.size === 0) core.closeConnection(before, 'end', 'its IKE SA has moved')
    const transport = transports.nameOf(winner.index)
    core.event({ kind: 'transport-chosen', peer: initiator.peer.name, transport, reason: 'the first that was answered by' })
    initiator.moved(core, sa, index, winner.index)
  }

  /** RFC 4555 §3.5: these addresses the peer does not take; others are asked for. */
  #withdraw(core: Core, candidate: Candidate): void {
    this.#candidates = this.#candidates.filter((other) => other !== candidate)
    if (candidate.path.transport === 'tcp' && candidate.isOld !== true)
      core.closeConnection(candidate.path.connection, 'end', 'not acceptable to the peer')
    core.timers.set(this, 'repeat', core.now)
    this.#race(core)
  }

  /** IKE passes by UDP and ESP did not, which may have been an accident. */
  #askAgain(core: Core): void {
    if (++this.#espFailures < MAX_ESP_FAILURES) return core.timers.set(this, 'repeat', core.now)
    const { initiator, index } = this.#options
    const { sa } = this
    this.stop(core)
    if (sa.path) return initiator.moved(core, sa, index, index)
    // What it rode is gone meanwhile.
    this.#lookFor = 'any'
    this.#again(core)
  }

  /** Nothing is looked for any more; `but` stays, and so does what the SA rides. */
  stop(core: Core, but?: Candidate): void {
    core.timers.clearAll(this)
    const others = this.#candidates.filter((candidate) => candidate !== but)
    this.#candidates = []
    for (const { path } of others)
      if (path.transport === 'tcp' && !isOn(this.sa.path, path.connection))
        core.closeConnection(path.connection, 'end', 'another way was found, or none is looked for')
  }

  /** The network has changed once more: what is under way may lead nowhere. */
  beginAnew(core: Core): void {
    // News that do not end would have nothing come to its end.
    const soonest = this.#begunAnewAt + MOST_OFTEN
    if (core.now < soonest) return core.timers.set(this, 'anew', soonest)
    this.stop(core)
    this.#begunAnewAt = core.now
    this.#rounds = 0
    this.#unanswered = 0
    this.#lookFor = 'any'
    this.#again(core)
  }

  onTimer(core: Core, name: Mover['timerNames']): void {
    if (name === 'race') this.#race(core)
    else if (name === 'repeat') this.#repeat(core)
    else if (name === 'again') this.#again(core)
    else if (name === 'anew') this.beginAnew(core)
    else this.#giveUpSilent(core)
  }

  #race(core: Core): void {
    for (;;) {
      const order = this.#order
      if (this.#candidates.length === 0 && this.#next === order.length) return this.#roundOver(core)
      const { udpFallback: headStart, stagger } = core.config.timers
      const move = nextMove({
        now: core.now,
        racers: this.#candidates.map(({ index, path: { transport }, since }) => ({
          index: order.indexOf(index),
          transport,
          stage: 'asking',
          since,
        })),
        count: order.length,
        next: this.#next,
        transportOf: (place) => this.#options.transports.at(order[place]!).transport,
        isBlocked: (place) => this.#lookFor === 'any' && this.#options.transports.isBlocked(core, order[place]!),
        // Nobody authenticates here.
        isBlockedHalfWay: () => false,
        times: { headStart, stagger },
      })
      if (move.kind === 'begin') this.#begin(core, move.index)
      else if (move.kind === 'wait') {
        if (move.until === Number.POSITIVE_INFINITY) core.timers.clear(this, 'race')
        else core.timers.set(this, 'race', move.until)
        return
      } else this.#candidates = this.#candidates.filter(({ index }) => index !== order[move.index])
    }
  }

  #begin(core: Core, place: number): void {
    const { initiator, transports } = this.#options
    const { sa } = this
    const index = this.#order[place]!
    const way = transports.at(index)
    this.#next = place + 1
    if (this.#lookFor === 'udp' && way.transport === 'tcp' && sa.path?.transport === 'tcp') return this.#askByOldPath(core, index, sa.path)
    const path = way.transport === 'udp' ? udpPath(way.address, way.natPort) : openStream(core, initiator, way).path
    const isUdp = way.transport === 'udp'
    const candidate: Candidate = { index, path, since: core.now, ...(isUdp ? {} : { due: core.now + 2 * core.config.timers.resume }) }
    this.#candidates = [...this.#candidates, candidate]
    this.#watchDue(core)
    if (!isUdp) return
    this.#ask(core, candidate)
    this.#repetitions = 0
    core.timers.set(this, 'repeat', core.now + core.config.timers.retransmit)
  }

  #askByOldPath(core: Core, index: number, path: Path): void {
    const candidate: Candidate = { index, path, since: core.now, due: core.now + core.config.timers.resume, isAsked: true, isOld: true }
    this.#candidates = [...this.#candidates, candidate]
    this.#ask(core, candidate)
    this.#watchDue(core)
  }

  #watchDue(core: Core): void {
    const due = this.#candidates.flatMap((candidate) => candidate.due ?? [])
    if (due.length > 0) core.timers.set(this, 'answer', Math.min(...due))
    else core.timers.clear(this, 'answer')
  }

  /** T-MOB-4: the same request by each way; what was asked before the way was lost is as good (T-MOB-9). */
  #ask(core: Core, { index, path }: Candidate): void {
    const { sa } = this
    if (!sa.protection) return
    if (!sa.window.outstanding) {
      const isCheck = this.#lookFor === 'udp' && sa.pathChecks !== undefined
      prepareRequest(core, sa, sa.protection, isCheck ? beginPathCheck(core, sa) : buildUpdateSaAddresses(sa, path), path)
      this.#updateFor = isCheck ? undefined : index
      this.#askedBy.clear()
    }
    this.#askedBy.add(index)
    core.timers.clear(sa, 'retransmit')
    core.timers.clear(sa, 'response')
    transmitBy(core, sa, path, sa.window.outstanding!)
  }

  /** RFC 7296 §2.4: over UDP the waits double, and many silences in a row are the end. A stream is asked again only for something new (T-RTX-1). */
  #repeat(core: Core): void {
    if (!this.sa.window.outstanding) for (const candidate of this.#candidates) if (candidate.isAsked) this.#ask(core, candidate)
    const overUdp = this.#candidates.filter(({ path }) => path.transport === 'udp')
    if (overUdp.length === 0) return
    if (this.#repetitions >= core.config.timers.maxRetransmissions) {
      this.#candidates = this.#candidates.filter((candidate) => !overUdp.includes(candidate))
      return this.#race(core)
    }
    for (const candidate of overUdp) this.#ask(core, candidate)
    this.#repetitions++
    core.count('ike-retransmissions-out')
    core.timers.set(this, 'repeat', core.now + core.config.timers.retransmit * 2 ** this.#repetitions)
  }

  #giveUpSilent(core: Core): void {
    const silent = this.#candidates.filter(({ due }) => due !== undefined && due <= core.now)
    this.#candidates = this.#candidates.filter((candidate) => !silent.includes(candidate))
    this.#unanswered += silent.filter(({ path, isAsked, isOld }) => isAsked && !isOld && !isForeign(path)).length
    for (const { path } of silent) if (path.transport === 'tcp') core.closeConnection(path.connection, 'reset', 'no answer on it')
    this.#watchDue(core)
    this.#race(core)
  }

  #roundOver(core: Core): void {
    const { initiator } = this.#options
    const { sa } = this
    const { reconnect, redial, maxRedial } = core.config.timers
    const lasted = core.now - this.#begunAt
    this.stop(core)
    if (this.#unanswered >= MAX_UNANSWERED)
      return initiator.wayLost(
        core,
        sa,
        `${this.#unanswered} new connections were opened and none was answered on: the peer does not go on with this IKE SA`,
      )
    if (lasted >= reconnect) return initiator.wayLost(core, sa, `no way to the peer for ${lasted} ms`)
    this.#lookFor = 'any'
    core.timers.set(this, 'again', core.now + Math.min(maxRedial, redial * 2 ** this.#rounds++))
  }

  #again(core: Core): void {
    this.#order = this.#halfWayLast(core)
    this.#next = 0
    this.#race(core)
  }

  /** All; that one of these answers says nothing of ESP, and who went there would be back soon (T-FB-4). */
  #halfWayLast(core: Core): readonly number[] {
    const { transports } = this.#options
    const isHalfWay = (index: number): boolean => transports.isBlockedHalfWay(core, index)
    const all = allOf(transports)
    return [...all.filter((index) => !isHalfWay(index)), ...all.filter(isHalfWay)]
  }

  #ofConnection(connection: Connection): Candidate | undefined {
    return this.#candidates.find(({ path }) => path.transport === 'tcp' && path.connection === connection)
  }
}

function isForeign(path: Path): boolean {
  return path.transport === 'tcp' && path.connection.isForeign
}

function orderOf({ transports, index, lookFor }: MoverOptions, all: readonly number[]): readonly number[] {
  if (lookFor === 'any') return all
  return all.filter((one) => {
    const isUdp = transports.at(one).transport === 'udp'
    return lookFor === 'stream' ? !isUdp : one === index || (one < index && isUdp)
  })
}

function allOf(transports: TransportList): number[] {
  return Array.from({ length: transports.length }, (_, index) => index)
}
