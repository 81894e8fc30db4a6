import { readFileSync } from 'node:fs'
import { type AeadProvider, EspInbound, EspOutbound, type EspTransform, espTransform, nobleProvider } from '../src/index.ts'
import { ipsecMbProvider } from '../src/ipsec-mb.ts'
import { nodeProvider } from '../src/node.ts'
import { opensslProvider } from '../src/openssl.ts'

/** The suite runs against each of them; the machine may lack libcrypto or libIPSec_MB. */
export const PROVIDERS: readonly AeadProvider[] = [
  nobleProvider,
  nodeProvider,
  ...whereThere(opensslProvider),
  ...whereThere(ipsecMbProvider),
]

function whereThere(load: () => AeadProvider): AeadProvider[] {
  try {
    return [load()]
  } catch {
    return []
  }
}

export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`./vectors/${name}.json`, import.meta.url), 'utf8')) as T
}

export function octets(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join('')
}

/** A seeded generator (mulberry32): the same cases on every run and runtime. */
export class Seeded {
  #state: number
  constructor(seed: number) {
    this.#state = seed
  }
  readonly fill = (target: Uint8Array): void => {
    for (let i = 0; i < target.length; i++) target[i] = this.below(256)
  }
  octets(length: number): Uint8Array {
    const target = new Uint8Array(length)
    this.fill(target)
    return target
  }
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }
}

/** An IPv4 packet of `length` octets, its header good enough for ESP. */
export function ipv4(length: number, seed = 1): Uint8Array {
  const packet = new Seeded(seed).octets(length)
  packet[0] = 0x45
  packet[2] = length >>> 8
  packet[3] = length
  return packet
}

export function ipv6(length: number): Uint8Array {
  const packet = new Seeded(2).octets(length)
  packet[0] = 0x60
  packet[4] = (length - 40) >>> 8
  packet[5] = length - 40
  return packet
}

export interface SaOptions {
  provider?: AeadProvider
  transform?: EspTransform
  esn?: boolean
  mode?: 'tunnel' | 'transport'
  replayWindow?: number
  sequence?: { high: number; low: number }
}

export const GCM_256: EspTransform = espTransform(20, 256, undefined)!
export const SPI = 0xc0ffee01

/** Both ends of one SA. */
export function sa(options: SaOptions = {}): { outbound: EspOutbound; inbound: EspInbound } {
  const { provider = nobleProvider, transform = GCM_256, esn = false, mode = 'tunnel', replayWindow = 64 } = options
  const seeded = new Seeded(transform.keymatLength)
  const keymat = seeded.octets(transform.keymatLength)
  const common = { spi: SPI, transform, esn, mode }
  return {
    outbound: new EspOutbound({
      ...common,
      aead: provider.create(transform, keymat),
      random: seeded.fill,
      ...(options.sequence ? { sequence: options.sequence } : {}),
    }),
    inbound: new EspInbound({ ...common, aead: provider.create(transform, keymat), replayWindow }),
  }
}

/** One packet, as a fresh array. */
export function seal(outbound: EspOutbound, packet: Uint8Array, nextHeader = 4, tfcLength = 0): Uint8Array {
  const wire = new Uint8Array(packet.length + tfcLength + outbound.overhead(packet.length + tfcLength))
  const written = outbound.encapsulate(packet, 0, packet.length, nextHeader, wire, 0, tfcLength)
  if (written !== wire.length) throw new Error(`wrote ${written}, overhead() said ${wire.length}`)
  return wire
}

/** The payload, or the drop. */
export function open(inbound: EspInbound, wire: Uint8Array): Uint8Array | number {
  const payload = new Uint8Array(wire.length)
  const length = inbound.decapsulate(wire, 0, wire.length, payload, 0)
  return length < 0 ? length : payload.subarray(0, length)
}
