import { concat } from './octets.ts'
import type { Prf } from './prf.ts'

/**
 * InitiatorSignedOctets = RealMessage1 | NonceRData | prf (SK_pi, RestOfInitIDPayload), and mirrored (RFC 7296 §2.15).
 * `realMessage` runs from the IKE header to the end of the last payload: no Non-ESP marker, no TCP Length.
 * `idBody` is the ID payload without its generic header. `intAuth` is appended where IKE_INTERMEDIATE was used (RFC 9242 §3.3).
 */
export function signedOctets(
  prf: Prf,
  realMessage: Uint8Array,
  peerNonce: Uint8Array,
  skp: Uint8Array,
  idBody: Uint8Array,
  intAuth: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return concat(realMessage, peerNonce, prf.compute(skp, idBody), intAuth)
}

/**
 * IntAuth_in or IntAuth_rn of one IKE_INTERMEDIATE message (RFC 9242 §3.3.2): `previous` is that of the exchange before, empty for the first, `skp`
 * SK_pi or SK_pr by which it was protected, `octets` A | P.
 */
export function intermediateAuth(prf: Prf, skp: Uint8Array, previous: Uint8Array, octets: Uint8Array): Uint8Array {
  return prf.compute(skp, previous, octets)
}

/** AUTH = prf (prf (Shared Secret, "Key Pad for IKEv2"), SignedOctets) (RFC 7296 §2.15). The secret has no terminator. */
export function pskAuth(prf: Prf, secret: Uint8Array, octets: Uint8Array): Uint8Array {
  return prf.compute(prf.compute(secret, KEY_PAD), octets)
}

const KEY_PAD: Uint8Array = Uint8Array.from('Key Pad for IKEv2', (character) => character.charCodeAt(0))
