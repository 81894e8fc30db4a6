/** EAP-AKA's server (RFC 4187), by a home that makes vectors. It remembers pseudonyms and fast re-authentications for the next conversations of its factory. */
import type { EapRandom } from '../../contract.ts'
import { EapError } from '../../eap-error.ts'
import type { EapServerMethod, EapUsers, MethodStep, ServerConversation } from '../../method.ts'
import { constantTimeEqual } from '../../octets.ts'
import { EapCode } from '../../registry.ts'
import { formsOf, nameOfChance, realmOf, usernameOf } from './identity.ts'
import { AKA, AKA_PRIME, type AkaKeys, type AkaVariant, eraseAkaKeys } from './keys.ts'
import { AkaMemory, type Reauthentication } from './memory.ts'
import {
  type AkaAttribute,
  type AkaMessage,
  At,
  autsOf,
  decodeMessage,
  encodeMessage,
  flag,
  has,
  numberOf,
  numbersOf,
  numeric,
  plain,
  resOf,
  Subtype,
  sizedTextOf,
  textual,
} from './message.ts'
import { KDF_PRIMED } from './negotiation.ts'
import { checkcode, checkMac, decrypted, encrypted, packetOf, seal, verifyCheckcode } from './protection.ts'
import { type AkaHome, type AkaVector, milenageHome } from './usim.ts'

export interface AkaServerOptions {
  /** Makes vectors; that of the users' `aka` by MILENAGE where it is not said. */
  readonly home?: AkaHome
  /** Ask in AKA-Identity whatever Response/Identity said, as RFC 4187 §4.1.2.2 advises. */
  readonly asksIdentity?: boolean
  /** Say by a protected notification that it ended well, where the peer does, too (RFC 4187 §6.2). */
  readonly resultIndication?: boolean
  /** How often in a row keys may be made without the card (RFC 4187 §5.1); none where it is not said. */
  readonly reauthentications?: number
}

/** `isPrimePreferred`: EAP-AKA' is offered, too, and rather (RFC 9048 §4). */
export function akaServer(options: AkaServerOptions & { readonly isPrimePreferred?: boolean } = {}): EapServerMethod {
  return factory(AKA, options)
}

/** `networkName`: of the access network (RFC 9048 §3.1). */
export function akaPrimeServer(options: AkaServerOptions & { readonly networkName: string }): EapServerMethod {
  return factory(AKA_PRIME, options)
}

type Options = AkaServerOptions & { readonly isPrimePreferred?: boolean; readonly networkName?: string }

function factory(variant: AkaVariant, options: Options): EapServerMethod {
  const memory = new AkaMemory()
  const homes = new WeakMap<EapUsers, AkaHome>()
  const homeOf = (users: EapUsers): AkaHome => {
    const known = options.home ?? homes.get(users)
    if (known) return known
    const home = milenageHome((identity) => {
      for (const form of formsOf(identity)) if (users.find(form)?.aka) return users.find(form)?.aka
      return undefined
    })
    homes.set(users, home)
    return home
  }
  return { type: variant.type, create: (identity, users, random) => new Server(variant, options, memory, homeOf(users), random, identity) }
}

/** What is waited for. */
type State =
  | { readonly kind: 'identity'; readonly asked: number; readonly request: Uint8Array }
  | { readonly kind: 'challenge'; readonly permanentIdentity: string; readonly vector: AkaVector; readonly isAgain: boolean }
  | { readonly kind: 'reauthentication'; readonly reauth: Reauthentication; readonly nonceS: Uint8Array; readonly msk: Uint8Array }
  | { readonly kind: 'result'; readonly permanentIdentity: string; readonly msk: Uint8Array; readonly counter?: number }
  | { readonly kind: 'failure'; readonly reason: string }

/** Names for the peer, without their realm, and what a re-authentication goes on with. */
interface Pending extends Reauthentication {
  readonly pseudonym: string | undefined
  readonly reauth: string | undefined
}

const ID_REQUESTS = [At.ANY_ID_REQ, At.FULLAUTH_ID_REQ, At.PERMANENT_ID_REQ] as const
const LONGEST_IDENTITY = 253

class Server implements ServerConversation {
  readonly #variant: AkaVariant
  readonly #options: Options
  readonly #memory: AkaMemory
  readonly #home: AkaHome
  readonly #random: EapRandom
  #identity: string
  /** Of the request that goes out next. */
  #identifier = 0
  readonly #packets: Uint8Array[] = []
  #state: State | undefined
  #keys: AkaKeys | undefined
  #msk: Uint8Array | undefined
  /** What was given for the next conversation: kept when this one has ended well, lest strangers drive out others'. */
  #pending: Pending | undefined

  constructor(variant: AkaVariant, options: Options, memory: AkaMemory, home: AkaHome, random: EapRandom, identity: string) {
    this.#variant = variant
    this.#options = options
    this.#memory = memory
    this.#home = home
    this.#random = random
    this.#identity = identity
  }

  begin(identifier: number): MethodStep {
    this.#identifier = identifier
    return this.#options.asksIdentity ? this.#askIdentity(0) : this.#recognize(-1)
  }

  receive(data: Uint8Array, identifier: number): MethodStep {
    this.#identifier = (identifier + 1) & 0xff
    const state = this.#state
    if (!state) return { kind: 'failed', reason: 'nothing was asked' }
    // RFC 4187 §6.3.3: after any answer to a notification of failure.
    if (state.kind === 'failure') return { kind: 'failed', reason: state.reason }
    try {
      const message = decodeMessage(data)
      if (message.subtype === Subtype.CLIENT_ERROR) return { kind: 'failed', reason: 'the peer cannot process what was sent' }
      return this.#answer(state, data, message, identifier)
    } catch (error) {
      if (error instanceof EapError) return this.#refuse(error.message)
      throw error
    }
  }

  close(): void {
    eraseAkaKeys(this.#keys)
    this.#msk?.fill(0)
    this.#dropPending()
    this.#forgetVector()
    if (this.#state?.kind === 'reauthentication') this.#state.msk.fill(0)
  }

  #answer(state: Exclude<State, { kind: 'failure' }>, data: Uint8Array, message: AkaMessage, identifier: number): MethodStep {
    const due = `${state.kind}/${message.subtype}`
    if (state.kind === 'identity' && message.subtype === Subtype.IDENTITY) return this.#hearIdentity(state, data, message, identifier)
    if (state.kind === 'challenge' && message.subtype === Subtype.CHALLENGE) return this.#judge(state, data, message, identifier)
    if (state.kind === 'challenge' && message.subtype === Subtype.SYNCHRONIZATION_FAILURE) return this.#resynchronize(state, message)
    if (state.kind === 'challenge' && message.subtype === Subtype.AUTHENTICATION_REJECT)
      return { kind: 'failed', reason: `the card of ${JSON.stringify(this.#identity)} does not take AUTN` }
    if (state.kind === 'reauthentication' && message.subtype === Subtype.REAUTHENTICATION)
      return this.#judgeReauthentication(state, data, message, identifier)
    if (state.kind === 'result' && message.subtype === Subtype.NOTIFICATION) return this.#judgeResult(state, data, message, identifier)
    throw new EapError(`subtype ${message.subtype} is not what was due (${due})`, 0)
  }

  #askIdentity(asked: number): MethodStep {
    const request = encodeMessage({ subtype: Subtype.IDENTITY, attributes: [flag(ID_REQUESTS[asked]!)] })
    this.#state = { kind: 'identity', asked, request: packetOf(this.#variant, this.#request(), request) }
    return { kind: 'send', data: request }
  }

  #hearIdentity(state: Extract<State, { kind: 'identity' }>, data: Uint8Array, message: AkaMessage, identifier: number): MethodStep {
    this.#identity = sizedTextOf(message, At.IDENTITY)
    if (this.#identity.length > LONGEST_IDENTITY) throw new EapError(`AT_IDENTITY: more than ${LONGEST_IDENTITY} octets`, 0)
    this.#packets.push(state.request, packetOf(this.#variant, { code: EapCode.RESPONSE, identifier }, data))
    return this.#recognize(state.asked)
  }

  /** RFC 4187 §4.1.4: by a fast re-authentication, a pseudonym, or the permanent identity; else the next better one is asked for. */
  #recognize(asked: number): MethodStep {
    const { prefix } = this.#variant
    const username = usernameOf(this.#identity)
    if (username.startsWith(prefix.reauth) && asked < 1) {
      const reauth = this.#memory.takeReauthentication(username)
      return reauth ? this.#reauthenticate(reauth) : this.#askIdentity(1)
    }
    const permanent = username.startsWith(prefix.pseudonym) ? this.#memory.permanentOf(username) : undefined
    const step = this.#challenge(permanent ?? this.#identity, false)
    if (step) return step
    return asked < 2 ? this.#askIdentity(asked < 0 ? 0 : 2) : this.#refuse(`no card is known of ${JSON.stringify(this.#identity)}`)
  }

  /** `undefined`: nobody has that name. */
  #challenge(permanentIdentity: string, isAgain: boolean): MethodStep | undefined {
    const { isPrime } = this.#variant
    const vector = this.#home.vector(permanentIdentity, this.#random(16), isPrime)
    if (!vector) return undefined
    const networkName = this.#options.networkName ?? ''
    this.#forgetVector()
    eraseAkaKeys(this.#keys)
    this.#keys = this.#variant.fullKeys({ identity: this.#identity, ...vector, networkName })
    this.#state = { kind: 'challenge', permanentIdentity, vector, isAgain }
    const attributes = [
      plain(At.RAND, vector.rand),
      plain(At.AUTN, vector.autn),
      ...(isPrime ? [numeric(At.KDF, KDF_PRIMED), textual(At.KDF_INPUT, networkName)] : []),
      ...(this.#options.isPrimePreferred ? [numeric(At.BIDDING, 0x8000)] : []),
      ...this.#common(),
      ...encrypted(this.#keys, this.#random, this.#nextIdentities(permanentIdentity, this.#keys, 1, true)),
    ]
    return this.#seal(Subtype.CHALLENGE, attributes, this.#keys)
  }

  #common(): AkaAttribute[] {
    return [...(this.#options.resultIndication ? [flag(At.RESULT_IND)] : []), checkcode(this.#variant, this.#packets)]
  }

  /** `counter`: of the re-authentication that may come. */
  #nextIdentities(permanentIdentity: string, keys: AkaKeys, counter: number, hasPseudonym: boolean): AkaAttribute[] {
    const { prefix } = this.#variant
    const pseudonym = hasPseudonym ? nameOfChance(prefix.pseudonym, this.#random(16)) : undefined
    const reauth = counter <= (this.#options.reauthentications ?? 0) ? nameOfChance(prefix.reauth, this.#random(16)) : undefined
    const { encr, aut, re, msk } = keys
    const copies = { encr: encr.slice(), aut: aut.slice(), re: re.slice(), msk: new Uint8Array(msk.length) }
    this.#pending = { permanentIdentity, pseudonym, reauth, keys: copies, counter }
    return [
      ...(pseudonym === undefined ? [] : [textual(At.NEXT_PSEUDONYM, pseudonym)]),
      ...(reauth === undefined ? [] : [textual(At.NEXT_REAUTH_ID, reauth + realmOf(permanentIdentity))]),
    ]
  }

  /** RFC 4187 §5.4. */
  #reauthenticate(reauth: Reauthentication): MethodStep {
    const { keys, counter, permanentIdentity } = reauth
    const nonceS = this.#random(16)
    this.#keys = keys
    this.#state = { kind: 'reauthentication', reauth, nonceS, msk: this.#variant.reauthMsk(keys.re, this.#identity, counter, nonceS) }
    const inner = [
      numeric(At.COUNTER, counter),
      plain(At.NONCE_S, nonceS),
      ...this.#nextIdentities(permanentIdentity, keys, counter + 1, false),
    ]
    return this.#seal(Subtype.REAUTHENTICATION, [...this.#common(), ...encrypted(keys, this.#random, inner)], keys)
  }

  #judge(state: Extract<State, { kind: 'challenge' }>, data: Uint8Array, message: AkaMessage, identifier: number): MethodStep {
    if (this.#variant.isPrime && has(message, At.KDF))
      // RFC 9048 §3.2: the one that was offered needs no asking for.
      throw new EapError(`AT_KDF ${numbersOf(message, At.KDF).join(', ')} is asked for, and ${KDF_PRIMED} alone was offered`, 0)
    checkMac(this.#variant, this.#keys!, { code: EapCode.RESPONSE, identifier }, data, message)
    verifyCheckcode(this.#variant, message, this.#packets)
    if (!constantTimeEqual(resOf(message), state.vector.xres)) throw new EapError('AT_RES is not that of the card', 0)
    const msk = this.#keys!.msk.slice()
    return this.#conclude(state.permanentIdentity, msk, message)
  }

  #judgeReauthentication(
    { reauth, nonceS, msk }: Extract<State, { kind: 'reauthentication' }>,
    data: Uint8Array,
    message: AkaMessage,
    identifier: number,
  ): MethodStep {
    const { keys, counter, permanentIdentity } = reauth
    checkMac(this.#variant, keys, { code: EapCode.RESPONSE, identifier }, data, message, nonceS)
    verifyCheckcode(this.#variant, message, this.#packets)
    const nested = decrypted(keys, message)
    if (numberOf(nested, At.COUNTER) !== counter) throw new EapError('AT_COUNTER is another', 0)
    if (has(nested, At.COUNTER_TOO_SMALL)) {
      msk.fill(0)
      this.#dropPending()
      // RFC 4187 §5.5: the whole way, by the card.
      return this.#challenge(permanentIdentity, false) ?? this.#refuse(`no card is known of ${JSON.stringify(permanentIdentity)}`)
    }
    return this.#conclude(permanentIdentity, msk, message, counter)
  }

  #conclude(permanentIdentity: string, msk: Uint8Array, message: AkaMessage, counter?: number): MethodStep {
    this.#msk = msk
    if (!this.#options.resultIndication || !has(message, At.RESULT_IND)) return this.#done(permanentIdentity, msk)
    this.#state = { kind: 'result', permanentIdentity, msk, ...(counter !== undefined && { counter }) }
    return this.#seal(Subtype.NOTIFICATION, [numeric(At.NOTIFICATION, SUCCESS), ...this.#counted(counter)], this.#keys!)
  }

  #judgeResult(
    { permanentIdentity, msk, counter }: Extract<State, { kind: 'result' }>,
    data: Uint8Array,
    message: AkaMessage,
    identifier: number,
  ): MethodStep {
    checkMac(this.#variant, this.#keys!, { code: EapCode.RESPONSE, identifier }, data, message)
    if (counter !== undefined && numberOf(decrypted(this.#keys!, message), At.COUNTER) !== counter)
      throw new EapError('AT_COUNTER is another', 0)
    return this.#done(permanentIdentity, msk)
  }

  #counted(counter: number | undefined): AkaAttribute[] {
    return counter === undefined ? [] : encrypted(this.#keys!, this.#random, [numeric(At.COUNTER, counter)])
  }

  #done(identity: string, msk: Uint8Array): MethodStep {
    if (this.#pending) this.#keep(this.#pending)
    this.#pending = undefined
    return { kind: 'done', msk, identity }
  }

  /** RFC 4187 §6.3.1: once; a card that is out of step twice is another's. */
  #resynchronize({ permanentIdentity, vector, isAgain }: Extract<State, { kind: 'challenge' }>, message: AkaMessage): MethodStep {
    const kdfs = numbersOf(message, At.KDF)
    if (this.#variant.isPrime && (kdfs.length !== 1 || kdfs[0] !== KDF_PRIMED))
      throw new EapError(`AT_KDF ${kdfs.join(', ')} of a synchronization failure, and ${KDF_PRIMED} was sent`, 0)
    if (isAgain || !this.#home.resynchronize(permanentIdentity, vector.rand, autsOf(message)))
      return this.#refuse('the card and its home do not come into step')
    this.#dropPending()
    return this.#challenge(permanentIdentity, true) ?? this.#refuse(`no card is known of ${JSON.stringify(permanentIdentity)}`)
  }

  /** RFC 4187 §6.3.2: a notification, and EAP-Failure behind the answer to it. */
  #refuse(reason: string): MethodStep {
    const state = this.#state
    const isAuthenticated = state?.kind === 'result'
    this.#dropPending()
    this.#state = { kind: 'failure', reason }
    if (!isAuthenticated)
      return {
        kind: 'send',
        data: encodeMessage({ subtype: Subtype.NOTIFICATION, attributes: [numeric(At.NOTIFICATION, GENERAL_FAILURE)] }),
      }
    return this.#seal(Subtype.NOTIFICATION, [numeric(At.NOTIFICATION, GENERAL_FAILURE_AFTER), ...this.#counted(state.counter)], this.#keys!)
  }

  #seal(subtype: number, attributes: readonly AkaAttribute[], keys: AkaKeys): MethodStep {
    return { kind: 'send', data: seal(this.#variant, keys, this.#request(), { subtype, attributes }) }
  }

  #request(): { readonly code: number; readonly identifier: number } {
    return { code: EapCode.REQUEST, identifier: this.#identifier }
  }

  #keep({ pseudonym, reauth, ...next }: Pending): void {
    if (pseudonym !== undefined) this.#memory.keepPseudonym(pseudonym, next.permanentIdentity)
    if (reauth !== undefined) this.#memory.keepReauthentication(reauth, next)
    else eraseAkaKeys(next.keys)
  }

  #dropPending(): void {
    eraseAkaKeys(this.#pending?.keys)
    this.#pending = undefined
  }

  #forgetVector(): void {
    if (this.#state?.kind !== 'challenge') return
    for (const secret of [this.#state.vector.xres, this.#state.vector.ck, this.#state.vector.ik]) secret.fill(0)
  }
}

/** RFC 4187 §10.19. */
const SUCCESS = 0x8000
const GENERAL_FAILURE = 0x4000
const GENERAL_FAILURE_AFTER = 0
