/** Making a Child SA out of a negotiation: SPI, KEYMAT, ciphers (RFC 7296 §2.17) and the traffic it is for (§2.9). */
import { EspInbound, EspOutbound, type EspTransform, espTransform } from '@underpass/esp-crypto'
import { childKeymat } from '@underpass/ike-crypto'
import type { EspSuite, PeerConfig } from '../config.ts'
import type { Core } from '../core.ts'
import type { IkeSa, InitRecord } from '../ike/ike-sa.ts'
import { type IpSelector, selectorOfRange, selectorsOfSubnets } from '../ike/traffic-selectors.ts'
import { parseAddress } from '../ip-address.ts'
import { readU32 } from '../octets.ts'
import { SessionError } from '../session-error.ts'
import { markSpi } from '../shard-spi.ts'
import { ChildSa } from './child-sa.ts'

/** 0 to 255 are reserved (RFC 4303 §2.1, T-FRM-6), and one that is in use here is no use. */
export function allocateEspSpi(core: Core): number {
  for (;;) {
    const spi = readU32(markSpi(core.random(4), core.config.shard))
    if (spi > 255 && !core.sad.has(spi)) return spi
  }
}

export interface ChildPlan {
  readonly inboundSpi: number
  readonly outboundSpi: number
  readonly suite: EspSuite
  readonly esn: boolean
  readonly localTs: readonly IpSelector[]
  readonly remoteTs: readonly IpSelector[]
}

/** The first Child SA, of the nonces of IKE_SA_INIT. */
export function makeFirstChild(core: Core, sa: IkeSa, peer: PeerConfig, record: InitRecord, plan: ChildPlan): ChildSa {
  return makeChild(core, sa, peer, { ...record, role: sa.role, sharedSecrets: [] }, plan)
}

/** What the keys of a Child SA are made of. */
export interface KeySource {
  /** Ours in the exchange that makes it. */
  readonly role: 'initiator' | 'responder'
  readonly initiatorNonce: Uint8Array
  readonly responderNonce: Uint8Array
  /** Of its key exchanges, in order; none without PFS. */
  readonly sharedSecrets: readonly Uint8Array[]
}

/** KEYMAT = prf+ (SK_d, [g^ir (new) |] Ni | Nr), keys for initiator to responder first (RFC 7296 §2.17). */
export function makeChild(core: Core, sa: IkeSa, peer: PeerConfig, source: KeySource, plan: ChildPlan): ChildSa {
  const protection = sa.protection
  const transform = transformOf(plan.suite)
  if (!protection) throw new SessionError('INVARIANT', 'bug', 'a Child SA before the keys of its IKE SA')
  const { initiatorNonce, responderNonce, sharedSecrets } = source
  const [sharedSecret] = sharedSecrets
  const keymat = childKeymat(protection.prf, protection.keys.skd, initiatorNonce, responderNonce, 2 * transform.keymatLength, sharedSecret)
  const fromInitiator = keymat.slice(0, transform.keymatLength)
  const fromResponder = keymat.slice(transform.keymatLength)
  const [outKeymat, inKeymat] = source.role === 'initiator' ? [fromInitiator, fromResponder] : [fromResponder, fromInitiator]
  keymat.fill(0)
  const provider = core.config.aeadProvider
  const outAead = provider.create(transform, outKeymat)
  const inAead = provider.create(transform, inKeymat)
  return new ChildSa({
    ikeSa: sa,
    inboundSpi: plan.inboundSpi,
    outboundSpi: plan.outboundSpi,
    outbound: new EspOutbound({
      spi: plan.outboundSpi,
      transform,
      aead: outAead,
      esn: plan.esn,
      random: (octets) => octets.set(core.random(octets.length)),
    }),
    inbound: new EspInbound({
      spi: plan.inboundSpi,
      transform,
      aead: inAead,
      esn: plan.esn,
      replayWindow: peer.replayWindow,
    }),
    aeads: [outAead, inAead],
    suite: plan.suite,
    esn: plan.esn,
    localTs: plan.localTs,
    remoteTs: plan.remoteTs,
  })
}

/** The suites that this build of the ciphers can do. */
export function usableEspSuites(core: Core, peer: PeerConfig): EspSuite[] {
  return peer.espProposals.filter((suite) => {
    const transform = espTransform(suite.encryption, suite.keyLength, suite.integrity)
    return transform !== undefined && core.config.aeadProvider.supports(transform)
  })
}

/** The configured selectors of a side; 'virtual' stands for the addresses that CP assigned, or for any before that is known. */
export function configuredSelectors(subnets: readonly string[] | 'virtual', assigned: readonly Uint8Array[]): IpSelector[] {
  if (subnets !== 'virtual') return selectorsOfSubnets(subnets)
  return assigned.map((address) => selectorOfRange({ start: address, end: address }))
}

/** What an initiator that asks for an inner address proposes for its own side: any address of those families (RFC 7296 §2.19). */
export function anyAddressSelectors(families: readonly ('ipv4' | 'ipv6')[]): IpSelector[] {
  return selectorsOfSubnets(families.map((family) => (family === 'ipv4' ? '0.0.0.0/0' : '::/0')))
}

export function addressOctets(addresses: readonly { readonly address: string }[]): Uint8Array[] {
  return addresses.flatMap(({ address }) => parseAddress(address) ?? [])
}

function transformOf(suite: EspSuite): EspTransform {
  const transform = espTransform(suite.encryption, suite.keyLength, suite.integrity)
  if (!transform) throw new SessionError('INVARIANT', 'bug', `no ESP transform for encryption ${suite.encryption}`)
  return transform
}
