/**
 * NAT detection (RFC 7296 §2.23), over TCP with the TCP ports (RFC 9329 §6.5). The hash covers the SPIs of the IKE_SA_INIT
 * in hand, the address and the port: SHA-1(SPIi | SPIr | IP | Port).
 */
import { NotifyType, notify, type Payload } from '@underpass/ike-codec'
import { natDetectionHash } from '@underpass/ike-crypto'
import type { Endpoint } from '../contract.ts'
import { parseAddress } from '../ip-address.ts'
import { equal } from '../octets.ts'

export interface NatDetectionContext {
  readonly initiatorSpi: bigint
  readonly responderSpi: bigint
  readonly local: Endpoint
  readonly remote: Endpoint
}

export interface NatFindings {
  /** Our own address is not what the peer sees. */
  readonly isLocalBehindNat: boolean
  readonly isRemoteBehindNat: boolean
}

/**
 * The two notifies of an IKE_SA_INIT. `mismatch` (20 random octets) takes the place of the source hash where UDP
 * encapsulation is to be forced: ESP without it (IP protocol 50) cannot be received in userspace.
 */
export function natDetectionPayloads(context: NatDetectionContext, mismatch?: Uint8Array): Payload[] {
  return [
    notify(NotifyType.NAT_DETECTION_SOURCE_IP, mismatch ?? hashOf(context, context.local)),
    notify(NotifyType.NAT_DETECTION_DESTINATION_IP, hashOf(context, context.remote)),
  ]
}

/** `undefined` where the peer sent neither notify: it does no NAT traversal. */
export function detectNat(context: NatDetectionContext, payloads: readonly Payload[]): NatFindings | undefined {
  const sources = hashesIn(payloads, NotifyType.NAT_DETECTION_SOURCE_IP)
  const destinations = hashesIn(payloads, NotifyType.NAT_DETECTION_DESTINATION_IP)
  if (sources.length === 0 || destinations.length === 0) return undefined
  const remote = hashOf(context, context.remote)
  const local = hashOf(context, context.local)
  return {
    isRemoteBehindNat: !sources.some((hash) => equal(hash, remote)),
    isLocalBehindNat: !destinations.some((hash) => equal(hash, local)),
  }
}

function hashesIn(payloads: readonly Payload[], notifyType: number): Uint8Array[] {
  return payloads.flatMap((payload) => (payload.type === 'N' && payload.notifyType === notifyType ? [payload.data] : []))
}

function hashOf(context: NatDetectionContext, endpoint: Endpoint): Uint8Array {
  return natDetectionHash(context.initiatorSpi, context.responderSpi, parseAddress(endpoint.address) ?? new Uint8Array(4), endpoint.port)
}
