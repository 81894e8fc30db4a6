/**
 * What one core knows of an identity in its IdentityTable, for all workers together: INITIAL_CONTACT forgets in all of them
 * (RFC 7296 §2.4), and limits.maxIkeSasPerIdentity holds for their sum.
 */
import type { SessionEvent, ShardCommand } from '@underpass/session-manager'

export interface WorkerCommand {
  readonly worker: number
  readonly command: ShardCommand
}

interface Member {
  readonly worker: number
  readonly localSpi: string
}

export class Identities {
  readonly #limit: number
  /** Oldest first. */
  readonly #members = new Map<string, Member[]>()
  /** Our SPIs are unique: each worker's are its own. */
  readonly #identityOf = new Map<string, string>()

  constructor(maxIkeSasPerIdentity: number) {
    this.#limit = maxIkeSasPerIdentity
  }

  /** What the other workers are to do about the event. */
  heed(worker: number, event: SessionEvent): WorkerCommand[] {
    if (event.kind === 'ike-sa-closed' && event.localSpi !== undefined) this.#remove(event.localSpi)
    if (event.kind === 'ike-sa-rekeyed') this.#replace(event)
    if (event.kind !== 'ike-sa-established' || event.localSpi === undefined) return []
    const { eapIdentity } = event
    const identity = `${event.peer} ${eapIdentity === undefined ? event.remoteId : `EAP ${eapIdentity}`}`
    const members = this.#members.get(identity) ?? []
    const others = members.filter((member) => member.worker !== worker)
    this.#members.set(identity, [...members, { worker, localSpi: event.localSpi }])
    this.#identityOf.set(event.localSpi, identity)
    if (event.isInitialContact === true) {
      const { remoteId, path, begunMillisecondsAgo = 0 } = event
      return byWorker(others).map(([at, localSpis]) => ({
        worker: at,
        command: { kind: 'forget', localSpis, identity: eapIdentity ?? remoteId, from: path.remote, begunMillisecondsAgo },
      }))
    }
    // A worker keeps its own number; too many they can only be together.
    if (members.length < this.#limit || others.length === 0) return []
    const [at, localSpis] = byWorker(others)[0]!
    return [{ worker: at, command: { kind: 'make-room', localSpis } }]
  }

  /** Rekeyed it is as old as it was (RFC 7296 §2.8). */
  #replace({ formerLocalSpi, localSpi }: Extract<SessionEvent, { kind: 'ike-sa-rekeyed' }>): void {
    const identity = formerLocalSpi === undefined ? undefined : this.#identityOf.get(formerLocalSpi)
    if (formerLocalSpi === undefined || localSpi === undefined || identity === undefined) return
    const members = this.#members.get(identity)!
    this.#identityOf.delete(formerLocalSpi)
    this.#identityOf.set(localSpi, identity)
    this.#members.set(
      identity,
      members.map((member) => (member.localSpi === formerLocalSpi ? { ...member, localSpi } : member)),
    )
  }

  #remove(localSpi: string): void {
    const identity = this.#identityOf.get(localSpi)
    if (identity === undefined) return
    this.#identityOf.delete(localSpi)
    const left = this.#members.get(identity)!.filter((member) => member.localSpi !== localSpi)
    if (left.length > 0) this.#members.set(identity, left)
    else this.#members.delete(identity)
  }
}

/** In the order of the oldest of each. */
function byWorker(members: readonly Member[]): [number, string[]][] {
  const workers = new Map<number, string[]>()
  for (const { worker, localSpi } of members) workers.set(worker, [...(workers.get(worker) ?? []), localSpi])
  return [...workers]
}
