/** EAP's peer (RFC 3748 §4, §5): says who it is, takes a method that it knows, and believes EAP-Success when the method has ended well. */
import type { EapMachine, EapRandom, EapStep } from './contract.ts'
import { EapError } from './eap-error.ts'
import type { EapPeerMethod, MethodStep, PeerConversation } from './method.ts'
import { utf8 } from './octets.ts'
import { type EapPacket, encodePacket, tryDecodePacket } from './packet.ts'
import { EapCode, EapType } from './registry.ts'

export interface EapPeerOptions {
  /** RFC 3748 §5.1. */
  readonly identity: string
  /** In the order of preference. */
  readonly methods: readonly EapPeerMethod[]
  readonly random: EapRandom
}

export function createEapPeer(options: EapPeerOptions): EapMachine {
  return new EapPeer(options)
}

class EapPeer implements EapMachine {
  readonly #options: EapPeerOptions
  #method: { readonly type: number; readonly machine: PeerConversation } | undefined
  /** Of the request that is in work. */
  #identifier = -1
  /** The last response, for a request that comes again (RFC 3748 §4.1). */
  #last: { readonly identifier: number; readonly packet: Uint8Array } | undefined
  #said: string | undefined
  #outcome: Extract<MethodStep, { kind: 'done' | 'failed' }> | undefined

  constructor(options: EapPeerOptions) {
    this.#options = options
  }

  start(): EapStep {
    return { kind: 'ignore', reason: 'a peer waits to be asked' }
  }

  receive(octets: Uint8Array): EapStep {
    const packet = tryDecodePacket(octets)
    if (packet instanceof EapError) return { kind: 'ignore', reason: packet.message }
    switch (packet.code) {
      case EapCode.REQUEST:
        return this.#answer(packet)
      case EapCode.SUCCESS:
        return this.#succeed()
      case EapCode.FAILURE:
        return { kind: 'failure', reason: this.#outcome?.kind === 'failed' ? this.#outcome.reason : 'the server says EAP-Failure' }
      default:
        return { kind: 'ignore', reason: `code ${packet.code} is not for a peer` }
    }
  }

  resume(): EapStep {
    return { kind: 'failure', reason: 'nothing was asked' }
  }

  close(): void {
    this.#method?.machine.close()
    if (this.#outcome?.kind === 'done') this.#outcome.msk?.fill(0)
  }

  #answer({ identifier, type = 0, data }: EapPacket): EapStep {
    if (this.#last?.identifier === identifier) return { kind: 'send', packet: this.#last.packet }
    this.#identifier = identifier
    if (type === EapType.IDENTITY) return this.#respond(EapType.IDENTITY, utf8(this.#identity()))
    if (type === EapType.NOTIFICATION) return this.#respond(EapType.NOTIFICATION, new Uint8Array(0))
    if (this.#outcome && !(this.#outcome.kind === 'done' && this.#method?.machine.takesNotifications))
      return { kind: 'ignore', reason: 'a request after the method has ended' }
    if (this.#method && this.#method.type !== type)
      return { kind: 'ignore', reason: `a request of type ${type} within type ${this.#method.type}` }
    const method = this.#method ?? this.#begin(type)
    if (!method) return this.#refuse(type)
    this.#method = method
    return this.#take(method.machine.receive(data, identifier))
  }

  #begin(type: number): { type: number; machine: PeerConversation } | undefined {
    const known = this.#options.methods.find((method) => method.type === type)
    return known && { type, machine: known.create(this.#options.random, this.#identity()) }
  }

  /** The first method's own, where it has one. */
  #identity(): string {
    this.#said ??= this.#options.methods[0]?.identity?.() ?? this.#options.identity
    return this.#said
  }

  /** RFC 3748 §5.3: those that would do, or 0; in the form in which was asked. */
  #refuse(type: number): EapStep {
    if (type < EapType.MD5_CHALLENGE) return { kind: 'ignore', reason: `type ${type} is not asked in a request` }
    const wanted = this.#options.methods.map((method) => method.type)
    if (type === EapType.EXPANDED) return this.#respond(EapType.EXPANDED, expandedNak(wanted))
    return this.#respond(EapType.NAK, Uint8Array.from(wanted.length > 0 ? wanted : [0]))
  }

  #take(step: MethodStep): EapStep {
    const type = this.#method!.type
    switch (step.kind) {
      case 'send':
        return this.#respond(type, step.data)
      case 'done':
        this.#outcome = step
        return this.#respond(type, step.data ?? new Uint8Array(0))
      case 'failed':
        this.#outcome = step
        return step.data ? this.#respond(type, step.data) : { kind: 'failure', reason: step.reason }
      default:
        return step
    }
  }

  #respond(type: number, data: Uint8Array): EapStep {
    const packet = encodePacket({ code: EapCode.RESPONSE, identifier: this.#identifier, type, data })
    this.#last = { identifier: this.#identifier, packet }
    return { kind: 'send', packet }
  }

  /** RFC 3748 §4.2: not before the method allows it. */
  #succeed(): EapStep {
    if (this.#outcome?.kind !== 'done') return { kind: 'ignore', reason: 'EAP-Success before the method has ended' }
    const { msk, identity = this.#options.identity } = this.#outcome
    return { kind: 'success', ...(msk && { msk }), identity, method: this.#method!.type }
  }
}

/** RFC 3748 §5.3.2: Vendor-Id 0, the IETF's, and Vendor-Type 3; then each that would do as an Expanded Type, or 0. */
function expandedNak(wanted: readonly number[]): Uint8Array {
  const types = (wanted.length > 0 ? wanted : [0]).flatMap((type) => [EapType.EXPANDED, 0, 0, 0, 0, 0, 0, type])
  return Uint8Array.from([0, 0, 0, 0, 0, 0, EapType.NAK, ...types])
}
