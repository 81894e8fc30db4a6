/**
 * Authenticated IKE SAs by who is at their other end, oldest first: what INITIAL_CONTACT forgets (RFC 7296 §2.4) and what the
 * limit per identity counts are found without a walk over all SAs.
 */
import type { Identity, PeerConfig } from '../config.ts'
import type { IkeSa } from '../ike/ike-sa.ts'
import { hex } from '../octets.ts'

export class IdentityTable {
  readonly #byIdentity = new Map<string, Set<IkeSa>>()
  readonly #keys = new Map<IkeSa, string>()

  /** The SA's peer and identity are known by now. */
  add(sa: IkeSa): void {
    if (!sa.peer || !sa.remoteId) return
    const key = keyOf(sa.peer, sa.remoteId, sa.eapIdentity)
    const sas = this.#byIdentity.get(key)
    if (sas) sas.add(sa)
    else this.#byIdentity.set(key, new Set([sa]))
    this.#keys.set(sa, key)
  }

  remove(sa: IkeSa): void {
    const key = this.#keys.get(sa)
    if (key === undefined) return
    this.#keys.delete(sa)
    const sas = this.#byIdentity.get(key)
    sas?.delete(sa)
    if (sas?.size === 0) this.#byIdentity.delete(key)
  }

  /** The one takes the other's place, as old as it was. */
  replace(old: IkeSa, successor: IkeSa): void {
    const key = this.#keys.get(old)
    if (key === undefined) return
    this.#keys.delete(old)
    this.#keys.set(successor, key)
    const sas = [...(this.#byIdentity.get(key) ?? [])].map((sa) => (sa === old ? successor : sa))
    this.#byIdentity.set(key, new Set(sas))
  }

  /** The SAs of this peer and identity, oldest first: that of EAP where there is one (RFC 7296 §2.16). */
  of(peer: PeerConfig, remoteId: Identity, eapIdentity: string | undefined): IkeSa[] {
    return [...(this.#byIdentity.get(keyOf(peer, remoteId, eapIdentity)) ?? [])]
  }
}

function keyOf(peer: PeerConfig, remoteId: Identity, eapIdentity: string | undefined): string {
  return eapIdentity === undefined ? `${peer.name} ${remoteId.idType} ${hex(remoteId.data)}` : `${peer.name} EAP ${eapIdentity}`
}
