/**
 * Post-quantum preshared keys in IKE_AUTH (RFC 8784): both ends have a PPK beside what they authenticate with, and mix it into SK_d, SK_pi and
 * SK_pr, so that who breaks the key exchange later still has not the keys of the Child SAs.
 *
 *   HDR, SAi1, KEi, Ni, N(USE_PPK)  -->
 *                                  <--  HDR, SAr1, KEr, Nr, N(USE_PPK)
 *   HDR, SK {IDi, AUTH, SAi2, TSi, TSr, N(PPK_IDENTITY, PPK_ID), [N(NO_PPK_AUTH)]}  -->
 *                                  <--  HDR, SK {IDr, AUTH, SAr2, TSi, TSr, N(PPK_IDENTITY)}
 */
import { NotifyType, notify, type Payload, type PayloadOf, PpkIdType } from '@underpass/ike-codec'
import { concat, type IkeKeys, mixPpk } from '@underpass/ike-crypto'
import type { LocalAuthentication, PeerConfig, Ppk } from '../config.ts'
import { equal } from '../octets.ts'
import { SessionError } from '../session-error.ts'
import { makeAuth } from './authentication.ts'
import type { EapProof, IkeSa, InitRecord } from './ike-sa.ts'
import { findNotify } from './payload-queries.ts'
import type { Protection } from './protection.ts'
import type { Step } from './step.ts'

/** What an initiator announces that has a PPK for this peer, and a responder where the `request` did and any of `peers` has one. */
export function ppkSupport(peers: readonly PeerConfig[], request?: readonly Payload[]): Payload[] {
  const isWanted = request === undefined || announcesPpk(request)
  return isWanted && peers.some(({ ppk }) => ppk !== undefined) ? [notify(NotifyType.USE_PPK)] : []
}

export function announcesPpk(payloads: readonly Payload[]): boolean {
  return findNotify(payloads, NotifyType.USE_PPK) !== undefined
}

/** The initiator's AUTH, and what goes with it: with the PPK, and where that may be done without, without it, too. */
export function makeAuthWithPpk(
  sa: IkeSa,
  record: InitRecord,
  peer: PeerConfig,
  send: (auth: PayloadOf<'AUTH'> | undefined, why: string, more: readonly Payload[]) => Step,
  local: LocalAuthentication | EapProof = peer.auth.local,
): Step {
  const { ppk } = peer
  if (!sa.usesPpk || !ppk) return makeAuth(sa, record, peer, [], (auth, why) => send(auth, why, []), local)
  const mixed = (more: readonly Payload[]): Step => ({
    effects: [{ kind: 'keys', protection: mix(sa, ppk) }],
    next: () =>
      makeAuth(sa, record, peer, [], (auth, why) => send(auth, why, [notify(NotifyType.PPK_IDENTITY, ppkId(ppk)), ...more]), local),
  })
  if (ppk.isRequired) return mixed([])
  const unmixed = (auth: PayloadOf<'AUTH'> | undefined, why: string): Step =>
    auth ? mixed([notify(NotifyType.NO_PPK_AUTH, auth.data)]) : send(auth, why, [])
  return makeAuth(sa, record, peer, [], unmixed, local)
}

/** The initiator, on the answer: goes on with the keys that the responder has taken, `undefined` where it did without a PPK that is required. */
export function settlePpk(sa: IkeSa, peer: PeerConfig, inner: readonly Payload[], goOn: () => Step): Step | undefined {
  if (!sa.withoutPpk || findNotify(inner, NotifyType.PPK_IDENTITY)) return goOn()
  if (peer.ppk?.isRequired) return undefined
  return { effects: [{ kind: 'keys', protection: withKeys(sa, sa.withoutPpk) }], next: goOn }
}

/** What a responder makes of an IKE_AUTH request (RFC 8784 §3, table 1). No candidates: it is refused. */
export interface PpkChoice {
  readonly candidates: readonly PeerConfig[]
  readonly auth: PayloadOf<'AUTH'>
  /** `undefined`: none is used. */
  readonly ppk: Ppk | undefined
}

export function choosePpk(sa: IkeSa, candidates: readonly PeerConfig[], inner: readonly Payload[], auth: PayloadOf<'AUTH'>): PpkChoice {
  const optional = candidates.filter(({ ppk }) => !ppk?.isRequired)
  if (!sa.usesPpk) return { candidates: optional, auth, ppk: undefined }
  const identity = findNotify(inner, NotifyType.PPK_IDENTITY)
  if (!identity) return { candidates: [], auth, ppk: undefined }
  const ppk = candidates.map((candidate) => candidate.ppk).find((one) => one && equal(ppkId(one), identity.data))
  if (ppk) return { candidates: candidates.filter((candidate) => candidate.ppk && isSamePpk(candidate.ppk, ppk)), auth, ppk }
  const withoutPpk = findNotify(inner, NotifyType.NO_PPK_AUTH)
  return { candidates: withoutPpk ? optional : [], auth: withoutPpk ? { ...auth, data: withoutPpk.data } : auth, ppk: undefined }
}

/** The responder takes the PPK that is chosen, and goes on. */
export function takePpk(sa: IkeSa, ppk: Ppk | undefined, goOn: () => Step): Step {
  return ppk ? { effects: [{ kind: 'keys', protection: mix(sa, ppk) }], next: goOn } : goOn()
}

/** In the answer: empty, for that it is used. */
export function ppkTaken(sa: IkeSa): Payload[] {
  return sa.withoutPpk ? [notify(NotifyType.PPK_IDENTITY)] : []
}

/** Remembers what the keys were. */
function mix(sa: IkeSa, { key }: Ppk): Protection {
  const { prf, keys } = protectionOf(sa)
  const { skd, skpi, skpr } = keys
  sa.withoutPpk = { skd: skd.slice(), skpi: skpi.slice(), skpr: skpr.slice() }
  return withKeys(sa, { skd: mixPpk(prf, key, skd), skpi: mixPpk(prf, key, skpi), skpr: mixPpk(prf, key, skpr) })
}

/** The same protection of messages, which goes on counting; nothing is shared with what is erased. */
function withKeys(sa: IkeSa, changed: Pick<IkeKeys, 'skd' | 'skpi' | 'skpr'>): Protection {
  const protection = protectionOf(sa)
  const { skai, skar, skei, sker } = protection.keys
  return { ...protection, keys: { ...changed, skai: skai.slice(), skar: skar.slice(), skei: skei.slice(), sker: sker.slice() } }
}

function ppkId({ id }: Ppk): Uint8Array {
  return concat(Uint8Array.of(PpkIdType.PPK_ID_FIXED), id)
}

function isSamePpk(a: Ppk, b: Ppk): boolean {
  return equal(a.id, b.id) && equal(a.key, b.key)
}

function protectionOf({ protection }: IkeSa): Protection {
  if (!protection) throw new SessionError('INVARIANT', 'bug', 'a PPK before there are keys')
  return protection
}
