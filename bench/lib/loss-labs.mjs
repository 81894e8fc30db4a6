// Several pairs of ends at once: each has its own link of 50 Mbit/s, which leaves most of a machine idle, and there is much to measure.
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { PROGRESS } from './progress.mjs'

const LAB = fileURLToPath(new URL('loss-lab.mjs', import.meta.url))
/** At once: where the links are full, as without losses, a pair of ends takes two thirds of a core. */
const LABS = Math.max(1, Math.floor(1.5 * availableParallelism()))

/**
 * @template P
 * @param {P[][]} series each is measured by one pair of ends, in its order; the long ones had better be first
 * @param {{ who: (points: P[]) => string[], until: number, onEntry: (point: P, entry: object) => void, onFailure: (points: P[], reason: string) => void }} how
 *   `who`: of the carriers, those that take part; `until`: on the clock of `Date.now`, nothing is begun after it
 */
export async function measureInLabs(series, { who, until, onEntry, onFailure }) {
  const left = [...series]
  const running = new Map()
  const stop = () => {
    left.length = 0
    for (const { lab } of running.values()) lab.kill('SIGTERM')
    void Promise.all([...running.values()].map(({ ended }) => ended)).then(() => process.exit(1))
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)
  while (true) {
    const next = running.size < LABS && Date.now() < until ? left.shift() : undefined
    if (next !== undefined) begin(next)
    else if (running.size > 0) await Promise.race([...running.values()].map(({ ended }) => ended))
    else break
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.removeListener(signal, stop)

  function begin(points) {
    const lab = fork(LAB, [JSON.stringify({ points, who: who(points), until })], { silent: true })
    let failed
    let said = ''
    lab.stdout.resume()
    lab.stderr.setEncoding('utf8').on('data', (text) => {
      for (const line of text.split(/(?<=\n)/))
        if (line.startsWith(PROGRESS)) process.stderr.write(line)
        else said += line
    })
    lab.on('message', (message) => {
      if (message.failed === undefined) onEntry(message.point, message.entry)
      else failed = message.failed
    })
    const ended = new Promise((resolve) => {
      lab.once('close', (code) => {
        running.delete(points)
        const reason = failed ?? (code === 0 ? undefined : said.trim().split('\n')[0] || `ended with ${code}`)
        if (reason !== undefined) onFailure(points, reason)
        resolve()
      })
    })
    running.set(points, { lab, ended })
  }
}
