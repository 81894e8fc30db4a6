/** Slow cryptography: a job goes out to the port, and whatever becomes of it comes back as one input. */
import type { CryptoResult, CryptoWork, Input } from '../contract.ts'
import type { DriverPorts } from './ports.ts'

export function startCryptoJob(ports: Pick<DriverPorts, 'crypto'>, job: number, work: CryptoWork, hand: (input: Input) => void): void {
  const done = (result: CryptoResult): void => hand({ kind: 'crypto-result', job, result })
  const failed = (error: unknown): void => done({ kind: 'failed', detail: error instanceof Error ? error.message : String(error) })
  try {
    const result = ports.crypto(work)
    if (result instanceof Promise) result.then(done, failed)
    else done(result)
  } catch (error) {
    failed(error)
  }
}
