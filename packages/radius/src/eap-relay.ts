/** EAP's server, where it is elsewhere (RFC 3579 §2.1): asks who it is, and hands on what both ends say. */
import {
  EapCode,
  EapError,
  type EapMachine,
  type EapRandom,
  type EapStep,
  EapType,
  type EapWorkResult,
  encodePacket,
  tryDecodePacket,
} from '@underpass/eap'
import { textOf } from './octets.ts'

export function createEapRelay(random: EapRandom): EapMachine {
  return new EapRelay(random(1)[0]!)
}

class EapRelay implements EapMachine {
  /** Of the request that is out. */
  #identifier: number
  #identity: string | undefined
  #state: Uint8Array | undefined
  /** Of the last response of a method. */
  #method: number = EapType.IDENTITY
  #msk: Uint8Array | undefined

  constructor(identifier: number) {
    this.#identifier = identifier
  }

  start(): EapStep {
    return { kind: 'send', packet: this.#packet(EapCode.REQUEST, EapType.IDENTITY) }
  }

  receive(packet: Uint8Array): EapStep {
    const decoded = tryDecodePacket(packet)
    if (decoded instanceof EapError) return { kind: 'ignore', reason: decoded.message }
    const { code, identifier, type = 0, data } = decoded
    if (code !== EapCode.RESPONSE) return { kind: 'ignore', reason: `code ${code} is not for a server` }
    if (identifier !== this.#identifier) return { kind: 'ignore', reason: `Identifier ${identifier} where ${this.#identifier} was asked` }
    if (this.#identity === undefined) {
      if (type !== EapType.IDENTITY) return { kind: 'ignore', reason: `a response of type ${type} where the identity was asked for` }
      this.#identity = textOf(data)
    } else if (type !== EapType.NAK && type !== EapType.IDENTITY) this.#method = type
    return {
      kind: 'work',
      work: { kind: 'relay', packet, identity: this.#identity, ...(this.#state && { state: this.#state }) },
    }
  }

  resume(result: EapWorkResult): EapStep {
    if (result.kind === 'failed') return this.#fail(result.detail)
    const { outcome, packet, state, msk, identity, grant } = result
    if (outcome === 'challenge') {
      if (packet[0] !== EapCode.REQUEST) return this.#fail('Access-Challenge holds no EAP-Request')
      this.#identifier = packet[1]!
      this.#state = state
      return { kind: 'send', packet }
    }
    // RFC 3579 §2.6.3: EAP-Success in Access-Reject, or EAP-Failure in Access-Accept, is not to be believed.
    if (outcome === 'reject') return this.#fail('the RADIUS server rejects', packet[0] === EapCode.FAILURE ? packet : undefined)
    if (packet.length > 0 && packet[0] !== EapCode.SUCCESS) return this.#fail('Access-Accept holds no EAP-Success')
    this.#msk = msk
    return {
      kind: 'success',
      packet: packet.length > 0 ? packet : this.#packet(EapCode.SUCCESS),
      ...(msk && { msk }),
      identity: identity ?? this.#identity ?? '',
      method: this.#method,
      ...(grant && { grant }),
    }
  }

  close(): void {
    this.#msk?.fill(0)
  }

  #fail(reason: string, packet = this.#packet(EapCode.FAILURE)): EapStep {
    return { kind: 'failure', packet, reason }
  }

  #packet(code: number, type?: number): Uint8Array {
    return encodePacket({ code, identifier: this.#identifier, ...(type !== undefined && { type }), data: new Uint8Array(0) })
  }
}
