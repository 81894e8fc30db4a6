/**
 * A certificate and its key in files that somebody renews. They are looked at again and again rather than watched: whichever of the files,
 * of the links to them and of the folders above was renamed or replaced, what is read in the end is what counts.
 */
import { statSync } from 'node:fs'
import { type CertificatePair, certificateProblem } from '@underpass/tls-transport'
import type { CertificateFiles } from '../config/gateway-tls.ts'
import { readSmallFile } from '../config/pem-file.ts'
import { reasonOf } from '../host-error.ts'

export interface CertificateWatchHandlers {
  /** They changed, and fit. What it throws is a problem like any other, and the pair is offered again. */
  onPair(pair: CertificatePair): void
  /** They changed, and are of no use. Once for each change, and only of what has lasted from one look to the next: two files cannot be replaced at once. */
  onProblem(problem: string): void
}

export interface CertificateWatch {
  /** What it does by itself every few seconds. */
  look(): void
  close(): void
}

const INTERVAL = 2_000

/** `inUse`: what was read at the start. */
export function watchCertificate(
  files: CertificateFiles,
  inUse: CertificatePair,
  { onPair, onProblem }: CertificateWatchHandlers,
  interval: number = INTERVAL,
): CertificateWatch {
  let pair: CertificatePair = { cert: inUse.cert, key: inUse.key }
  /** Of the files as they were when they were read last. */
  let read: string | undefined
  /** What was wrong at the last look, and was not told yet. */
  let doubt: string | undefined
  let told: string | undefined

  const doubtful = (problem: string): void => {
    if (problem === told) return
    if (problem !== doubt) {
      doubt = problem
      return
    }
    told = problem
    onProblem(problem)
  }
  const look = (): void => {
    let seen: string
    try {
      seen = stateOf(files)
    } catch (error) {
      return doubtful(reasonOf(error))
    }
    // Read again for as long as there is a doubt: what was written within one tick of the clock looks the same.
    if (seen === read && doubt === undefined) return
    let found: CertificatePair
    try {
      found = { cert: readSmallFile(files.cert), key: readSmallFile(files.key) }
    } catch (error) {
      return doubtful(reasonOf(error))
    }
    read = seen
    if (found.cert === pair.cert && found.key === pair.key) {
      doubt = undefined
      told = undefined
      return
    }
    const problem = certificateProblem(found)
    if (problem !== undefined) return doubtful(problem.reason)
    try {
      onPair(found)
    } catch (error) {
      // Tried again at the next look: a doubt has the files read again.
      return doubtful(reasonOf(error))
    }
    doubt = undefined
    told = undefined
    pair = found
  }
  const timer = setInterval(look, interval)
  timer.unref()
  return { look, close: () => clearInterval(timer) }
}

/** Through links, so that it is another when one of them leads elsewhere. */
function stateOf({ cert, key }: CertificateFiles): string {
  return [cert, key]
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false })
      return stat === undefined ? 'none' : `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`
    })
    .join('; ')
}
