/** A card and the home that knows it (3GPP TS 33.102 §6.3), by MILENAGE. Either may be put in another's place: a reader's card, an operator's HSS. */
import { checkMilenageKey, f1, f2345, type MilenageKey } from '../../crypto/milenage.ts'
import { concat, constantTimeEqual, xor } from '../../octets.ts'
import { usernameOf } from './identity.ts'
import { nextSqn, SqnWindow, sqnOctets, sqnOf } from './sqn.ts'

/** What EAP-AKA's peer needs of a card: AUTHENTICATE of TS 31.102 §7.1.2, in the 3G context. */
export interface Usim {
  /** `rand`, `autn`: 16 octets, lent. */
  authenticate(rand: Uint8Array, autn: Uint8Array): UsimAnswer
}

export type UsimAnswer =
  /** `res`: 4 to 16 octets. `ck`, `ik`: 16. */
  | { readonly kind: 'authenticated'; readonly res: Uint8Array; readonly ck: Uint8Array; readonly ik: Uint8Array }
  /** The number is not fresh. `auts`: 14 octets. */
  | { readonly kind: 'synchronization-failure'; readonly auts: Uint8Array }
  /** Whoever made it has not K. */
  | { readonly kind: 'mac-failure' }

/** One authentication (TS 33.102 §6.3.2). */
export interface AkaVector {
  readonly rand: Uint8Array
  readonly autn: Uint8Array
  readonly xres: Uint8Array
  readonly ck: Uint8Array
  readonly ik: Uint8Array
}

/** What EAP-AKA's server needs of a home. */
export interface AkaHome {
  /** `rand`: 16 fresh octets. `separation`: AMF's separation bit is to be set (RFC 9048 §3.3). `undefined`: nobody of that name. */
  vector(permanentIdentity: string, rand: Uint8Array, separation: boolean): AkaVector | undefined
  /** After a synchronization failure. `false`: AUTS is not the card's. */
  resynchronize(permanentIdentity: string, rand: Uint8Array, auts: Uint8Array): boolean
}

/** `sqn`: the highest number that this card has seen; it keeps the others from then on. @throws EapError where K or OPc is not of 16 octets */
export function milenageUsim({ sqn, ...key }: MilenageKey & { readonly sqn?: bigint }): Usim {
  checkMilenageKey(key)
  const window = new SqnWindow(sqn)
  return {
    authenticate(rand, autn) {
      const { ak, akStar, ...keys } = f2345(key, rand)
      const theirs = xor(autn.subarray(0, 6), ak)
      const { macA } = f1(key, rand, theirs, autn.subarray(6, 8))
      if (!constantTimeEqual(macA, autn.subarray(8))) return { kind: 'mac-failure' }
      if (window.accept(sqnOf(theirs))) return { kind: 'authenticated', ...keys }
      const ours = sqnOctets(window.highest)
      return { kind: 'synchronization-failure', auts: concat(xor(ours, akStar), f1(key, rand, ours, RESYNCHRONIZATION_AMF).macS) }
    },
  }
}

/** A subscriber, as the home has it. */
export interface AkaSubscriber extends MilenageKey {
  /** Authentication Management Field, 2 octets; zeros where it is not said. */
  readonly amf?: Uint8Array
  /** The number that was given out last; zero where it is not said: then the card's is taken when it says so. */
  readonly sqn?: bigint
}

/** A home that keeps numbers as long as it lives. `find`: by permanent identity, with or without its realm and leading digit. */
export function milenageHome(find: (permanentIdentity: string) => AkaSubscriber | undefined): AkaHome {
  const numbers = new Map<string, bigint>()
  return {
    vector(identity, rand, separation) {
      const subscriber = find(identity)
      if (!subscriber) return undefined
      checkMilenageKey(subscriber)
      const sqn = nextSqn(numbers.get(usernameOf(identity)) ?? subscriber.sqn ?? 0n)
      numbers.set(usernameOf(identity), sqn)
      const amf = Uint8Array.from(subscriber.amf ?? [0, 0])
      amf[0] = separation ? amf[0]! | SEPARATION : amf[0]! & ~SEPARATION
      const { res: xres, ck, ik, ak } = f2345(subscriber, rand)
      const { macA } = f1(subscriber, rand, sqnOctets(sqn), amf)
      return { rand, autn: concat(xor(sqnOctets(sqn), ak), amf, macA), xres, ck, ik }
    },
    resynchronize(identity, rand, auts) {
      const subscriber = find(identity)
      if (!subscriber) return false
      const ours = xor(auts.subarray(0, 6), f2345(subscriber, rand).akStar)
      if (!constantTimeEqual(f1(subscriber, rand, ours, RESYNCHRONIZATION_AMF).macS, auts.subarray(6))) return false
      numbers.set(usernameOf(identity), sqnOf(ours))
      return true
    },
  }
}

/** AMF*, of zeros (TS 33.102 §6.3.3). */
const RESYNCHRONIZATION_AMF = new Uint8Array(2)
/** AMF's first bit: the vector is for an EPS, or for AKA' (TS 33.102 Annex H). */
export const SEPARATION = 0x80
