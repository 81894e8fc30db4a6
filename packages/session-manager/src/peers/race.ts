/**
 * Which of an initiator's transports begins when, and which of them may authenticate (RFC 9329 §5.1, §9): a function of what is known, with
 * no state of its own. UDP goes first and alone for as long as its request takes to be repeated, to each of the peer's addresses (RFC 8305 §5);
 * then the others join it, one after another, and the first whose IKE_SA_INIT is answered goes on. One authenticates at a time, so that the
 * peer never has two IKE SAs of ours.
 */

/** A transport that was begun and is not over. */
export interface Racer {
  /** Its place in the list of transports. */
  readonly index: number
  readonly transport: 'udp' | 'tcp'
  /** 'asking': IKE_SA_INIT is not answered. 'ready': it is, and IKE_AUTH may go. 'authenticating': IKE_AUTH went and is not answered. */
  readonly stage: 'asking' | 'ready' | 'authenticating'
  /** When the stage began: for UDP that asks, when its first request left, Infinity before. */
  readonly since: number
  /** UDP, after the network said that a datagram did not get there: what it still gets. */
  readonly hopeUntil?: number
}

export interface RaceView {
  readonly now: number
  readonly racers: readonly Racer[]
  /** How many transports there are. */
  readonly count: number
  /** The first that was not begun. */
  readonly next: number
  /** What the one at this place is. */
  readonly transportOf: (index: number) => 'udp' | 'tcp'
  /** Those that did not get through on this network lately (T-FB-4). */
  readonly isBlocked: (index: number) => boolean
  /** Of these: IKE_SA_INIT was answered, and IKE_AUTH or ESP never passed. */
  readonly isBlockedHalfWay: (index: number) => boolean
  readonly times: RaceTimes
}

/** Milliseconds. */
export interface RaceTimes {
  /** For UDP alone, to all addresses together. Longer than its first retransmission takes (T-FB-2). */
  readonly headStart: number
  /** Between streams. */
  readonly stagger: number
}

/** Milliseconds between UDP to one address and UDP to the next: the Connection Attempt Delay of RFC 8305 §5, and the least that it may be. */
const ATTEMPT_DELAY = 250
const LEAST_ATTEMPT_DELAY = 100

/** Milliseconds between two beginnings that the network's changes make: news that do not end would have nothing come to its end. */
export const MOST_OFTEN = 1_000

export type Move =
  | { readonly kind: 'begin'; readonly index: number }
  | { readonly kind: 'authenticate'; readonly index: number }
  /** Blocked half way: IKE_SA_INIT was answered, IKE_AUTH is not, and another is ready. Or UDP is silent and nothing else is left. */
  | { readonly kind: 'drop'; readonly index: number }
  /** Nothing to do before `until`, which may be Infinity, but for what comes. */
  | { readonly kind: 'wait'; readonly until: number }

export function nextMove(view: RaceView): Move {
  const { now, racers, count, next, times } = view
  const authenticating = racers.find(({ stage }) => stage === 'authenticating')
  const heldUntil = holdUntil(view)
  // The list is in the order of preference.
  const ready = racers.find(({ stage, index }) => stage === 'ready' && (now >= heldUntil || !view.isBlockedHalfWay(index)))
  if (ready && !authenticating) return { kind: 'authenticate', index: ready.index }
  const patienceEnds = authenticating ? authenticating.since + patience(authenticating, times) : Number.NEGATIVE_INFINITY
  if (ready && authenticating && now >= patienceEnds) return { kind: 'drop', index: authenticating.index }
  const beginsAt = next < count ? Math.max(nextBeginning(view), patienceEnds) : Number.POSITIVE_INFINITY
  if (now >= beginsAt) return { kind: 'begin', index: next }
  const silent = lastAndSilent(view)
  const silentUntil = silent ? Math.min(silent.since + LAST_STAND * times.headStart, hope(silent)) : Number.POSITIVE_INFINITY
  if (silent && now >= silentUntil) return { kind: 'drop', index: silent.index }
  return { kind: 'wait', until: Math.min(beginsAt, silentUntil, ready ? patienceEnds : heldUntil) }
}

/** One that was blocked half way lately and has come as far again gives way to all that may get further, for as long as it would have alone. */
function holdUntil({ now, racers, count, next, isBlockedHalfWay, times }: RaceView): number {
  const held = racers.find(({ stage, index }) => stage === 'ready' && isBlockedHalfWay(index))
  if (held === undefined) return Number.POSITIVE_INFINITY
  const isAlone = next === count && racers.every(({ index }) => isBlockedHalfWay(index))
  return isAlone ? now : held.since + times.headStart
}

/** How much longer than its head start UDP is waited for when all streams have failed: then they are worth another try sooner than UDP's end. */
const LAST_STAND = 3

function lastAndSilent({ racers, count, next, transportOf }: RaceView): Racer | undefined {
  // A list of UDP alone has all the time that there is.
  const hadStreams = Array.from({ length: count }, (_, index) => transportOf(index)).includes('tcp')
  const isLast = next === count && hadStreams
  return isLast && racers.every(({ transport, stage }) => transport === 'udp' && stage === 'asking') ? racers[0] : undefined
}

/** At once where the one before is over, or known not to get through. */
function nextBeginning(view: RaceView): number {
  const { racers, next, isBlocked, times, transportOf } = view
  const last = racers.find(({ index }) => index === next - 1)
  if (transportOf(next) === 'udp' || last?.transport === 'tcp') {
    if (last === undefined || isBlocked(last.index) || last.stage !== 'asking') return Number.NEGATIVE_INFINITY
    return Math.min(last.since + (last.transport === 'udp' ? attemptDelay(view) : times.stagger), hope(last))
  }
  // A stream after UDP: the first of UDP that is not over began the head start of all.
  const overUdp = racers.filter(({ transport, index }) => transport === 'udp' && !isBlocked(index))
  const headStartEnds = Math.min(...overUdp.map(({ since }) => since)) + times.headStart
  const asking = overUdp.filter(({ stage }) => stage === 'asking')
  return Math.max(...asking.map((racer) => Math.min(headStartEnds, hope(racer))))
}

/** So that UDP to all addresses fits into its head start. */
function attemptDelay({ count, times, transportOf }: RaceView): number {
  let inARow = 0
  while (inARow < count && transportOf(inARow) === 'udp') inARow++
  return Math.max(LEAST_ATTEMPT_DELAY, Math.min(ATTEMPT_DELAY, times.headStart / inARow))
}

const hope = ({ hopeUntil = Number.POSITIVE_INFINITY }: Racer): number => hopeUntil

/** TCP repeats what is lost itself, and takes its time. */
function patience({ transport }: Racer, { headStart, stagger }: RaceTimes): number {
  return transport === 'udp' ? headStart : headStart + stagger
}
