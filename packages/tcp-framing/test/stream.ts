// What the tests share: messages, framing by hand (not by the code under test), and a deframer run to its end.
import { Deframer, type DeframerOptions, type FramingProfileName } from '../src/index.ts'

export interface Message {
  readonly kind: 'ike' | 'esp' | 'corrupt'
  readonly bytes: Uint8Array
}

export interface Outcome {
  readonly messages: Message[]
  readonly end: 'need-more' | 'fatal'
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replaceAll(/\s/g, '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join('')
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** An ESP packet with this SPI and sequence number; the rest is a pattern. */
export function espPacket(length: number, spi = 0x01020304, sequence = 1): Uint8Array {
  const packet = Uint8Array.from({ length }, (_, i) => (i * 7 + 3) & 0xff)
  const view = new DataView(packet.buffer)
  if (length >= 4) view.setUint32(0, spi)
  if (length >= 8) view.setUint32(4, sequence)
  return packet
}

/** An IKE header with these SPIs and a correct Length, and a body of a pattern. */
export function ikeMessage(length = 28, initiator = 0xc0c1c2c3c4c5c6c7n, responder = 0xd0d1d2d3d4d5d6d7n): Uint8Array {
  const message = Uint8Array.from({ length }, (_, i) => (i < 28 ? 0 : (i * 5 + 1) & 0xff))
  const view = new DataView(message.buffer)
  view.setBigUint64(0, initiator)
  view.setBigUint64(8, responder)
  view.setUint32(16, 0x2e202508)
  view.setUint32(24, length)
  return message
}

/** Length (16 or 32 bits, itself included) and message. */
export function framed(message: Uint8Array, lengthOctets: 2 | 4 = 2): Uint8Array {
  const length = new Uint8Array(lengthOctets)
  const view = new DataView(length.buffer)
  if (lengthOctets === 2) view.setUint16(0, 2 + message.length)
  else view.setUint32(0, 4 + message.length)
  return concat(length, message)
}

export function framedIke(message: Uint8Array, lengthOctets: 2 | 4 = 2): Uint8Array {
  return framed(concat(new Uint8Array(4), message), lengthOctets)
}

/** Pushes the chunks one by one and drains after each; every message is copied out, as an owner that keeps it must. */
export function drain(deframer: Deframer, chunks: readonly Uint8Array[]): Outcome {
  const messages: Message[] = []
  for (const chunk of chunks) {
    // A fresh copy that is scribbled over afterwards: a deframer that still looked at a returned chunk would show it.
    const lent = chunk.slice()
    deframer.push(lent)
    for (;;) {
      const kind = deframer.next()
      if (kind === 'fatal') return { messages, end: 'fatal' }
      if (kind === 'need-more') break
      messages.push({ kind, bytes: deframer.buffer.slice(deframer.offset, deframer.offset + deframer.length) })
    }
    lent.fill(0x55)
  }
  return { messages, end: 'need-more' }
}

export function deframe(
  chunks: readonly Uint8Array[],
  profile: FramingProfileName = 'rfc9329',
  options: DeframerOptions = { role: 'originator' },
): Outcome & { readonly deframer: Deframer } {
  const deframer = new Deframer(profile, options)
  return { ...drain(deframer, chunks), deframer }
}

export function splitEvery(bytes: Uint8Array, size: number): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
  return chunks
}
