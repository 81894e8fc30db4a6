/** What a server has given out for the next conversation: pseudonyms and fast re-authentications, of one factory, the oldest forgotten first. */
import { usernameOf } from './identity.ts'
import { type AkaKeys, eraseAkaKeys } from './keys.ts'

export interface Reauthentication {
  readonly permanentIdentity: string
  readonly keys: AkaKeys
  /** For the next one (RFC 4187 §5.4). */
  readonly counter: number
}

const MOST = 10_000

export class AkaMemory {
  readonly #pseudonyms = new Map<string, string>()
  readonly #reauths = new Map<string, Reauthentication>()

  permanentOf(pseudonym: string): string | undefined {
    return this.#pseudonyms.get(usernameOf(pseudonym))
  }

  keepPseudonym(username: string, permanentIdentity: string): void {
    forgetOldest(this.#pseudonyms)
    this.#pseudonyms.set(username, permanentIdentity)
  }

  keepReauthentication(username: string, reauth: Reauthentication): void {
    eraseAkaKeys(forgetOldest(this.#reauths)?.keys)
    this.#reauths.set(username, reauth)
  }

  /** It serves once (RFC 4187 §5.3): who takes it overwrites its keys. */
  takeReauthentication(identity: string): Reauthentication | undefined {
    const username = usernameOf(identity)
    const found = this.#reauths.get(username)
    this.#reauths.delete(username)
    return found
  }
}

function forgetOldest<Value>(map: Map<string, Value>): Value | undefined {
  if (map.size < MOST) return undefined
  const [oldest] = map
  map.delete(oldest![0])
  return oldest![1]
}
