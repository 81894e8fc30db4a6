// What the suite `loss` measures, how long and in which order: the part that must be there first.
import { BURST } from './losses.mjs'

/** Percent of the packets of each direction. */
const LOSSES = [0, 0.1, 0.5, 1, 2, 3, 5]

/** Where plain TCP is slow enough that a few seconds say nothing: measured longer, and several times with other losses. */
const FOCUS = { roundTrip: 40, loss: 3 }

/**
 * `seconds` are counted after `omit` that are not; `repeats`: rounds in which the carriers take turns, each round with its own losses.
 * `closer`: seconds of the run at the focus in which the TCP connections and the packets are watched one by one.
 */
export const FULL = {
  controls: ['cubic', 'bbr'],
  patterns: ['random', 'bursty'],
  losses: LOSSES,
  parts: [
    { part: 'must', roundTrip: 40, omit: 1, repeats: 1 },
    { part: 'rest', roundTrip: 10, omit: 1, repeats: 1 },
    { part: 'rest', roundTrip: 100, omit: 1, repeats: 1 },
  ],
  /** CUBIC's goodput hangs on a few losses more or less, BBR's on when its flow left its start: that is over after some seconds. */
  seconds: { cubic: 20, bbr: 20 },
  focus: { ...FOCUS, omit: 1, seconds: 20, repeats: 3, closer: 10 },
}

export const QUICK = {
  controls: ['cubic'],
  patterns: ['random'],
  losses: [0, 1, 3],
  parts: [{ part: 'must', roundTrip: 40, omit: 1, repeats: 1 }],
  seconds: { cubic: 3 },
  focus: { ...FOCUS, omit: 1, seconds: 5, repeats: 1, closer: 6 },
}

/**
 * @typedef {{ control: string, roundTrip: number, pattern: 'random' | 'bursty', loss: number }} Condition `loss` in percent
 * @typedef {Condition & { part: string, omit: number, seconds: number, repeats: number, closer?: number }} Point
 * @returns {Point[][]} points that one pair of ends can measure one after the other. Losses ascend: what an outer connection has learnt of
 *   a worse link is not a better one's
 */
export function seriesOf({ controls, patterns, losses, parts, seconds, focus }) {
  const series = parts.flatMap((part) =>
    controls.flatMap((control) => patterns.map((pattern) => ({ control, ...part, seconds: seconds[control], pattern }))),
  )
  return series.map((how) =>
    losses
      // Without a loss the pattern is of nothing.
      .filter((loss) => loss > 0 || how.pattern === patterns[0])
      .map((loss) => ({ ...how, loss, ...focused({ ...how, loss }, focus) })),
  )
}

function focused({ roundTrip, loss, pattern }, { closer, ...focus }) {
  if (roundTrip !== focus.roundTrip || loss !== focus.loss) return {}
  return { ...focus, ...(pattern === 'random' ? { closer } : {}) }
}

/**
 * @param {string | undefined} words 'cubic,40ms,3%,random': of each kind of word those that are wanted; a kind without a word is wanted whole
 * @param {string | undefined} part
 * @returns {(point: Point) => boolean}
 * @throws Error where a word is none
 */
export function selection(words, part) {
  const wanted = (words ?? '').split(',').filter((word) => word !== '')
  for (const word of wanted)
    if (!KINDS.some(({ is }) => is.test(word))) throw new Error(`--at: ${word} is no cubic, bbr, 40ms, 3%, random or bursty`)
  return (point) =>
    (part === undefined || point.part === part) &&
    KINDS.every(({ is, of }) => {
      const some = wanted.filter((word) => is.test(word))
      return some.length === 0 || some.includes(of(point)) || (of(point) === 'random' && point.loss === 0)
    })
}

const KINDS = [
  { is: /^(cubic|bbr|reno)$/, of: ({ control }) => control },
  { is: /^[\d.]+ms$/, of: ({ roundTrip }) => `${roundTrip}ms` },
  { is: /^[\d.]+%$/, of: ({ loss }) => `${loss}%` },
  { is: /^(random|bursty)$/, of: ({ pattern }) => pattern },
]

export const describe = ({ control, roundTrip, pattern, loss }) => `${control}, ${roundTrip} ms, ${loss} %${loss > 0 ? ` ${pattern}` : ''}`

/** Two points of the same key are measured alike. */
export const keyOf = ({ omit, seconds, repeats, closer, ...labels }) =>
  JSON.stringify([describe(labels), omit, seconds, repeats, closer ?? 0, BURST])
