// Rounds of work and their medians. Cases take turns within a round, so that a busy moment of the machine falls on all of them.
// Beside the clock each round reads the CPU time of the process: it hardly moves when others share the cores.

/**
 * @typedef {{ median: number, min: number, max: number, values: number[] }} Spread
 * @typedef {{ work: () => number, begin?: () => void, end?: () => Record<string, number> }} Case `work` does a piece of some 0.1 to
 *   10 ms and answers with how many operations that was; `end` adds figures of its own to the round.
 */

/**
 * @template {Case} C
 * @param {C[]} cases
 * @param {{ rounds: number, milliseconds: number }} options how long each case works in each round
 * @returns {{ case: C, perSecond: Spread, perCpuSecond: Spread, extra: Record<string, Spread> }[]}
 */
export function interleave(cases, { rounds, milliseconds }) {
  for (const each of cases) round(each, milliseconds / 2)
  const results = cases.map(() => [])
  for (let i = 0; i < rounds; i++) for (const [at, each] of cases.entries()) results[at].push(round(each, milliseconds))
  return cases.map((each, at) => ({
    case: each,
    perSecond: spread(results[at].map((one) => one.operations / one.seconds)),
    perCpuSecond: spread(results[at].map((one) => one.operations / one.cpuSeconds)),
    extra: Object.fromEntries(Object.keys(results[at][0].extra).map((key) => [key, spread(results[at].map((one) => one.extra[key]))])),
  }))
}

function round(each, milliseconds) {
  each.begin?.()
  const cpu = process.cpuUsage()
  const started = performance.now()
  const deadline = started + milliseconds
  let operations = 0
  let now = started
  while (now < deadline) {
    operations += each.work()
    now = performance.now()
  }
  const { user, system } = process.cpuUsage(cpu)
  return { operations, seconds: (now - started) / 1e3, cpuSeconds: (user + system) / 1e6, extra: each.end?.() ?? {} }
}

/** @param {number[]} values */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
  return { median: significant(middle), min: significant(sorted[0]), max: significant(sorted.at(-1)), values: values.map(significant) }
}

/** Four digits are more than any of this is good for. */
const significant = (value) => Number(value.toPrecision(4))
