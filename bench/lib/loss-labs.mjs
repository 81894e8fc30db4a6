// Several pairs of ends at once: each has its own link of 50 Mbit/s, which leaves most of a machine idle, and there is much to measure.
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { PROGRESS } from './progress.mjs'

const LAB = fileURLToPath(new URL('loss-lab.mjs', import.meta.url))
/** For each core: what a pair of ends takes at 50 Mbit/s is about a third of one. */
const LABS = Math.max(1, Math.min(4, Math.floor(1.5 * availableParallelism())))

/**
 * @template P
 * @param {P[][]} series each is measured by one pair of ends, in its order; the long ones had better be first
 * @param {{ who: (points: P[]) => string[], until: number, onEntry: (point: P, entry: object) => void, onFailure: (points: P[], reason: string) => void }} how
 *   `who`: of the carriers, those that take part; `until`: on the clock of `Date.now`, nothing is begun after it
 */
export async function measureInLabs(series, { who, until, onEntry, onFailure }) {
  const running = new Set()
  const stop = () => void Promise.all([...running].map(ended)).then(() => process.exit(1))
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)
  const left = [...series]
  const work = async () => {
    for (let points = left.shift(); points !== undefined && Date.now() < until; points = left.shift()) {
      const reason = await inLab(points, who(points))
      if (reason !== undefined) onFailure(points, reason)
    }
  }
  await Promise.all(Array.from({ length: LABS }, work))
  for (const signal of ['SIGINT', 'SIGTERM']) process.removeListener(signal, stop)

  function inLab(points, takingPart) {
    const lab = fork(LAB, [JSON.stringify({ points, who: takingPart, until })], { silent: true })
    running.add(lab)
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
    return new Promise((resolve) => {
      lab.once('close', (code) => {
        running.delete(lab)
        resolve(failed ?? (code === 0 ? undefined : said.trim().split('\n')[0] || `ended with ${code}`))
      })
    })
  }
}

function ended(lab) {
  return new Promise((resolve) => {
    lab.once('close', resolve)
    lab.kill('SIGTERM')
  })
}
