/** EAP's server (RFC 3748 §4, §5): asks who it is, then by the first method, or by one that the peer would rather have (Nak). */
import type { EapMachine, EapRandom, EapStep } from './contract.ts'
import { EapError } from './eap-error.ts'
import type { EapServerMethod, EapUsers, MethodStep, ServerConversation } from './method.ts'
import { textOf } from './octets.ts'
import { encodePacket, tryDecodePacket } from './packet.ts'
import { EapCode, EapType } from './registry.ts'

export interface EapServerOptions {
  /** In the order of preference. */
  readonly methods: readonly EapServerMethod[]
  readonly users: EapUsers
  readonly random: EapRandom
  /** Known already: it is not asked for (RFC 3748 §2). */
  readonly identity?: string
}

export function createEapServer(options: EapServerOptions): EapMachine {
  return new EapServer(options)
}

class EapServer implements EapMachine {
  readonly #options: EapServerOptions
  /** Of the request that is out. */
  #identifier: number
  #identity: string | undefined
  #method: { readonly type: number; readonly machine: ServerConversation } | undefined
  /** It has answered: no Nak any more (RFC 3748 §2.1). */
  #isTaken = false
  #msk: Uint8Array | undefined
  /** EAP-Success or EAP-Failure was said. */
  #isOver = false

  constructor(options: EapServerOptions) {
    this.#options = options
    this.#identifier = options.random(1)[0]!
    this.#identity = options.identity
  }

  start(): EapStep {
    return this.#identity === undefined ? this.#request(EapType.IDENTITY, new Uint8Array(0)) : this.#begin(this.#options.methods)
  }

  receive(octets: Uint8Array): EapStep {
    // Whoever was refused has no second guess.
    if (this.#isOver) return { kind: 'ignore', reason: 'the conversation is over' }
    const packet = tryDecodePacket(octets)
    if (packet instanceof EapError) return { kind: 'ignore', reason: packet.message }
    const { code, identifier, type = 0, data } = packet
    if (code !== EapCode.RESPONSE) return { kind: 'ignore', reason: `code ${code} is not for a server` }
    if (identifier !== this.#identifier) return { kind: 'ignore', reason: `Identifier ${identifier} where ${this.#identifier} was asked` }
    if (this.#identity === undefined) {
      if (type !== EapType.IDENTITY) return { kind: 'ignore', reason: `a response of type ${type} where the identity was asked for` }
      this.#identity = textOf(data)
      return this.#begin(this.#options.methods)
    }
    if (type === EapType.NAK && !this.#isTaken) return this.#choose(data)
    if (type !== this.#method?.type) return { kind: 'ignore', reason: `a response of type ${type} within type ${this.#method?.type}` }
    this.#isTaken = true
    return this.#take(this.#method.machine.receive(data, identifier))
  }

  resume(): EapStep {
    return this.#fail('nothing was asked')
  }

  close(): void {
    this.#method?.machine.close()
    this.#msk?.fill(0)
  }

  /** RFC 3748 §5.3.1. */
  #choose(wanted: Uint8Array): EapStep {
    const others = this.#options.methods.filter(({ type }) => wanted.includes(type) && type !== this.#method?.type)
    const words = wanted.length === 0 || wanted.includes(0) ? 'none' : [...wanted].join(', ')
    return others.length > 0 ? this.#begin(others) : this.#fail(`it wants another method than is offered here: of type ${words}`)
  }

  #begin([first]: readonly EapServerMethod[]): EapStep {
    if (!first) return this.#fail('no method is offered here')
    const { users, random } = this.#options
    this.#method?.machine.close()
    this.#method = { type: first.type, machine: first.create(this.#identity!, users, random) }
    return this.#take(this.#method.machine.begin((this.#identifier + 1) & 0xff))
  }

  #take(step: MethodStep): EapStep {
    const { type } = this.#method!
    switch (step.kind) {
      case 'send':
        this.#identifier = (this.#identifier + 1) & 0xff
        return this.#request(type, step.data)
      case 'done': {
        const packet = this.#final(EapCode.SUCCESS)
        const { msk, identity = this.#identity! } = step
        this.#msk = msk
        return { kind: 'success', packet, ...(msk && { msk }), identity, method: type }
      }
      case 'failed':
        return this.#fail(step.reason)
      default:
        return step
    }
  }

  #request(type: number, data: Uint8Array): EapStep {
    return { kind: 'send', packet: encodePacket({ code: EapCode.REQUEST, identifier: this.#identifier, type, data }) }
  }

  #fail(reason: string): EapStep {
    return { kind: 'failure', packet: this.#final(EapCode.FAILURE), reason }
  }

  /** RFC 3748 §4.2: with the Identifier of the response that it answers. */
  #final(code: number): Uint8Array {
    this.#isOver = true
    return encodePacket({ code, identifier: this.#identifier, data: new Uint8Array(0) })
  }
}
