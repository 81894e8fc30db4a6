import { setFlagsFromString } from 'node:v8'

/** Octets of bytecode that a function runs between two questions whether it is worth compiling; V8's own is 132 KiB. */
const INTERRUPT_BUDGET = 10_000

const FLAGS = [
  // What packets go through is compiled sooner. By V8's own measure a function is worth it after some thousand packets, which an idle
  // tunnel takes minutes to see, and until then each packet goes through code that is several times as long.
  `--interrupt-budget=${INTERRUPT_BUDGET}`,
  // Hardly anything is alive when the young generation is collected, so that helpers have nothing to do, and all wait for the last of
  // them to get a core: up to 11 ms where every core is busy, and 3 without them.
  '--no-parallel-scavenge',
]

/** Makes V8 fit for packets: for a program, before its work and its threads begin. On Bun, which has no V8, it does nothing. */
export function tuneV8(): void {
  if (process.versions['bun'] !== undefined) return
  for (const flag of FLAGS) setFlagsFromString(flag)
}
