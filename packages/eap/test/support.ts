import type { EapMachine, EapRandom, EapStep } from '../src/index.ts'

export function counting(seed: number): EapRandom {
  let next = seed
  return (length) =>
    new Uint8Array(length).map(() => {
      next = (Math.imul(next, 1_103_515_245) + 12_345) & 0x7fffffff
      return next >> 16
    })
}

export interface Conversation {
  readonly packets: Uint8Array[]
  readonly peer: EapStep
  readonly server: EapStep
}

/** Until neither has anything to send: all that was said, and the last word of each. `meddle`: what arrives in a packet's place. */
export function converse(
  server: EapMachine,
  peer: EapMachine,
  meddle: (packet: Uint8Array, index: number) => Uint8Array = (same) => same,
): Conversation {
  const packets: Uint8Array[] = []
  const pass = (packet: Uint8Array): Uint8Array => {
    packets.push(packet)
    return meddle(packet, packets.length - 1)
  }
  let said = server.start()
  let heard: EapStep = { kind: 'ignore', reason: 'nothing was said' }
  while (packets.length < 100) {
    const packet = 'packet' in said ? said.packet : undefined
    if (!packet) break
    heard = peer.receive(pass(packet))
    if (said.kind !== 'send' || heard.kind !== 'send') break
    said = server.receive(pass(heard.packet))
  }
  return { packets, peer: heard, server: said }
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

export function toHex(octets: Uint8Array): string {
  return [...octets].map((octet) => octet.toString(16).padStart(2, '0')).join('')
}
