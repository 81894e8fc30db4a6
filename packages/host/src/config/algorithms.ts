/** The lists `ike` and `esp`: suites, and the sets of them that have names. */
import {
  type AlgorithmRow,
  DEFAULT_ESP_SUITES,
  DEFAULT_IKE_SUITES,
  describeRow,
  type EspSuite,
  type IkeSuite,
  LEGACY_ESP_SUITES,
  LEGACY_IKE_SUITES,
  type PeerConfig,
  parseEspSuite,
  parseIkeSuite,
  rowsBrokenByEsp,
  rowsBrokenByIke,
} from '@underpass/session-manager'
import * as z from 'zod'
import { reasonOf } from '../host-error.ts'
import type { Findings } from './load.ts'
import type { KeyPath } from './toml-locator.ts'

interface SuiteKind<T> {
  readonly parse: (text: string) => T
  readonly rowsBrokenBy: (suite: T) => readonly AlgorithmRow[]
  /** By what a list calls them. */
  readonly sets: Readonly<Record<string, readonly string[]>>
}

export const ikeSuites: z.ZodType<readonly IkeSuite[], string[]> = suites({
  parse: parseIkeSuite,
  rowsBrokenBy: rowsBrokenByIke,
  sets: { default: DEFAULT_IKE_SUITES, legacy: LEGACY_IKE_SUITES },
})

export const espSuites: z.ZodType<readonly EspSuite[], string[]> = suites({
  parse: parseEspSuite,
  rowsBrokenBy: rowsBrokenByEsp,
  sets: { default: DEFAULT_ESP_SUITES, legacy: LEGACY_ESP_SUITES },
})

/** Which rows of RFC 8247 and RFC 8221 the algorithms at `path` break; they were asked for by name. */
export function warnOfAlgorithms(
  path: KeyPath,
  { ikeProposals, espProposals }: Pick<PeerConfig, 'ikeProposals' | 'espProposals'>,
  findings: Findings,
): void {
  const broken = { ike: ikeProposals.flatMap(rowsBrokenByIke), esp: espProposals.flatMap(rowsBrokenByEsp) }
  for (const [key, rows] of Object.entries(broken))
    if (rows.length > 0) findings.warn([...path, key], `${wordsOf(rows)}; for peers that can do nothing else`)
}

function suites<T>({ parse, rowsBrokenBy, sets }: SuiteKind<T>): z.ZodType<readonly T[], string[]> {
  return z
    .array(z.string())
    .min(1)
    .transform((words, context) => {
      const found: T[] = []
      const isLegacy = words.some((word) => word.trim().toLowerCase() === 'legacy')
      for (const [i, word] of words.entries()) {
        const refuse = (message: string): void => context.addIssue({ code: 'custom', path: [i], message })
        try {
          const members = (sets[word.trim().toLowerCase()] ?? [word]).map(parse)
          const broken = isLegacy ? [] : members.flatMap(rowsBrokenBy)
          if (broken.length > 0) refuse(`${JSON.stringify(word)}: ${wordsOf(broken)}; put "legacy" into the list to allow it`)
          found.push(...members)
        } catch (error) {
          refuse(reasonOf(error))
        }
      }
      return found
    })
}

function wordsOf(rows: readonly AlgorithmRow[]): string {
  return [...new Set(rows.map(describeRow))].join(', ')
}
