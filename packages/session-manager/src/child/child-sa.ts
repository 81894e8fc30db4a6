/** A Child SA: the two ESP SAs that one negotiation made, and what may pass through them (RFC 7296 §2.9, RFC 4301 §4.4.2). */
import type { Aead, EspInbound, EspOutbound } from '@underpass/esp-crypto'
import type { EspSuite } from '../config.ts'
import type { IkeSa } from '../ike/ike-sa.ts'
import { describeSelector, type IpSelector } from '../ike/traffic-selectors.ts'
import type { ChildSaStatus } from '../status.ts'
import { describeEspSuite } from '../suites.ts'
import type { Allowance } from './lifetimes.ts'
import { PacketSelector } from './packet-selector.ts'

export interface ChildSaParts {
  readonly ikeSa: IkeSa
  readonly inboundSpi: number
  readonly outboundSpi: number
  readonly inbound: EspInbound
  readonly outbound: EspOutbound
  /** The two ciphers of the pair, to be freed with it. */
  readonly aeads: readonly Aead[]
  readonly suite: EspSuite
  readonly esn: boolean
  readonly localTs: readonly IpSelector[]
  readonly remoteTs: readonly IpSelector[]
}

export interface Received {
  /** The highest Sequence Number. */
  readonly highest: number
  readonly accepted: number
  /** Of these, dummy packets (RFC 4303 §2.6). */
  readonly dummies: number
}

export class ChildSa {
  declare readonly timerNames: 'rekey' | 'expire' | 'replaced' | 'drain'
  readonly timers: Map<string, unknown> = new Map()
  /** Rekeying hands it on (RFC 7296 §2.18). */
  ikeSa: IkeSa
  readonly inboundSpi: number
  readonly outboundSpi: number
  readonly inbound: EspInbound
  readonly outbound: EspOutbound
  readonly suite: EspSuite
  readonly esn: boolean
  readonly localTs: readonly IpSelector[]
  readonly remoteTs: readonly IpSelector[]
  readonly #local: PacketSelector
  readonly #remote: PacketSelector
  readonly #aeads: readonly Aead[]
  packetsIn = 0
  octetsIn = 0
  /** Of `outbound.packets`, those that only show a way. */
  dummiesOut = 0
  /** What has been made to take its place. */
  successor: ChildSa | undefined
  /** We answered, and the peer has not shown yet that it has it: what it replaces is sent by before it. */
  awaitsTraffic = false
  /** What may pass before rekeying begins, and at all. */
  lifetime: { readonly soft: Allowance; readonly hard: Allowance } = { soft: UNLIMITED, hard: UNLIMITED }
  /** The one of the two that comes next. */
  allowance: Allowance = UNLIMITED

  constructor(parts: ChildSaParts) {
    this.ikeSa = parts.ikeSa
    this.inboundSpi = parts.inboundSpi
    this.outboundSpi = parts.outboundSpi
    this.#aeads = parts.aeads
    this.inbound = parts.inbound
    this.outbound = parts.outbound
    this.suite = parts.suite
    this.esn = parts.esn
    this.localTs = parts.localTs
    this.remoteTs = parts.remoteTs
    this.#local = new PacketSelector(parts.localTs)
    this.#remote = new PacketSelector(parts.remoteTs)
  }

  /** Whether an outbound inner packet may leave by this SA. */
  sends(packet: Uint8Array, offset: number, length: number): boolean {
    return this.#remote.matches(packet, offset, length, 1) && this.#local.matches(packet, offset, length, 0)
  }

  /** Whether a decrypted inner packet was allowed to come by this SA (E-11): its source is the peer's, its destination ours. */
  accepts(packet: Uint8Array, offset: number, length: number): boolean {
    return this.#remote.matches(packet, offset, length, 0) && this.#local.matches(packet, offset, length, 1)
  }

  /** It has carried as much as it may for now, one way or the other. */
  get isWorn(): boolean {
    const { packets, octets } = this.allowance
    const { outbound } = this
    return outbound.packets >= packets || outbound.octets >= octets || this.packetsIn >= packets || this.octetsIn >= octets
  }

  /** What has come of it, all that was authentic and no replay, whatever was in it. */
  received(): Received {
    const { packets, dummies, padding, nextHeader, inner } = this.inbound.counters
    const { topHigh, topLow } = this.inbound.replayWindow
    return { highest: topHigh * 2 ** 32 + topLow, accepted: packets + dummies + padding + nextHeader + inner, dummies }
  }

  /** The SA is out of the databases: no packet can reach its keys any more, which go as far as their provider can make them go. */
  erase(): void {
    for (const aead of this.#aeads) aead.free?.()
  }

  status(): ChildSaStatus {
    return {
      inboundSpi: formatEspSpi(this.inboundSpi),
      outboundSpi: formatEspSpi(this.outboundSpi),
      proposal: `${describeEspSuite(this.suite)}${this.esn ? '-esn' : ''}`,
      localTs: this.localTs.map(describeSelector),
      remoteTs: this.remoteTs.map(describeSelector),
      packetsIn: this.packetsIn,
      octetsIn: this.octetsIn,
      packetsOut: this.outbound.packets,
      octetsOut: this.outbound.octets,
    }
  }
}

const UNLIMITED: Allowance = { packets: Number.POSITIVE_INFINITY, octets: Number.POSITIVE_INFINITY }

export function formatEspSpi(spi: number): string {
  return `0x${spi.toString(16).padStart(8, '0')}`
}
