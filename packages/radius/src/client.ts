/**
 * A RADIUS client (RFC 2865 §2.4, §2.5) as a function of its inputs: requests go to the first server that answers, are repeated with waits that
 * double, and are given to the next where nothing comes back. A conversation stays with the server that began it: the State is that one's.
 */
import { type EapAnswer, type EapRequest, readEapAnswer, requestAttributes } from './eap-message.ts'
import { concat } from './octets.ts'
import { decodePacket, type RadiusPacket } from './packet.ts'
import { protectRequest, whyUnauthentic } from './protection.ts'
import { RadiusError } from './radius-error.ts'
import { RadiusCode } from './registry.ts'

export interface RadiusClientOptions {
  /** In the order of preference. */
  readonly servers: readonly RadiusServer[]
  /** Fresh, unpredictable octets. */
  readonly random: (length: number) => Uint8Array
  readonly timers?: Partial<RadiusTimers>
}

export interface RadiusServer {
  readonly secret: Uint8Array
  /** As which NAS it knows us (RFC 2865 §5.32): NAS-Identifier. */
  readonly nasIdentifier: string
}

/** Milliseconds, but for the number. */
export interface RadiusTimers {
  /** Before the first repetition; the waits double. */
  readonly retransmit: number
  /** To one server, before the next is asked. */
  readonly transmissions: number
  /** How long a server that did not answer is asked after the others. */
  readonly dead: number
}

export const DEFAULT_RADIUS_TIMERS: RadiusTimers = { retransmit: 1_000, transmissions: 3, dead: 30_000 }

export type RadiusOutput =
  /** A datagram to the server of that place. */
  | { readonly kind: 'send'; readonly server: number; readonly octets: Uint8Array }
  /** To `ask` of that number. */
  | { readonly kind: 'answer'; readonly question: number; readonly answer: EapAnswer }
  | { readonly kind: 'failed'; readonly question: number; readonly detail: string }
  /** RFC 3579 §3.2: nothing was made of it. For people. */
  | { readonly kind: 'discarded'; readonly server: number; readonly detail: string }
  /** All is drained: `timeout` at `time`, which may be Infinity. */
  | { readonly kind: 'wait-until'; readonly time: number }

interface Question {
  readonly number: number
  readonly request: EapRequest
  /** Still to be asked, after the one that is. */
  readonly others: number[]
}

interface Asked {
  readonly question: Question
  readonly server: number
  readonly identifier: number
  readonly authenticator: Uint8Array
  readonly octets: Uint8Array
  transmissions: number
  dueAt: number
}

/** As many as there are Identifiers (RFC 2865 §3), for each server. */
const MOST_AT_ONCE = 256

export class RadiusClient {
  readonly #options: RadiusClientOptions
  readonly #timers: RadiusTimers
  /** By server, by Identifier. */
  readonly #asked: Map<number, Asked>[]
  readonly #deadUntil: number[]
  readonly #outputs: RadiusOutput[] = []
  #nextQuestion = 1
  readonly #nextIdentifier: number[]

  constructor(options: RadiusClientOptions) {
    this.#options = options
    this.#timers = { ...DEFAULT_RADIUS_TIMERS, ...options.timers }
    this.#asked = options.servers.map(() => new Map())
    this.#deadUntil = options.servers.map(() => Number.NEGATIVE_INFINITY)
    this.#nextIdentifier = options.servers.map(() => options.random(1)[0]!)
  }

  /** Answers its number. `request.state` is as the answer before it had it. */
  ask(request: EapRequest, now: number): number {
    const number = this.#nextQuestion++
    const servers = request.state ? [request.state[0]!] : this.#inOrder(now)
    const [first, ...others] = servers
    if (first === undefined || first >= this.#asked.length) this.#fail(number, 'there is no RADIUS server')
    else this.#send({ number, request: { ...request, state: request.state?.subarray(1) }, others }, first, now)
    return number
  }

  /** A datagram of the server of that place. `lent` is copied: a socket's Buffer, of which `slice` makes no copy, goes no further. */
  receive(server: number, lent: Uint8Array, now: number): void {
    const octets = new Uint8Array(lent)
    const discard = (detail: string): void => void this.#outputs.push({ kind: 'discarded', server, detail })
    let response: RadiusPacket
    try {
      response = decodePacket(octets)
    } catch (error) {
      if (!(error instanceof RadiusError)) throw error
      return discard(error.message)
    }
    const asked = this.#asked[server]?.get(response.identifier)
    if (!asked) return discard(`Identifier ${response.identifier} is of nothing that was asked`)
    const { secret } = this.#options.servers[server]!
    const why = whyUnauthentic(response, asked.authenticator, secret)
    if (why !== undefined) return discard(`${why}: is the shared secret the same at both ends?`)
    const answer = readEapAnswer(response, asked.authenticator, secret)
    if (!answer) return discard(`code ${response.code} is no answer to EAP`)
    this.#asked[server]!.delete(response.identifier)
    this.#deadUntil[server] = now
    this.#outputs.push({ kind: 'answer', question: asked.question.number, answer: withServer(answer, server) })
  }

  timeout(now: number): void {
    for (const asked of this.#asked.flatMap((of) => [...of.values()])) if (asked.dueAt <= now) this.#repeat(asked, now)
  }

  pollOutput(): RadiusOutput {
    const output = this.#outputs.shift()
    if (output) return output
    return {
      kind: 'wait-until',
      time: Math.min(...this.#asked.flatMap((of) => [...of.values()].map(({ dueAt }) => dueAt)), Number.POSITIVE_INFINITY),
    }
  }

  /** Those that answer first. */
  #inOrder(now: number): number[] {
    const isDead = (server: number): boolean => this.#deadUntil[server]! > now
    return [...this.#deadUntil.keys()].toSorted((a, b) => Number(isDead(a)) - Number(isDead(b)))
  }

  #send(question: Question, server: number, now: number): void {
    const of = this.#asked[server]!
    if (of.size >= MOST_AT_ONCE) return this.#fail(question.number, `${MOST_AT_ONCE} requests are waiting for RADIUS server ${server + 1}`)
    let identifier = this.#nextIdentifier[server]!
    while (of.has(identifier)) identifier = (identifier + 1) & 0xff
    this.#nextIdentifier[server] = (identifier + 1) & 0xff
    const authenticator = this.#options.random(16)
    let octets: Uint8Array
    try {
      const { secret, nasIdentifier } = this.#options.servers[server]!
      const attributes = requestAttributes(question.request, nasIdentifier)
      octets = protectRequest({ code: RadiusCode.ACCESS_REQUEST, identifier, authenticator, attributes }, secret)
    } catch (error) {
      if (!(error instanceof RadiusError)) throw error
      return this.#fail(question.number, error.message)
    }
    const asked = { question, server, identifier, authenticator, octets, transmissions: 0, dueAt: 0 }
    of.set(identifier, asked)
    this.#transmit(asked, now)
  }

  /** The same octets each time: RFC 2865 §2.5 has it a duplicate then. */
  #transmit(asked: Asked, now: number): void {
    asked.transmissions++
    asked.dueAt = now + this.#timers.retransmit * 2 ** (asked.transmissions - 1)
    this.#outputs.push({ kind: 'send', server: asked.server, octets: asked.octets })
  }

  #repeat(asked: Asked, now: number): void {
    const { question, server, identifier } = asked
    if (asked.transmissions < this.#timers.transmissions) return this.#transmit(asked, now)
    this.#asked[server]!.delete(identifier)
    this.#deadUntil[server] = now + this.#timers.dead
    const next = question.others.shift()
    if (next !== undefined) return this.#send(question, next, now)
    this.#fail(question.number, `RADIUS server ${server + 1} does not answer`)
  }

  #fail(question: number, detail: string): void {
    this.#outputs.push({ kind: 'failed', question, detail })
  }
}

/** The first octet of what whoever asks has for the State: whose it is. */
function withServer(answer: EapAnswer, server: number): EapAnswer {
  return answer.outcome === 'challenge' ? { ...answer, state: concat(Uint8Array.of(server), answer.state ?? new Uint8Array(0)) } : answer
}
