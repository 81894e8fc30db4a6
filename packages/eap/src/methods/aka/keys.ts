/** Keys of EAP-AKA (RFC 4187 §7) and EAP-AKA' (RFC 9048 §3.3, §3.4). A row is a variant; nothing below the table asks which it is. */
import { hmac } from '@noble/hashes/hmac.js'
import { sha1 } from '@noble/hashes/legacy.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { fips186Prf } from '../../crypto/fips186.ts'
import { concat, utf8 } from '../../octets.ts'
import { EapType } from '../../registry.ts'

/** EMSK is not made: nothing here uses it. */
export interface AkaKeys {
  readonly encr: Uint8Array
  readonly aut: Uint8Array
  /** What fast re-authentication goes on with: MK, of AKA' K_re. */
  readonly re: Uint8Array
  readonly msk: Uint8Array
}

export interface KeyInput {
  /** The last that the peer has sent (RFC 4187 §7). */
  readonly identity: string
  readonly ck: Uint8Array
  readonly ik: Uint8Array
  readonly autn: Uint8Array
  /** Of AKA' alone. */
  readonly networkName: string
}

export interface AkaVariant {
  readonly type: number
  readonly name: string
  readonly isPrime: boolean
  /** Of usernames that are permanent, pseudonyms, and for fast re-authentication (RFC 4187 §4.1.1.3, RFC 9048 §5.1). */
  readonly prefix: { readonly permanent: string; readonly pseudonym: string; readonly reauth: string }
  hash(data: Uint8Array): Uint8Array
  /** 16 octets. */
  mac(key: Uint8Array, data: Uint8Array): Uint8Array
  fullKeys(input: KeyInput): AkaKeys
  /** MSK of 64 octets (RFC 4187 §7, RFC 9048 §3.3). */
  reauthMsk(re: Uint8Array, identity: string, counter: number, nonceS: Uint8Array): Uint8Array
}

export const AKA: AkaVariant = {
  type: EapType.AKA,
  name: 'EAP-AKA',
  isPrime: false,
  prefix: { permanent: '0', pseudonym: '2', reauth: '4' },
  hash: sha1,
  mac: (key, data) => hmac(sha1, key, data).slice(0, 16),
  fullKeys({ identity, ck, ik }) {
    const re = sha1(concat(utf8(identity), ik, ck))
    return { ...cut(fips186Prf(re, 96), [16, 16, 64], ['encr', 'aut', 'msk']), re }
  },
  reauthMsk: (re, identity, counter, nonceS) => fips186Prf(sha1(concat(utf8(identity), u16(counter), nonceS, re)), 64),
}

export const AKA_PRIME: AkaVariant = {
  type: EapType.AKA_PRIME,
  name: "EAP-AKA'",
  isPrime: true,
  prefix: { permanent: '6', pseudonym: '7', reauth: '8' },
  hash: sha256,
  mac: (key, data) => hmac(sha256, key, data).slice(0, 16),
  fullKeys({ identity, ck, ik, autn, networkName }) {
    const primed = primedKeys(ck, ik, autn.subarray(0, 6), networkName)
    const mk = prfPrime(concat(primed.ik, primed.ck), concat(utf8("EAP-AKA'"), utf8(identity)), 144)
    primed.ck.fill(0)
    primed.ik.fill(0)
    return cut(mk, [16, 32, 32, 64], ['encr', 'aut', 're', 'msk'])
  },
  reauthMsk: (re, identity, counter, nonceS) => prfPrime(re, concat(utf8("EAP-AKA' re-auth"), utf8(identity), u16(counter), nonceS), 64),
}

/** CK' and IK' (RFC 9048 §3.3, TS 33.402 Annex A.2). `sqnXorAk`: the first 6 octets of AUTN. */
export function primedKeys(
  ck: Uint8Array,
  ik: Uint8Array,
  sqnXorAk: Uint8Array,
  networkName: string,
): { readonly ck: Uint8Array; readonly ik: Uint8Array } {
  const name = utf8(networkName)
  const s = concat(Uint8Array.of(0x20), name, u16(name.length), sqnXorAk, u16(sqnXorAk.length))
  const key = concat(ck, ik)
  return cut(hmac(sha256, key, s), [16, 16], ['ck', 'ik'])
}

/** PRF' (RFC 9048 §3.4.1). */
function prfPrime(key: Uint8Array, s: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(Math.ceil(length / 32) * 32)
  let previous: Uint8Array = new Uint8Array(0)
  for (let i = 0; 32 * i < length; i++) {
    previous = hmac(sha256, key, concat(previous, s, Uint8Array.of(i + 1)))
    out.set(previous, 32 * i)
  }
  return out.slice(0, length)
}

/** Copies, one after the other; what they are cut of is overwritten. */
function cut<Name extends string>(whole: Uint8Array, lengths: readonly number[], names: readonly Name[]): Record<Name, Uint8Array> {
  let offset = 0
  const parts = names.map((name, i) => {
    offset += lengths[i]!
    return [name, whole.slice(offset - lengths[i]!, offset)] as const
  })
  whole.fill(0)
  return Object.fromEntries(parts) as Record<Name, Uint8Array>
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}

export function eraseAkaKeys(keys: AkaKeys | undefined): void {
  for (const key of Object.values(keys ?? {})) key.fill(0)
}
