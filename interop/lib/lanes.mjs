// Scenarios beside each other, each a process of its own: what one does to its process, its folder or its namespaces is no other's business.
import { spawn } from 'node:child_process'

/**
 * Runs `run.mjs` for each name. What one of them says is printed in one piece when it is over.
 *
 * @param {{ name: string, isAlone?: boolean, seconds?: number }[]} scenarios `isAlone`: it measures times, and nothing else is to run meanwhile;
 *   `seconds`: its limit, of one that needs longer than the others: it begins first
 * @param {{ lanes: number, argv: string[] }} options `argv`: what a scenario's name and --json come behind
 * @returns {{ results: Promise<object[]>, interrupt(signal: NodeJS.Signals): Promise<void> }} results in the order of the names
 */
export function inLanes(scenarios, { lanes, argv }) {
  const running = new Set()
  const results = new Map()
  let isInterrupted = false

  const perform = async ({ name }) => {
    if (isInterrupted) return
    const child = spawn(process.execPath, [...argv, name, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise((resolve) => child.once('close', resolve))
    running.add({ child, ended })
    const said = []
    child.stdout.setEncoding('utf8').on('data', (text) => said.push(text))
    await ended
    const lines = said.join('').trimEnd().split('\n')
    const result = resultOf(lines.at(-1))
    // The last are the ones of a run of many.
    const facts = result === undefined ? lines : lines.filter((line) => /^(== | {3})/.test(line))
    console.log(facts.join('\n'))
    results.set(name, result ?? { name, ok: false, evidence: lines, seconds: 0, error: `ended with ${child.exitCode ?? child.signalCode}` })
  }

  const lane = async (queue) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await perform(next)
  }

  const all = async () => {
    const beside = scenarios.filter(({ isAlone }) => !isAlone).sort((one, other) => (other.seconds ?? 0) - (one.seconds ?? 0))
    await Promise.all(Array.from({ length: lanes }, () => lane(beside)))
    await lane(scenarios.filter(({ isAlone }) => isAlone))
    return scenarios.flatMap(({ name }) => results.get(name) ?? [])
  }

  return {
    results: all(),
    async interrupt(signal) {
      isInterrupted = true
      for (const { child } of running) child.kill(signal)
      await Promise.all([...running].map(({ ended }) => ended))
    },
  }
}

function resultOf(line) {
  try {
    return JSON.parse(line).scenarios[0]
  } catch {
    return undefined
  }
}
