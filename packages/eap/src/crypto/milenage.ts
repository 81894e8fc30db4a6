/** MILENAGE (3GPP TS 35.206): the functions f1 to f5* of authentication and key agreement, over AES-128. */
import { ecb } from '@noble/ciphers/aes.js'
import { EapError } from '../eap-error.ts'
import { concat, xor } from '../octets.ts'

const BLOCK = 16

/** What one subscriber's card and home have alone. */
export interface MilenageKey {
  /** 16 octets. */
  readonly k: Uint8Array
  /** OP enciphered under K, 16 octets. */
  readonly opc: Uint8Array
}

/** OPc of an operator's OP (TS 35.206 §4.1). */
export function opcOf(k: Uint8Array, op: Uint8Array): Uint8Array {
  requireLength('k', k, BLOCK)
  requireLength('op', op, BLOCK)
  return xor(encrypt(k, op), op)
}

/** f1, MAC-A, and f1*, MAC-S: 8 octets each. `sqn`: 6 octets, `amf`: 2. */
export function f1(key: MilenageKey, rand: Uint8Array, sqn: Uint8Array, amf: Uint8Array): { macA: Uint8Array; macS: Uint8Array } {
  const half = concat(sqn, amf)
  const input = rotate(xor(concat(half, half), key.opc), 8)
  const out = xor(encrypt(key.k, xor(temp(key, rand), input)), key.opc)
  return { macA: out.slice(0, 8), macS: out.slice(8) }
}

/** f2, RES (8 octets), f3, CK, f4, IK (16), f5 and f5*, the anonymity keys AK and AK* (6). */
export interface MilenageOutput {
  readonly res: Uint8Array
  readonly ck: Uint8Array
  readonly ik: Uint8Array
  readonly ak: Uint8Array
  readonly akStar: Uint8Array
}

export function f2345(key: MilenageKey, rand: Uint8Array): MilenageOutput {
  const mixed = xor(temp(key, rand), key.opc)
  const out = (octets: number, constant: number): Uint8Array => {
    const input = rotate(mixed, octets)
    input[BLOCK - 1]! ^= constant
    return xor(encrypt(key.k, input), key.opc)
  }
  const out2 = out(0, 1)
  return { res: out2.slice(8), ak: out2.slice(0, 6), ck: out(4, 2), ik: out(8, 4), akStar: out(12, 8).slice(0, 6) }
}

/** @throws EapError where K or OPc is not of 16 octets */
export function checkMilenageKey({ k, opc }: MilenageKey): void {
  requireLength('k', k, BLOCK)
  requireLength('opc', opc, BLOCK)
}

function requireLength(name: string, octets: Uint8Array, length: number): void {
  if (octets.length !== length)
    throw new EapError(`${name}: ${octets.length} octets, and ${length} are needed (TS 35.206 §3)`, octets.length)
}

function temp({ k, opc }: MilenageKey, rand: Uint8Array): Uint8Array {
  return encrypt(k, xor(rand, opc))
}

function encrypt(key: Uint8Array, block: Uint8Array): Uint8Array {
  return ecb(key, { disablePadding: true }).encrypt(block)
}

/** To the left, by whole octets, as all of the standard's rotations are. */
function rotate(block: Uint8Array, octets: number): Uint8Array {
  return concat(block.subarray(octets), block.subarray(0, octets))
}
