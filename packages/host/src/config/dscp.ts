/** DSCP of the packets outside (RFC 2474), by the names of the registry or as a number. */
import * as z from 'zod'
import { textAs } from './fields.ts'

/** RFC 2474 §4.2.2.2 (CS), RFC 2597 §6 (AF), RFC 3246 §2.7 (EF), RFC 5865 §4 (VA), RFC 8622 §6 (LE). */
const NAMES: ReadonlyMap<string, number> = new Map([
  ['DF', 0],
  ['LE', 1],
  ['VA', 44],
  ['EF', 46],
  ...Array.from({ length: 8 }, (_, i) => [`CS${i}`, 8 * i] as const),
  ...[1, 2, 3, 4].flatMap((group) => [1, 2, 3].map((drop) => [`AF${group}${drop}`, 8 * group + 2 * drop] as const)),
])

const HOW = 'use CS0 to CS7, AF11 to AF43, EF, VA, LE or a number from 0 to 63'

export const dscp: z.ZodType<number> = z.union([
  z
    .int({ error: `is no DSCP; ${HOW}` })
    .min(0)
    .max(63),
  textAs((text) => NAMES.get(text.toUpperCase()), `is no DSCP; ${HOW}`),
])

/** 'EF (46)'. */
export function describeDscp(value: number): string {
  const name = [...NAMES].find(([, number]) => number === value)?.[0]
  return name === undefined ? `${value}` : `${name} (${value})`
}
