/**
 * EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2-02, RFC 2759). Both ends show that they have the password's hash; who records one conversation
 * can look for the password at leisure, so only what is inside a server-authenticated tunnel, as IKE is, may carry it.
 *
 *   Challenge  -->  <--  Response     Success (S=…)  -->  <--  Success
 *                                     Failure (E=…)  -->  <--  Failure
 */
import type { EapRandom } from '../contract.ts'
import type { EapPeerMethod, EapServerMethod, EapUsers, MethodStep, PeerConversation, ServerConversation } from '../method.ts'
import { ascii, concat, constantTimeEqual, textOf, upperHex, utf8 } from '../octets.ts'
import { EapType } from '../registry.ts'
import { authenticatorResponse, type Exchange, mskOf, ntPasswordHash, ntResponse } from './mschapv2-crypto.ts'

const OpCode = { CHALLENGE: 1, RESPONSE: 2, SUCCESS: 3, FAILURE: 4 } as const

/** Type-Data: OpCode, MS-CHAPv2-ID, MS-Length of two octets. */
const HEADER = 4
const CHALLENGE_LENGTH = 16
/** Peer-Challenge, 8 octets of zeros, NT-Response, Flags. */
const RESPONSE_LENGTH = 49
const NT_RESPONSE = 24

/** `name`: of the user, with a domain or without. `password`: text. */
export function mschapv2Peer({ name, password }: { readonly name: string; readonly password: string }): EapPeerMethod {
  return { type: EapType.MSCHAPV2, create: (random) => new Peer(name, ntPasswordHash(password), random) }
}

/** `name`: of the server, which the peer is shown. */
export function mschapv2Server({ name }: { readonly name: string }): EapServerMethod {
  return { type: EapType.MSCHAPV2, create: (identity, users, random) => new Server(name, identity, users, random) }
}

class Peer implements PeerConversation {
  readonly #name: string
  readonly #ntHash: Uint8Array
  readonly #random: EapRandom
  #sent: { readonly exchange: Exchange; readonly response: Uint8Array } | undefined

  constructor(name: string, ntHash: Uint8Array, random: EapRandom) {
    this.#name = name
    this.#ntHash = ntHash
    this.#random = random
  }

  receive(data: Uint8Array): MethodStep {
    switch (data[0]) {
      case OpCode.CHALLENGE:
        return this.#respond(data)
      case OpCode.SUCCESS:
        return this.#verify(ascii(data.subarray(HEADER)))
      case OpCode.FAILURE:
        return { kind: 'failed', data: Uint8Array.of(OpCode.FAILURE), reason: wordsOf(ascii(data.subarray(HEADER))) }
      default:
        return { kind: 'ignore', reason: `MSCHAPv2 OpCode ${data[0]}` }
    }
  }

  close(): void {
    this.#ntHash.fill(0)
  }

  #respond(data: Uint8Array): MethodStep {
    if (data[HEADER] !== CHALLENGE_LENGTH || data.length < HEADER + 1 + CHALLENGE_LENGTH)
      return { kind: 'ignore', reason: 'a challenge that is not of 16 octets' }
    const exchange: Exchange = {
      ntHash: this.#ntHash,
      authenticatorChallenge: data.slice(HEADER + 1, HEADER + 1 + CHALLENGE_LENGTH),
      peerChallenge: this.#random(CHALLENGE_LENGTH),
      userName: this.#name,
    }
    const response = ntResponse(exchange)
    this.#sent = { exchange, response }
    const value = concat(Uint8Array.of(RESPONSE_LENGTH), exchange.peerChallenge, new Uint8Array(8), response, Uint8Array.of(0))
    return { kind: 'send', data: message(OpCode.RESPONSE, data[1]!, concat(value, utf8(this.#name))) }
  }

  /** RFC 2759 §5: a server that has not the password is not the one. */
  #verify(text: string): MethodStep {
    if (!this.#sent) return { kind: 'ignore', reason: 'Success before a challenge' }
    const { exchange, response } = this.#sent
    const said = /^S=[0-9A-Fa-f]{40}/.exec(text)?.[0].toUpperCase() ?? ''
    if (!constantTimeEqual(utf8(said), utf8(authenticatorResponse(exchange, response))))
      return { kind: 'failed', reason: 'the server does not show that it has the password (RFC 2759 §5)' }
    return { kind: 'done', data: Uint8Array.of(OpCode.SUCCESS), msk: mskOf(exchange, response) }
  }
}

class Server implements ServerConversation {
  readonly #name: string
  readonly #identity: string
  readonly #users: EapUsers
  readonly #challenge: Uint8Array
  readonly #random: EapRandom
  #identifier = 0
  #outcome:
    | { readonly kind: 'right'; readonly msk: Uint8Array; readonly identity: string }
    | { readonly kind: 'wrong'; readonly why: string }
    | undefined

  constructor(name: string, identity: string, users: EapUsers, random: EapRandom) {
    this.#name = name
    this.#identity = identity
    this.#users = users
    this.#challenge = random(CHALLENGE_LENGTH)
    this.#random = random
  }

  begin(identifier: number): MethodStep {
    this.#identifier = identifier
    const value = concat(Uint8Array.of(CHALLENGE_LENGTH), this.#challenge, utf8(this.#name))
    return { kind: 'send', data: message(OpCode.CHALLENGE, identifier, value) }
  }

  receive(data: Uint8Array): MethodStep {
    const [opCode] = data
    if (!this.#outcome)
      return opCode === OpCode.RESPONSE
        ? this.#judge(data)
        : { kind: 'ignore', reason: `MSCHAPv2 OpCode ${opCode} where a response was due` }
    const { kind } = this.#outcome
    if (kind === 'wrong' && opCode === OpCode.FAILURE) return { kind: 'failed', reason: this.#outcome.why }
    if (kind === 'right' && opCode === OpCode.SUCCESS) return { kind: 'done', msk: this.#outcome.msk, identity: this.#outcome.identity }
    if (kind === 'right' && opCode === OpCode.FAILURE) return { kind: 'failed', reason: 'the peer does not believe us' }
    return { kind: 'ignore', reason: `MSCHAPv2 OpCode ${opCode} after ${kind === 'right' ? 'Success' : 'Failure'}` }
  }

  close(): void {
    if (this.#outcome?.kind === 'right') this.#outcome.msk.fill(0)
  }

  #judge(data: Uint8Array): MethodStep {
    if (data[HEADER] !== RESPONSE_LENGTH || data.length < HEADER + 1 + RESPONSE_LENGTH)
      return { kind: 'ignore', reason: 'a response that is not of 49 octets' }
    const value = data.subarray(HEADER + 1)
    const userName = textOf(value.subarray(RESPONSE_LENGTH))
    const known = this.#hashOf(userName)
    const exchange: Exchange = {
      // As long for who is not known.
      ntHash: known ?? this.#random(16),
      authenticatorChallenge: this.#challenge,
      peerChallenge: value.slice(0, CHALLENGE_LENGTH),
      userName,
    }
    const response = value.slice(NT_RESPONSE, NT_RESPONSE + 24)
    const isRight = constantTimeEqual(response, ntResponse(exchange)) && known !== undefined
    if (isRight) {
      this.#outcome = { kind: 'right', msk: mskOf(exchange, response), identity: userName }
      return this.#say(OpCode.SUCCESS, `${authenticatorResponse(exchange, response)} M=welcome`)
    }
    const who =
      userName === this.#identity ? JSON.stringify(userName) : `${JSON.stringify(userName)}, who came as ${JSON.stringify(this.#identity)}`
    this.#outcome = { kind: 'wrong', why: known ? `the password of ${who} is wrong` : `no user is ${who}` }
    // E=691: which of the two is nobody's business; R=0: not to be tried again here (RFC 2759 §6).
    return this.#say(OpCode.FAILURE, `E=691 R=0 C=${upperHex(this.#random(CHALLENGE_LENGTH))} V=3 M=refused`)
  }

  #hashOf(userName: string): Uint8Array | undefined {
    const user = this.#users.find(userName) ?? this.#users.find(userName.slice(userName.lastIndexOf('\\') + 1))
    return user?.ntHash ?? (user?.password && ntPasswordHash(textOf(user.password)))
  }

  #say(opCode: number, text: string): MethodStep {
    return { kind: 'send', data: message(opCode, this.#identifier, utf8(text)) }
  }
}

function message(opCode: number, identifier: number, value: Uint8Array): Uint8Array {
  const length = HEADER + value.length
  return concat(Uint8Array.of(opCode, identifier, length >> 8, length & 0xff), value)
}

/** RFC 2759 §6. */
const ERRORS: Readonly<Record<string, string>> = {
  '646': 'not at this time of the day',
  '647': 'the account is disabled',
  '648': 'the password has expired, and cannot be changed from here',
  '649': 'no permission to dial in',
  '691': 'the name or the password is wrong',
  '709': 'the password could not be changed',
}

function wordsOf(text: string): string {
  const code = /\bE=(\d+)/.exec(text)?.[1] ?? ''
  return `the server refuses: ${ERRORS[code] ?? (code === '' ? 'without a reason' : `error ${code}`)}`
}
