/**
 * Which of an initiator's transports begins when, and which of them may authenticate (RFC 9329 §5.1, §9): a function of what is known, with
 * no state of its own. UDP goes first and alone for as long as its request takes to be repeated; then the others join it, one after
 * another, and the first whose IKE_SA_INIT is answered goes on. One authenticates at a time, so that the peer never has two IKE SAs of ours.
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
  /** Those that did not get through on this network lately (T-FB-4). */
  readonly isBlocked: (index: number) => boolean
  readonly times: RaceTimes
}

/** Milliseconds. */
export interface RaceTimes {
  /** For UDP alone. Longer than its first retransmission takes (T-FB-2). */
  readonly headStart: number
  /** Between streams. */
  readonly stagger: number
}

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
  // The list is in the order of preference.
  const ready = racers.find(({ stage }) => stage === 'ready')
  if (ready && !authenticating) return { kind: 'authenticate', index: ready.index }
  const patienceEnds = authenticating ? authenticating.since + patience(authenticating, times) : Number.NEGATIVE_INFINITY
  if (ready && authenticating && now >= patienceEnds) return { kind: 'drop', index: authenticating.index }
  const beginsAt = next < count ? Math.max(nextBeginning(view), patienceEnds) : Number.POSITIVE_INFINITY
  if (now >= beginsAt) return { kind: 'begin', index: next }
  const silent = lastAndSilent(view)
  const silentUntil = silent ? Math.min(silent.since + LAST_STAND * times.headStart, hope(silent)) : Number.POSITIVE_INFINITY
  if (silent && now >= silentUntil) return { kind: 'drop', index: silent.index }
  return { kind: 'wait', until: Math.min(beginsAt, silentUntil, ready ? patienceEnds : Number.POSITIVE_INFINITY) }
}

/** How much longer than its head start UDP is waited for when all streams have failed: then they are worth another try sooner than UDP's end. */
const LAST_STAND = 3

function lastAndSilent({ racers, count, next }: RaceView): Racer | undefined {
  const isLast = next === count && racers.length > 0 && racers.length < count
  return isLast && racers.every(({ transport, stage }) => transport === 'udp' && stage === 'asking') ? racers[0] : undefined
}

/** At once where the one before is over, or known not to get through. */
function nextBeginning({ racers, next, isBlocked, times }: RaceView): number {
  const last = racers.find(({ index }) => index === next - 1)
  if (last === undefined || isBlocked(last.index) || last.stage !== 'asking') return Number.NEGATIVE_INFINITY
  const gap = last.transport === 'udp' ? times.headStart : times.stagger
  return Math.min(last.since + gap, hope(last))
}

const hope = ({ hopeUntil = Number.POSITIVE_INFINITY }: Racer): number => hopeUntil

/** TCP repeats what is lost itself, and takes its time. */
function patience({ transport }: Racer, { headStart, stagger }: RaceTimes): number {
  return transport === 'udp' ? headStart : headStart + stagger
}
