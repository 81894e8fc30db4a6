/** The sums of MS-CHAP-V2 (RFC 2759 §8) and the keys that come of it (RFC 3079 §3.4). */
import { sha1 } from '@noble/hashes/legacy.js'
import { desEncrypt, keyOfSeven } from '../crypto/des.ts'
import { md4 } from '../crypto/md4.ts'
import { concat, upperHex, utf8 } from '../octets.ts'

const MAGIC1 = utf8('Magic server to client signing constant')
const MAGIC2 = utf8('Pad to make it do more than one iteration')
const MASTER_KEY = utf8('This is the MPPE Master Key')
const CLIENT_SENDS = utf8('On the client side, this is the send key; on the server side, it is the receive key.')
const SERVER_SENDS = utf8('On the client side, this is the receive key; on the server side, it is the send key.')

export interface Exchange {
  /** NtPasswordHash (RFC 2759 §8.3). */
  readonly ntHash: Uint8Array
  readonly peerChallenge: Uint8Array
  readonly authenticatorChallenge: Uint8Array
  /** As the peer has written it, with a domain or without. */
  readonly userName: string
}

/** MD4 of the password in UTF-16LE (RFC 2759 §8.3). `password`: UTF-8 as text. */
export function ntPasswordHash(password: string): Uint8Array {
  const unicode = new Uint8Array(password.length * 2)
  for (let i = 0; i < password.length; i++) unicode.set([password.charCodeAt(i) & 0xff, password.charCodeAt(i) >> 8], 2 * i)
  const hash = md4(unicode)
  unicode.fill(0)
  return hash
}

/** GenerateNTResponse (RFC 2759 §8.1): 24 octets. */
export function ntResponse(exchange: Exchange): Uint8Array {
  const challenge = challengeHash(exchange)
  const key = new Uint8Array(21)
  key.set(exchange.ntHash)
  const parts = [0, 7, 14].map((offset) => desEncrypt(keyOfSeven(key.subarray(offset, offset + 7)), challenge))
  key.fill(0)
  return concat(...parts)
}

/** GenerateAuthenticatorResponse (RFC 2759 §8.7): "S=" and 40 hex digits. */
export function authenticatorResponse(exchange: Exchange, response: Uint8Array): string {
  const digest = sha1(concat(md4(exchange.ntHash), response, MAGIC1))
  return `S=${upperHex(sha1(concat(digest, challengeHash(exchange), MAGIC2)))}`
}

/** 64 octets: what the server receives by, what it sends by (RFC 3079 §3.4), and zeros. */
export function mskOf({ ntHash }: Pick<Exchange, 'ntHash'>, response: Uint8Array): Uint8Array {
  const master = masterKey(ntHash, response)
  const msk = new Uint8Array(64)
  msk.set(startKey(master, CLIENT_SENDS))
  msk.set(startKey(master, SERVER_SENDS), 16)
  master.fill(0)
  return msk
}

/** GetMasterKey (RFC 3079 §3.4). */
export function masterKey(ntHash: Uint8Array, response: Uint8Array): Uint8Array {
  return sha1(concat(md4(ntHash), response, MASTER_KEY)).slice(0, 16)
}

/** ChallengeHash (RFC 2759 §8.2): over the name without its domain. */
function challengeHash({ peerChallenge, authenticatorChallenge, userName }: Exchange): Uint8Array {
  const name = userName.slice(userName.lastIndexOf('\\') + 1)
  return sha1(concat(peerChallenge, authenticatorChallenge, utf8(name))).slice(0, 8)
}

/** GetAsymmetricStartKey (RFC 3079 §3.4), of 128 bits. */
function startKey(master: Uint8Array, magic: Uint8Array): Uint8Array {
  return sha1(concat(master, new Uint8Array(40), magic, new Uint8Array(40).fill(0xf2))).slice(0, 16)
}
