/**
 * Whether UDP is good enough, or a stream would be better: a function of what was measured, with no state of its own. UDP is favoured (RFC 9329
 * §9), so only loss that lasts has a stream tried, and only more throughput keeps the tunnel there. A policer drops what is over its rate and
 * lets TCP be; plain loss costs a stream as much as it costs the flows inside, and then nothing is won.
 */

/** What one path check said of the time since the one before it. */
export interface Sample {
  readonly milliseconds: number
  readonly inbound: Share
  readonly outbound: Share
  /** Inner octets that arrived, both ways together. */
  readonly octets: number
  readonly roundTrip: number
}

export interface Share {
  readonly expected: number
  readonly arrived: number
}

/** Of the samples of one path since it was taken, the newest last: are the last two lossy, of as many packets as it takes to say? */
export function isLossy(samples: readonly Sample[]): boolean {
  const last = lastOf(samples)
  return last.length === LASTS && last.every(({ inbound, outbound }) => lossOf(inbound) >= LOSSY || lossOf(outbound) >= LOSSY)
}

/**
 * The last two, the newest last. Neighbours are one where a single one has too few packets: a policer of a low rate leaves few, and what it drops is then
 * never seen in one interval.
 */
function lastOf(samples: readonly Sample[]): Sample[] {
  const last: Sample[] = []
  let at = samples.length
  while (at > 0 && last.length < LASTS) {
    let joined = samples[--at]!
    for (let more = 1; more < MOST_JOINED && at > 0 && !isEnough(joined); more++) joined = join(samples[--at]!, joined)
    last.unshift(joined)
  }
  return last
}

/** The newest of which there is enough to say something. */
export function newestOf(samples: readonly Sample[]): Sample | undefined {
  return lastOf(samples).at(-1)
}

function isEnough({ inbound, outbound }: Sample): boolean {
  return inbound.expected >= ENOUGH || outbound.expected >= ENOUGH
}

function join(older: Sample, newer: Sample): Sample {
  return {
    milliseconds: older.milliseconds + newer.milliseconds,
    inbound: joinShares(older.inbound, newer.inbound),
    outbound: joinShares(older.outbound, newer.outbound),
    octets: older.octets + newer.octets,
    roundTrip: newer.roundTrip,
  }
}

function joinShares(one: Share, other: Share): Share {
  return { expected: one.expected + other.expected, arrived: one.arrived + other.arrived }
}

/** 0 to 1; 0 where there is too little to say. */
export function lossOf({ expected, arrived }: Share): number {
  return expected < ENOUGH ? 0 : 1 - arrived / expected
}

/** Octets in a second over the samples that made up `isLossy`'s mind. */
export function rateOf(samples: readonly Sample[]): number {
  const last = lastOf(samples)
  const milliseconds = last.reduce((sum, sample) => sum + sample.milliseconds, 0)
  return milliseconds === 0 ? 0 : (1000 * last.reduce((sum, sample) => sum + sample.octets, 0)) / milliseconds
}

/** A stream keeps the tunnel where it carries clearly more than UDP did. */
export function isClearlyMore(rate: number, before: number): boolean {
  return rate > CLEARLY * before
}

const LASTS = 2
/** Of longer ago than that, what was lost says nothing of now. */
const MOST_JOINED = 4
/** Below it a flow inside keeps most of its rate. */
const LOSSY = 0.03
/** Packets; of fewer a single one would be too much of a share. */
const ENOUGH = 100
/** How many samples are ever looked at. */
export const SAMPLES_KEPT: number = LASTS * MOST_JOINED
/** So that what comes and goes by itself decides nothing. */
const CLEARLY = 1.25
