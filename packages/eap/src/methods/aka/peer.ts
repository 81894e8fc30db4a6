/**
 * EAP-AKA's peer (RFC 4187), by a card. It remembers the pseudonym and the fast re-authentication that a server gave it, for the next conversation
 * of the same factory.
 */
import type { EapRandom } from '../../contract.ts'
import { EapError } from '../../eap-error.ts'
import type { EapPeerMethod, MethodStep, PeerConversation } from '../../method.ts'
import { EapCode } from '../../registry.ts'
import { realmOf } from './identity.ts'
import { AKA, AKA_PRIME, type AkaKeys, type AkaVariant, eraseAkaKeys } from './keys.ts'
import {
  type AkaAttribute,
  type AkaMessage,
  At,
  decodeMessage,
  encodeMessage,
  flag,
  has,
  numberOf,
  numbersOf,
  numeric,
  plainOf,
  resAttribute,
  Subtype,
  sizedTextOf,
  textual,
} from './message.ts'
import { isSameNetwork, judgeKdf, NOTIFICATIONS } from './negotiation.ts'
import { checkcode, checkMac, decrypted, encrypted, packetOf, seal, verifyCheckcode } from './protection.ts'
import { SEPARATION, type Usim } from './usim.ts'

export interface AkaPeerOptions {
  /** Permanent: "0" (AKA) or "6" (AKA') and the IMSI, with a realm or without (RFC 4187 §4.1.1.6). */
  readonly identity: string
  readonly usim: Usim
  /** Whether to say the pseudonym and not the permanent identity where there is one; otherwise only when a server asks. `true` where it is not said. */
  readonly isPrivate?: boolean
}

/** `isPrimePreferred`: EAP-AKA' would do, too, and rather: a server that could as well is not believed (RFC 9048 §4). */
export function akaPeer(options: AkaPeerOptions & { readonly isPrimePreferred?: boolean }): EapPeerMethod {
  return factory(AKA, options)
}

/** `networkName`: of the access network, "WLAN" or as TS 24.302 says; any is taken where it is not said (RFC 9048 §3.1). */
export function akaPrimePeer(options: AkaPeerOptions & { readonly networkName?: string }): EapPeerMethod {
  return factory(AKA_PRIME, options)
}

type Options = AkaPeerOptions & { readonly isPrimePreferred?: boolean; readonly networkName?: string }

interface Memory {
  pseudonym?: string
  /** `counter`: the least that is fresh. */
  reauth?: { readonly identity: string; readonly keys: AkaKeys; readonly counter: number }
}

function factory(variant: AkaVariant, options: Options): EapPeerMethod {
  const memory: Memory = {}
  const identity = (): string => memory.reauth?.identity ?? ((options.isPrivate ?? true) ? memory.pseudonym : undefined) ?? options.identity
  return { type: variant.type, identity, create: (random, said) => new Peer(variant, options, memory, random, said) }
}

class Peer implements PeerConversation {
  readonly takesNotifications = true
  readonly #variant: AkaVariant
  readonly #options: Options
  readonly #memory: Memory
  readonly #random: EapRandom
  #identity: string
  /** Round trips of AKA-Identity. */
  readonly #packets: Uint8Array[] = []
  /** The last of AT_*_ID_REQ, which only go from any to permanent (RFC 4187 §4.1.5). */
  #asked = -1
  /** AT_KDF as they have to come, once they have been seen. */
  #kdfs: readonly number[] | undefined
  #keys: AkaKeys | undefined
  #counter: number | undefined
  /** Of an end that waits for the server's result indication. */
  #msk: Uint8Array | undefined
  #isDone = false

  constructor(variant: AkaVariant, options: Options, memory: Memory, random: EapRandom, identity: string) {
    this.#variant = variant
    this.#options = options
    this.#memory = memory
    this.#random = random
    this.#identity = identity
  }

  receive(data: Uint8Array, identifier: number): MethodStep {
    try {
      const message = decodeMessage(data)
      if (this.#isDone && message.subtype !== Subtype.NOTIFICATION)
        return { kind: 'ignore', reason: `subtype ${message.subtype} after the end` }
      switch (message.subtype) {
        case Subtype.IDENTITY:
          return this.#sayIdentity(data, message, identifier)
        case Subtype.CHALLENGE:
          return this.#answerChallenge(data, message, identifier)
        case Subtype.REAUTHENTICATION:
          return this.#reauthenticate(data, message, identifier)
        case Subtype.NOTIFICATION:
          return this.#hear(data, message, identifier)
        default:
          throw new EapError(`subtype ${message.subtype} is not one of a server`, 0)
      }
    } catch (error) {
      if (error instanceof EapError) return this.#clientError(error.message)
      throw error
    }
  }

  close(): void {
    eraseAkaKeys(this.#keys)
    this.#msk?.fill(0)
  }

  #sayIdentity(data: Uint8Array, message: AkaMessage, identifier: number): MethodStep {
    const asked = [At.ANY_ID_REQ, At.FULLAUTH_ID_REQ, At.PERMANENT_ID_REQ].flatMap((type, i) => (has(message, type) ? [i] : []))
    const [which] = asked
    if (asked.length !== 1 || which === undefined) throw new EapError(`${asked.length} identities are asked for, and one is due`, 0)
    if (this.#keys || which <= this.#asked) throw new EapError('an identity is asked for again', 0)
    this.#asked = which
    const { pseudonym, reauth } = this.#memory
    this.#identity = [reauth?.identity ?? pseudonym, pseudonym, undefined][which] ?? this.#options.identity
    const response = encodeMessage({ subtype: Subtype.IDENTITY, attributes: [textual(At.IDENTITY, this.#identity)] })
    this.#packets.push(
      packetOf(this.#variant, { code: EapCode.REQUEST, identifier }, data),
      packetOf(this.#variant, { code: EapCode.RESPONSE, identifier }, response),
    )
    return { kind: 'send', data: response }
  }

  #answerChallenge(data: Uint8Array, message: AkaMessage, identifier: number): MethodStep {
    if (this.#msk) throw new EapError('a challenge after one that was answered', 0)
    const kdfs = numbersOf(message, At.KDF)
    const networkName = this.#variant.isPrime && has(message, At.KDF_INPUT) ? sizedTextOf(message, At.KDF_INPUT) : ''
    if (this.#variant.isPrime) {
      const judgement = judgeKdf(kdfs, this.#kdfs)
      if (judgement.kind === 'reject') return this.#reject(judgement.reason)
      this.#kdfs = judgement.expected
      if (judgement.kind === 'ask') return this.#send(Subtype.CHALLENGE, [numeric(At.KDF, judgement.kdf)])
      if (networkName === '' || !isSameNetwork(networkName, this.#options.networkName))
        return this.#reject(`the network is named ${JSON.stringify(networkName)}, not ${JSON.stringify(this.#options.networkName)}`)
    }
    const rand = plainOf(message, At.RAND, 16)
    const autn = plainOf(message, At.AUTN, 16)
    if (this.#variant.isPrime && (autn[6]! & SEPARATION) === 0) return this.#reject("AUTN is not for AKA': its separation bit is not set")
    const answer = this.#options.usim.authenticate(rand, autn)
    if (answer.kind === 'mac-failure') return this.#reject('AUTN was not made by whoever has the key of the card')
    if (answer.kind === 'synchronization-failure')
      return this.#send(Subtype.SYNCHRONIZATION_FAILURE, [
        { type: At.AUTS, value: answer.auts },
        ...kdfs.map((kdf) => numeric(At.KDF, kdf)),
      ])
    eraseAkaKeys(this.#keys)
    this.#keys = this.#variant.fullKeys({ identity: this.#identity, ck: answer.ck, ik: answer.ik, autn, networkName })
    this.#counter = undefined
    answer.ck.fill(0)
    answer.ik.fill(0)
    return this.#confirmChallenge(data, message, identifier, this.#keys, answer.res)
  }

  #confirmChallenge(data: Uint8Array, message: AkaMessage, identifier: number, keys: AkaKeys, res: Uint8Array): MethodStep {
    checkMac(this.#variant, keys, { code: EapCode.REQUEST, identifier }, data, message)
    verifyCheckcode(this.#variant, message, this.#packets)
    const nested = decrypted(keys, message)
    if (has(message, At.BIDDING) && (numberOf(message, At.BIDDING) & BIDDING_D) !== 0 && this.#options.isPrimePreferred)
      return this.#reject("both ends would rather have EAP-AKA': somebody has taken it out of the choice (RFC 9048 §4)")
    if (has(nested, At.NEXT_PSEUDONYM)) this.#memory.pseudonym = sizedTextOf(nested, At.NEXT_PSEUDONYM) + realmOf(this.#options.identity)
    this.#remember(nested, keys, 1)
    const result = has(message, At.RESULT_IND) ? [flag(At.RESULT_IND)] : []
    const attributes = [resAttribute(res), checkcode(this.#variant, this.#packets), ...result]
    return this.#conclude(
      seal(this.#variant, keys, { code: EapCode.RESPONSE, identifier }, { subtype: Subtype.CHALLENGE, attributes }),
      keys.msk.slice(),
      result.length > 0,
    )
  }

  /** RFC 4187 §5.4. */
  #reauthenticate(data: Uint8Array, message: AkaMessage, identifier: number): MethodStep {
    const { reauth } = this.#memory
    if (this.#msk || !reauth || reauth.identity !== this.#identity)
      throw new EapError('a fast re-authentication, and no identity for one was said', 0)
    const { keys } = reauth
    checkMac(this.#variant, keys, { code: EapCode.REQUEST, identifier }, data, message)
    verifyCheckcode(this.#variant, message, this.#packets)
    const nested = decrypted(keys, message)
    const counter = numberOf(nested, At.COUNTER)
    const nonceS = plainOf(nested, At.NONCE_S, 16)
    const isFresh = counter >= reauth.counter
    const inner = [numeric(At.COUNTER, counter), ...(isFresh ? [] : [flag(At.COUNTER_TOO_SMALL)])]
    const result = isFresh && has(message, At.RESULT_IND) ? [flag(At.RESULT_IND)] : []
    const attributes = [...result, ...encrypted(keys, this.#random, inner), checkcode(this.#variant, this.#packets)]
    const head = { code: EapCode.RESPONSE, identifier }
    const response = seal(this.#variant, keys, head, { subtype: Subtype.REAUTHENTICATION, attributes }, nonceS)
    if (!isFresh) return { kind: 'send', data: response }
    const msk = this.#variant.reauthMsk(keys.re, this.#identity, counter, nonceS)
    // The memory's keys may be overwritten by the next conversation while this one still hears a notification.
    this.#keys = copyOf(keys)
    this.#counter = counter
    this.#remember(nested, keys, counter + 1)
    return this.#conclude(response, msk, result.length > 0)
  }

  #remember(nested: { readonly attributes: readonly AkaAttribute[] }, keys: AkaKeys, counter: number): void {
    const next = has(nested, At.NEXT_REAUTH_ID) ? sizedTextOf(nested, At.NEXT_REAUTH_ID) : undefined
    const before = this.#memory.reauth
    if (next === undefined) delete this.#memory.reauth
    else this.#memory.reauth = { identity: next, keys: before?.keys === keys ? keys : copyOf(keys), counter }
    if (before && before.keys !== this.#memory.reauth?.keys) eraseAkaKeys(before.keys)
  }

  #conclude(data: Uint8Array, msk: Uint8Array, waitsForResult: boolean): MethodStep {
    this.#msk = msk
    if (waitsForResult) return { kind: 'send', data }
    this.#isDone = true
    return { kind: 'done', data, msk, identity: this.#options.identity }
  }

  /** RFC 4187 §6. */
  #hear(data: Uint8Array, message: AkaMessage, identifier: number): MethodStep {
    const code = numberOf(message, At.NOTIFICATION)
    const isBefore = (code & NOTIFICATION_P) !== 0
    const isSuccess = (code & NOTIFICATION_S) !== 0
    if (isBefore && (isSuccess || has(message, At.MAC))) throw new EapError(`notification ${code} is not one for now`, 0)
    const response = isBefore
      ? encodeMessage({ subtype: Subtype.NOTIFICATION, attributes: [] })
      : this.#acknowledge(data, message, identifier)
    if (!isSuccess)
      return { kind: 'failed', data: response, reason: `the server refuses: ${NOTIFICATIONS[code] ?? `notification ${code}`}` }
    this.#isDone = true
    return { kind: 'done', data: response, msk: this.#msk!, identity: this.#options.identity }
  }

  #acknowledge(data: Uint8Array, message: AkaMessage, identifier: number): Uint8Array {
    const keys = this.#keys
    if (!keys || !this.#msk) throw new EapError('a notification of after the authentication, before it', 0)
    checkMac(this.#variant, keys, { code: EapCode.REQUEST, identifier }, data, message)
    const counter = this.#counter
    if (counter !== undefined && numberOf(decrypted(keys, message), At.COUNTER) !== counter)
      throw new EapError('AT_COUNTER is of another re-authentication', 0)
    const attributes = counter === undefined ? [] : encrypted(keys, this.#random, [numeric(At.COUNTER, counter)])
    return seal(this.#variant, keys, { code: EapCode.RESPONSE, identifier }, { subtype: Subtype.NOTIFICATION, attributes })
  }

  #send(subtype: number, attributes: readonly AkaAttribute[]): MethodStep {
    return { kind: 'send', data: encodeMessage({ subtype, attributes }) }
  }

  #reject(reason: string): MethodStep {
    return { kind: 'failed', data: encodeMessage({ subtype: Subtype.AUTHENTICATION_REJECT, attributes: [] }), reason }
  }

  /** "Unable to process packet" (RFC 4187 §6.3.1). */
  #clientError(reason: string): MethodStep {
    const data = encodeMessage({ subtype: Subtype.CLIENT_ERROR, attributes: [numeric(At.CLIENT_ERROR_CODE, 0)] })
    return { kind: 'failed', data, reason: `what the server sent is not to be processed: ${reason}` }
  }
}

function copyOf({ encr, aut, re, msk }: AkaKeys): AkaKeys {
  return { encr: encr.slice(), aut: aut.slice(), re: re.slice(), msk: msk.slice() }
}

const NOTIFICATION_S = 0x8000
const NOTIFICATION_P = 0x4000
const BIDDING_D = 0x8000
