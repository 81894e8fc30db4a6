/** EAP's server, where it is elsewhere (RFC 3579 §2.1): asks who it is, and hands on what both ends say. */
import type { EapMachine, EapStep, EapWorkResult } from '@underpass/eap'
import { textOf } from './octets.ts'

/** RFC 3748 §4, §5. */
const REQUEST = 1
const RESPONSE = 2
const SUCCESS = 3
const FAILURE = 4
const IDENTITY = 1
const NAK = 3

/** `random`: fresh, unpredictable octets. */
export function createEapRelay(random: (length: number) => Uint8Array): EapMachine {
  return new EapRelay(random(1)[0]!)
}

class EapRelay implements EapMachine {
  /** Of the request that is out. */
  #identifier: number
  #identity: string | undefined
  #state: Uint8Array | undefined
  /** Of the last response of a method. */
  #method = IDENTITY
  #msk: Uint8Array | undefined

  constructor(identifier: number) {
    this.#identifier = identifier
  }

  start(): EapStep {
    return { kind: 'send', packet: Uint8Array.of(REQUEST, this.#identifier, 0, 5, IDENTITY) }
  }

  receive(packet: Uint8Array): EapStep {
    const [code, identifier, , , type = 0] = packet
    if (code !== RESPONSE || packet.length < 5) return { kind: 'ignore', reason: 'no EAP-Response' }
    if (identifier !== this.#identifier) return { kind: 'ignore', reason: `Identifier ${identifier} where ${this.#identifier} was asked` }
    if (this.#identity === undefined) {
      if (type !== IDENTITY) return { kind: 'ignore', reason: `a response of type ${type} where the identity was asked for` }
      this.#identity = textOf(packet.subarray(5))
    } else if (type !== NAK && type !== IDENTITY) this.#method = type
    return {
      kind: 'work',
      work: { kind: 'relay', packet, identity: this.#identity, ...(this.#state && { state: this.#state }) },
    }
  }

  resume(result: EapWorkResult): EapStep {
    if (result.kind === 'failed') return this.#fail(result.detail)
    if (result.kind !== 'relay') return this.#fail(`the work came to ${result.kind}`)
    const { outcome, packet, state, msk, identity, grant } = result
    if (outcome === 'challenge') {
      if (packet[0] !== REQUEST) return this.#fail('Access-Challenge holds no EAP-Request')
      this.#identifier = packet[1]!
      this.#state = state
      return { kind: 'send', packet }
    }
    // RFC 3579 §2.6.3: EAP-Success in Access-Reject, or EAP-Failure in Access-Accept, is not to be believed.
    if (outcome === 'reject') return this.#fail('the RADIUS server rejects', packet[0] === FAILURE ? packet : undefined)
    if (packet.length > 0 && packet[0] !== SUCCESS) return this.#fail('Access-Accept holds no EAP-Success')
    this.#msk = msk
    return {
      kind: 'success',
      packet: packet.length > 0 ? packet : Uint8Array.of(SUCCESS, this.#identifier, 0, 4),
      ...(msk && { msk }),
      identity: identity ?? this.#identity ?? '',
      method: this.#method,
      ...(grant && { grant }),
    }
  }

  close(): void {
    this.#msk?.fill(0)
  }

  #fail(reason: string, packet: Uint8Array = Uint8Array.of(FAILURE, this.#identifier, 0, 4)): EapStep {
    return { kind: 'failure', packet, reason }
  }
}
