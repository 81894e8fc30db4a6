// What is measured at one condition of a lossy link: the link itself, everybody's flow in turn, and where the plan says so the closer look.
import { percentiles } from './arrivals.mjs'
import { describe } from './loss-plan.mjs'
import { MEGABITS } from './lossy-ends.mjs'
import { progress } from './progress.mjs'

/** How far a link may be from what it is to be before it is said: milliseconds, a share, the share of packets that it hands on late. */
const TOLERANCE = { delay: 3, rate: 0.05, late: 0.02 }

/**
 * @param {import('./lossy-ends.mjs').LossyEnds} lossy
 * @param {import('./loss-plan.mjs').Point} point
 * @param {typeof import('./lossy-ends.mjs').CARRIERS} taking
 * @returns {Promise<{ rows: object[], closer: object[], check: object, notes: string[], isWhole: boolean }>} not whole where somebody failed
 */
export async function measured(lossy, point, taking) {
  const { control, roundTrip, pattern, loss, omit, seconds, repeats, closer } = point
  const labels = { control, roundTrip, pattern, loss }
  const link = { roundTrip, pattern, loss: loss / 100 }
  const began = performance.now()
  progress(`${describe(labels)}${repeats > 1 ? `, ${repeats} times` : ''}`)
  const entry = { rows: [], closer: [], notes: [], isWhole: true }
  const failed = (name, error) => {
    entry.isWhole = false
    entry.notes.push(`${name}, ${describe(labels)}: ${error.message.split('\n')[0]}`)
  }
  await lossy.configure({ ...link, seed: 1 })
  entry.check = { ...labels, measured: checked(await lossy.check(link), labels, entry.notes) }
  const figures = new Map(taking.map(({ who }) => [who, []]))
  for (let turn = 0; turn < repeats; turn++)
    for (const carrier of taking) {
      try {
        // The same losses for everybody, counted in packets.
        const once = async () => {
          await lossy.configure({ ...link, seed: 2 + 2 * turn })
          return await lossy.measure(carrier, { seconds, omit, roundTrip })
        }
        // One turn less would be other losses than everybody else's.
        figures.get(carrier.who).push(await once().catch(once))
      } catch (error) {
        failed(carrier.name, error)
      }
    }
  for (const { who, name, group } of taking) {
    const row = { ...labels, who, name, group, seconds, ...combined(figures.get(who)) }
    entry.rows.push(row)
    if (row.late > TOLERANCE.late)
      entry.notes.push(
        `${name}, ${describe(labels)}: the link was late with ${(100 * row.late).toFixed(1)} % of the packets: a busy machine.`,
      )
  }
  if (closer !== undefined)
    for (const carrier of taking) {
      try {
        await lossy.configure({ ...link, seed: 2 })
        const { who, name, group } = carrier
        entry.closer.push({
          ...labels,
          who,
          name,
          group,
          seconds: closer,
          ...compact(await lossy.closer(carrier, { seconds: closer, roundTrip })),
        })
      } catch (error) {
        failed(`${carrier.name}, closer`, error)
      }
    }
  entry.check.took = round((performance.now() - began) / 1000)
  return entry
}

/** What a link does, as UDP saw it; far from what it is to do, it is a note. */
function checked({ loss, delay, megabits }, labels, notes) {
  const late = Math.abs(delay.p50 - labels.roundTrip / 2)
  const slow = Math.abs(megabits / (MEGABITS * (1 - labels.loss / 100)) - 1)
  if (late > TOLERANCE.delay || slow > TOLERANCE.rate)
    notes.push(`The link at ${describe(labels)} took ${round(delay.p50)} ms one way and carried ${round(megabits)} Mbit/s: a busy machine.`)
  return { loss: round(100 * loss), delay: rounded(delay), megabits: round(megabits) }
}

/** Goodput is the mean, which is that of one long run; of percentiles the median over the turns. */
function combined(figures) {
  if (figures.length === 0) return { missing: 'failed' }
  const values = figures.map(({ megabits }) => round(megabits))
  const middle = (pick) => percentiles(figures.map(pick)).p50
  const over = (name) => Object.fromEntries(Object.keys(figures[0][name]).map((key) => [key, middle((one) => one[name][key])]))
  return {
    megabits: round(values.reduce((sum, value) => sum + value, 0) / values.length),
    ...(values.length > 1 ? { values } : {}),
    retransmits: figures.reduce((sum, one) => sum + one.retransmits, 0),
    delay: over('delay'),
    burst: over('burst'),
    probesLost: round(figures.reduce((sum, one) => sum + one.probesLost, 0) / figures.length),
    controls: figures[0].controls,
    late: round(Math.max(...figures.map(({ late }) => late))),
  }
}

/** A connection's samples as columns: seconds, then octets of window, of threshold (-1: none yet), that wait unsent; segments sent again; ms. */
function compact({ connections, delay, ...rest }) {
  const columns = (samples) => ({
    mss: samples.at(-1)?.mss,
    at: samples.map(({ at }) => at),
    cwnd: samples.map(({ cwnd, mss }) => cwnd * mss),
    ssthresh: samples.map(({ ssthresh, mss }) => (ssthresh === undefined ? -1 : ssthresh * mss)),
    notSent: samples.map(({ notSent }) => notSent),
    sent: samples.map(({ sent }) => sent),
    resent: samples.map(({ resent }) => resent),
    rtt: samples.map(({ rtt }) => round(rtt)),
  })
  const named = Object.entries(connections).map(([which, samples]) => [which, columns(samples)])
  return { ...rest, megabits: round(rest.megabits), delay: rounded(delay), connections: Object.fromEntries(named) }
}

const round = (value) => (value === undefined ? undefined : Number(value.toPrecision(4)))

const rounded = (figures) => Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, round(value)]))
