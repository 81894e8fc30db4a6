/** A Pair with somebody in the middle: messages can be lost, changed, or said by a peer that has the keys and breaks the rules. */
import {
  CodecError,
  decodeHeader,
  decodeMessage,
  ExchangeType,
  encodeEncryptedEnvelope,
  encodeMessage,
  encodePayloads,
  HeaderFlag,
  type IkeHeader,
  type Payload,
} from '@underpass/ike-codec'
import { Deframer, frameIke, STREAM_PREFIX } from '@underpass/tcp-framing'
import { type Content, openFragment, openMessage, type Protection, sealMessage } from '../src/ike/protection.ts'
import type { Endpoint, Input, TransportOption } from '../src/index.ts'
import { type Node, seededRandom } from './network.ts'
import { Pair } from './pair.ts'

export interface InTransit {
  readonly to: Node
  readonly header: IkeHeader
  readonly octets: Uint8Array
}

/** What arrives in a message's place; `undefined` lets it pass as it is. */
export type Meddle = (message: InTransit) => readonly Uint8Array[] | undefined

export class MeddledPair extends Pair {
  meddle: Meddle = () => undefined

  override input(node: Node, input: Input): void {
    if (input.kind === 'datagram' && input.message === 'ike') {
      const instead = this.#instead(node, input.bytes)
      if (instead) {
        for (const bytes of instead) super.input(node, { ...input, bytes })
        return
      }
    } else if (input.kind === 'connection-bytes') {
      const instead = this.#insteadOfStream(node, input.bytes)
      if (instead) {
        for (const bytes of instead) super.input(node, { ...input, bytes })
        return
      }
    }
    super.input(node, input)
  }

  /** Past the meddler. */
  deliver(node: Node, input: Input): void {
    super.input(node, input)
  }

  other(node: Node): Node {
    return node === this.client ? this.gateway : this.client
  }

  /** Octets of an IKE message come to `to` by the path that its IKE SA uses, or from a stranger. */
  deliverIke(
    to: Node,
    octets: Uint8Array,
    from: { transport: 'udp' | 'tcp'; remote?: Endpoint } = { transport: this.saOf(to).transport },
  ): void {
    if (from.transport === 'tcp') {
      const pipe = this.pipes.find((candidate) => candidate.isOpen)
      if (!pipe) throw new Error('no connection is open')
      const connection = pipe.originator === to ? pipe.originatorId : pipe.responderId
      this.deliver(to, { kind: 'connection-bytes', connection, bytes: frameIke('rfc9329', octets) })
      return
    }
    const remote = from.remote ?? { address: this.other(to).address, port: 4500 }
    this.deliver(to, { kind: 'datagram', local: { address: to.address, port: 4500 }, remote, message: 'ike', bytes: octets.slice() })
  }

  /** A message with good protection, as `from` itself would have sent it, but with any content. */
  forge(from: Node, exchangeType: number, payloads: readonly Payload[], options: ForgeOptions = {}): Uint8Array {
    return this.forgeRaw(from, exchangeType, encodePayloads(payloads), options)
  }

  /** Likewise with octets in the place of payloads. */
  forgeRaw(from: Node, exchangeType: number, inner: { firstPayload: number; bytes: Uint8Array }, options: ForgeOptions = {}): Uint8Array {
    const sa = this.saOf(from)
    const isResponse = options.isResponse ?? false
    const header = {
      initiatorSpi: sa.initiatorSpi,
      responderSpi: sa.responderSpi,
      exchangeType,
      flags: (sa.role === 'initiator' ? HeaderFlag.INITIATOR : 0) | (isResponse ? HeaderFlag.RESPONSE : 0) | (options.reservedFlags ?? 0),
      messageId: options.messageId ?? nextRequestOf(this, from),
    }
    return sealRaw(sa.protection!, header, inner, options.padding)
  }

  /** `from` sends a request of its own making and stays in step with it. Answers the Message ID. */
  sayAs(from: Node, exchangeType: number, payloads: readonly Payload[]): number {
    const messageId = this.saOf(from).window.takeMessageId()
    this.deliverIke(this.other(from), this.forge(from, exchangeType, payloads, { messageId }))
    return messageId
  }

  /** The payloads inside the SK of the last message that `from` put on the wire. */
  lastInner(from: Node): readonly Payload[] {
    const entry = this.log.findLast((candidate) => candidate.from === from)
    if (!entry) throw new Error(`${from.name} sent nothing`)
    return this.openAny(entry.octets)
  }

  openAny(octets: Uint8Array): readonly Payload[] {
    const protection = this.keysOf(decodeHeader(octets))
    const opened = openMessage(protection, octets, decodeMessage(octets))
    if (opened.kind !== 'authenticated') throw new Error(`the message is ${opened.kind}`)
    return opened.message.inner
  }

  /** What a message holds, in one SK or in fragments. */
  contentOf(...messages: readonly Uint8Array[]): Content {
    const chunks = messages.map((octets) => {
      const message = decodeMessage(octets)
      const protection = this.keysOf(message.header)
      const opened = openMessage(protection, octets, message)
      if (opened.kind === 'authenticated') return opened.message.content.bytes
      const chunk = openFragment(protection, octets, message)
      if (!chunk) throw new Error('the message is unauthentic')
      return chunk
    })
    const last = decodeMessage(messages[0]!).payloads.at(-1)
    if (last?.type !== 'SK' && last?.type !== 'SKF') throw new Error('the message is not encrypted')
    return { firstPayload: last.firstPayload, bytes: Uint8Array.from(chunks.flatMap((chunk) => [...chunk])) }
  }

  /** Those of whom the message is for: the sender of a response may have the next already. */
  keysOf(header: IkeHeader): Protection {
    const receiver = (header.flags & HeaderFlag.INITIATOR) === 0 ? 'initiator' : 'responder'
    const sas = this.nodes.flatMap((node) => [...node.core.ikeSas.values()]).filter((sa) => sa.initiatorSpi === header.initiatorSpi)
    for (const { protection } of [...sas.filter(({ role }) => role === receiver), ...sas]) if (protection) return protection
    throw new Error('nobody has the keys')
  }

  /** Changes the payloads inside a protected message; it stays authentic. */
  resealed({ octets, header }: InTransit, change: (inner: readonly Payload[]) => readonly Payload[]): Uint8Array {
    const protection = this.keysOf(header)
    const forged = { ...protection, sealed: protection.sealed + 1_000_000 }
    return sealMessage(forged, header, change(this.openAny(octets)), seededRandom('meddler'))
  }

  #instead(node: Node, octets: Uint8Array): readonly Uint8Array[] | undefined {
    try {
      return this.meddle({ to: node, header: decodeHeader(octets), octets })
    } catch (error) {
      // What is not even a header passes.
      if (error instanceof CodecError) return undefined
      throw error
    }
  }

  #insteadOfStream(node: Node, bytes: Uint8Array): Uint8Array[] | undefined {
    const hasPrefix = bytes[0] === STREAM_PREFIX[0] && bytes[1] === STREAM_PREFIX[1]
    const deframer = new Deframer('rfc9329', { role: hasPrefix ? 'responder' : 'originator' })
    deframer.push(bytes)
    if (deframer.next() !== 'ike') return undefined
    const instead = this.#instead(node, deframer.buffer.slice(deframer.offset, deframer.offset + deframer.length))
    return instead?.map((octets, index) => frameIke('rfc9329', octets, { prefix: hasPrefix && index === 0 }))
  }
}

export interface ForgeOptions {
  readonly isResponse?: boolean
  readonly messageId?: number
  /** Bits of the header's flags that mean nothing. */
  readonly reservedFlags?: number
  /** Octets of padding; it must fit the cipher's blocks. */
  readonly padding?: number
}

/** Seals octets as they are, with as much padding as is asked for and with a Pad Length that may lie. */
export function sealRaw(
  protection: Protection,
  header: Parameters<typeof encodeEncryptedEnvelope>[0],
  inner: { readonly firstPayload: number; readonly bytes: Uint8Array },
  padding?: number,
  padLength?: number,
): Uint8Array {
  const { cipher, keys } = protection
  const block = Math.max(1, cipher.blockLength)
  const pad = padding ?? (block - ((inner.bytes.length + 1) % block)) % block
  const plaintext = new Uint8Array(inner.bytes.length + pad + 1).fill(0xa5)
  plaintext.set(inner.bytes)
  plaintext[plaintext.length - 1] = padLength ?? pad
  const bodyLength = cipher.ivLength + plaintext.length + cipher.icvLength
  const envelope = encodeEncryptedEnvelope(header, [], { firstPayload: inner.firstPayload, bodyLength })
  forgeries++
  const iv = new Uint8Array(cipher.ivLength)
  iv.set([0xee, (forgeries >> 24) & 0xff, (forgeries >> 16) & 0xff, (forgeries >> 8) & 0xff, forgeries & 0xff])
  const isInitiator = (header.flags & HeaderFlag.INITIATOR) !== 0
  const sealed = cipher.seal(
    { encryption: isInitiator ? keys.skei : keys.sker, integrity: isInitiator ? keys.skai : keys.skar },
    iv,
    envelope.bytes.subarray(0, envelope.bodyOffset),
    plaintext,
  )
  envelope.bytes.set(iv, envelope.bodyOffset)
  envelope.bytes.set(sealed, envelope.bodyOffset + cipher.ivLength)
  return envelope.bytes
}

let forgeries = 0

/** The Message ID of the next new request that `from`'s peer expects. */
export function nextRequestOf(pair: MeddledPair, from: Node): number {
  const { window } = pair.saOf(pair.other(from))
  for (let id = 0; id < 1000; id++) if (window.placeOf(id) === 'new') return id
  throw new Error('no Message ID is expected')
}

export function isIkeSaInit(message: InTransit, kind: 'request' | 'response'): boolean {
  return message.header.exchangeType === ExchangeType.IKE_SA_INIT && isResponse(message.header) === (kind === 'response')
}

export function isIkeAuth(message: InTransit, kind: 'request' | 'response'): boolean {
  return message.header.exchangeType === ExchangeType.IKE_AUTH && isResponse(message.header) === (kind === 'response')
}

export function isResponse(header: IkeHeader): boolean {
  return (header.flags & HeaderFlag.RESPONSE) !== 0
}

/** A message in the clear with other payloads. */
export function rewritten({ octets }: { octets: Uint8Array }, change: (payloads: readonly Payload[]) => readonly Payload[]): Uint8Array {
  const message = decodeMessage(octets)
  return encodeMessage({ header: message.header, payloads: change(message.payloads) })
}

/** Replaces the payloads of one type. */
export function replacing<Type extends Payload['type']>(
  type: Type,
  change: (payload: Extract<Payload, { type: Type }>) => Payload | undefined,
): (payloads: readonly Payload[]) => Payload[] {
  return (payloads) =>
    payloads.flatMap((payload) => (payload.type === type ? (change(payload as Extract<Payload, { type: Type }>) ?? []) : [payload]))
}

/** A pair whose tunnel is up. */
export function upPair(transport: TransportOption): MeddledPair {
  const pair = new MeddledPair({ transports: [transport] })
  pair.connect()
  return pair
}

/** Whether nothing was put on the wire. */
export function isSilent(pair: MeddledPair, act: () => void): boolean {
  const before = pair.log.length
  act()
  return pair.log.length === before
}
