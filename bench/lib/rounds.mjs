// Contenders started, measured and stopped in turn, several rounds of them: a busy moment of the machine falls on some of a contender's
// figures and not on all of them.
import { CONTENDERS } from '../contenders/index.mjs'
import { progress } from './progress.mjs'
import { TwoEnds } from './two-ends.mjs'

/**
 * @template F
 * @param {{ rounds: number, only?: string, takesPart?: (contender: import('../contenders/index.mjs').Contender) => boolean,
 *   among?: import('../contenders/index.mjs').Contender[] }} options `only`: part of a name, in any case
 * @param {(ends: TwoEnds, address: string, contender: import('../contenders/index.mjs').Contender) => Promise<F>} measure
 * @returns {Promise<{ entries: { contender: import('../contenders/index.mjs').Contender, missing?: string, figures: F[] }[], notes: string[] }>}
 *   an entry for each contender that takes part, `missing` where it could not; a round that failed is a note and no figure
 */
export async function rounds({ rounds: count, only, takesPart = () => true, among = CONTENDERS }, measure) {
  const words = only?.toLowerCase().split(',')
  const isWanted = ({ name }) => words === undefined || words.some((word) => name.toLowerCase().includes(word))
  const entries = among
    .filter((one) => takesPart(one) && isWanted(one))
    .map((contender) => ({
      contender,
      missing: contender.isInstalled(),
      figures: [],
    }))
  const notes = []
  const lab = openLab()
  for (let round = 1; round <= count; round++) {
    for (const entry of entries) {
      if (entry.missing !== undefined) continue
      progress(`round ${round} of ${count}: ${entry.contender.name}`)
      try {
        const figures = await lab.in({}, async (ends) => {
          const { address } = await entry.contender.start(ends)
          await ends.controlCongestion()
          return await measure(ends, address, entry.contender)
        })
        entry.figures.push(figures)
      } catch (error) {
        notes.push(`${entry.contender.name}, round ${round}: ${error.message.split('\n')[0]}`)
      }
    }
  }
  for (const entry of entries)
    if (entry.missing === undefined && entry.figures.length === 0) entry.missing = 'installed, but every round failed: see below'
  return { entries, notes }
}

/** One laboratory at a time, closed also when the benchmark is told to end. `how`: what `TwoEnds.open` takes. */
export function openLab() {
  let open
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => void (open?.close() ?? Promise.resolve()).then(() => process.exit(1)))
  return {
    async in(how, work) {
      open = await TwoEnds.open(how)
      try {
        return await work(open)
      } finally {
        const ends = open
        open = undefined
        for (const failure of await ends.close()) console.error(failure)
      }
    },
  }
}

/** Why nothing can be measured between namespaces here, or undefined. */
export function notRoot() {
  return process.getuid?.() === 0 ? undefined : 'Measured as root only: it makes network namespaces and devices.'
}

/** The contenders' versions, for the record. */
export const versionsOf = (entries) =>
  Object.fromEntries(
    entries.flatMap(({ contender, missing }) => (missing || !contender.version ? [] : [[contender.name, contender.version()]])),
  )
