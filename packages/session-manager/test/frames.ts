/** Frames that a test puts on a stream itself, sealed with the real keys of a node's SAs. */
import { NextHeader } from '@underpass/esp-crypto'
import { ExchangeType, HeaderFlag, type Payload } from '@underpass/ike-codec'
import { frameEsp, frameIke, STREAM_PREFIX } from '@underpass/tcp-framing'
import type { IkeSa } from '../src/ike/ike-sa.ts'
import { sealMessage } from '../src/ike/protection.ts'
import type { FramingProfileName } from '../src/index.ts'
import { type Node, seededRandom } from './network.ts'

/** RFC 9329 §4. */
export const PREFIX: Uint8Array = STREAM_PREFIX

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

/** The next ESP packet of the node's Child SA, framed. The core does not know that it was sent: the Sequence Number is used up. */
export function espFrame(node: Node, inner: Uint8Array, framing: FramingProfileName = 'rfc9329'): Uint8Array {
  return frameEsp(framing, espPacket(node, inner))
}

export function espPacket(node: Node, inner: Uint8Array): Uint8Array {
  const child = [...node.core.sad.values()][0]
  if (!child) throw new Error(`${node.name} has no Child SA`)
  const packet = new Uint8Array(inner.length + child.outbound.overhead(inner.length))
  const written = child.outbound.encapsulate(inner, 0, inner.length, NextHeader.IPV4, packet, 0)
  if (written < 0) throw new Error(`not sealed: ${written}`)
  return packet.subarray(0, written)
}

/** A frame that looks like ESP and belongs to nobody. */
export function strayEspFrame(spi: number, length = 64): Uint8Array {
  const packet = new Uint8Array(length).fill(0xa5)
  packet.set([spi >>> 24, (spi >> 16) & 0xff, (spi >> 8) & 0xff, spi & 0xff, 0, 0, 0, 1].slice(0, length))
  return frameEsp('rfc9329', packet)
}

/** The next request of the node's IKE SA, sealed; the Message ID is used up. */
export function ikeRequest(sa: IkeSa, payloads: readonly Payload[], exchangeType: number = ExchangeType.INFORMATIONAL): Uint8Array {
  return ikeMessage(sa, payloads, { exchangeType, messageId: sa.window.takeMessageId(), isResponse: false })
}

/** Any message of the node's IKE SA, sealed; the core does not know of it. */
export function ikeMessage(
  sa: IkeSa,
  payloads: readonly Payload[],
  { exchangeType, messageId, isResponse }: { exchangeType: number; messageId: number; isResponse: boolean },
): Uint8Array {
  if (!sa.protection) throw new Error('the IKE SA has no keys')
  const { initiatorSpi, responderSpi } = sa
  const flags = (sa.role === 'initiator' ? HeaderFlag.INITIATOR : 0) | (isResponse ? HeaderFlag.RESPONSE : 0)
  return sealMessage(sa.protection, { initiatorSpi, responderSpi, exchangeType, flags, messageId }, payloads, seededRandom('frames'))
}

export function ikeFrame(message: Uint8Array, framing: FramingProfileName = 'rfc9329'): Uint8Array {
  return frameIke(framing, message)
}

/** The octets with the bit of one octet, counted from the end where negative, turned round. */
export function withFlippedBit(octets: Uint8Array, at: number): Uint8Array {
  const flipped = octets.slice()
  const index = at < 0 ? flipped.length + at : at
  flipped[index] = flipped[index]! ^ 1
  return flipped
}
