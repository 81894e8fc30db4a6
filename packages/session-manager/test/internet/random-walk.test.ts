import { describe, expect, it } from 'vitest'
import { Walk } from './walk.ts'

/** More than ten thousand transitions together. A seed of the environment is walked alone. */
const ASKED = process.env.UNDERPASS_WALK_SEED
const SEEDS = ASKED === undefined ? ['two', 'four', 'five', 'six', 'seven'] : [ASKED]
const TRANSITIONS = Number(process.env.UNDERPASS_WALK_TRANSITIONS ?? 2_200)

describe('a random walk through bad networks', () => {
  it.each(SEEDS)(
    'RFC 9329 §5.1, §6.1, RFC 4555: the session is up where a way is open, packets come once and unchanged, nothing leaks (seed %s)',
    (seed) => {
      const walk = new Walk(seed)
      try {
        walk.go(TRANSITIONS)
      } catch (error) {
        throw new Error(`seed ${seed}, transition ${walk.transitions}: ${(error as Error).message}\n${walk.report()}`, { cause: error })
      }
      expect(walk.checks).toBeGreaterThan(0)
    },
    120_000,
  )
})
