/**
 * Quick crash detection (RFC 6290). Each end gives the other a token with IKE_AUTH, which it can make again when it has forgotten the IKE SA. A
 * message of an IKE SA that it does not know is answered with it, in the clear: whoever has the token knows then that the IKE SA is gone, and
 * need not wait for silence to tell it.
 *
 *   HDR, SK {...}  -->
 *                      <--  HDR, N(INVALID_IKE_SPI), N(QCD_TOKEN)
 */
import {
  ExchangeType,
  HeaderFlag,
  type IkeHeader,
  NotifyType,
  notify,
  type Payload,
  PayloadType,
  PrfId,
  ProtocolId,
} from '@underpass/ike-codec'
import { constantTimeEqual, prf } from '@underpass/ike-crypto'
import type { Core } from '../core.ts'
import { concat, u32 } from '../octets.ts'
import { shardOfSpi } from '../shard-spi.ts'
import type { IkeSa } from './ike-sa.ts'
import { sendRequest } from './transmission.ts'

/** Octets of a token (RFC 6290 §5). */
const SHORTEST = 16
const LONGEST = 128

/** As many as a taker has to keep, and to look at in one message (RFC 6290 §4.5). */
const MOST_TOKENS = 4

interface Spis {
  readonly initiatorSpi: bigint
  readonly responderSpi: bigint
}

/** Ours for an IKE SA, for a protected message (RFC 6290 §4.2); none without `crashSecret`. */
export function crashToken({ config }: Core, sa: Spis & Pick<IkeSa, 'role'>): Payload[] {
  return config.crashSecret === undefined ? [] : [tokenPayload(config.crashSecret, sa.role, sa)]
}

/**
 * Ours for a request of an IKE SA that is not known here (RFC 6290 §4.5). Never for one that is (§9.2): neither here, whatever role the request's
 * flags give us, nor in another of several cores, whose SPIs tell whose they are.
 */
export function crashTokenFor({ config, ikeSas }: Core, header: IkeHeader): Payload[] {
  const { crashSecret, shard } = config
  const isProtected = header.nextPayload === PayloadType.SK || header.nextPayload === PayloadType.SKF
  if (crashSecret === undefined || !isProtected || ikeSas.has(header.initiatorSpi) || ikeSas.has(header.responderSpi)) return []
  const role = (header.flags & HeaderFlag.INITIATOR) === 0 ? 'initiator' : 'responder'
  const localSpi = role === 'initiator' ? header.initiatorSpi : header.responderSpi
  if (shard !== undefined && shardOfSpi(Number(localSpi & 0xffn)) !== shard.index) return []
  return [tokenPayload(crashSecret, role, header)]
}

/** Ours for one that took another's place by our rekeying, in an exchange of its own (RFC 6290 §4.3). */
export function tellCrashToken(core: Core, sa: IkeSa): void {
  const payloads = crashToken(core, sa)
  if (payloads.length > 0) sendRequest(core, sa, { purpose: 'liveness', exchangeType: ExchangeType.INFORMATIONAL, payloads })
}

/** Those that a protected message brings take the place of the oldest ones (RFC 6290 §4.4). */
export function keepCrashTokens(sa: IkeSa, tokens: readonly Uint8Array[]): void {
  if (tokens.length > 0) sa.crashTokens = [...tokens, ...sa.crashTokens].slice(0, MOST_TOKENS)
}

/** Whether what was said in the clear is said by the end that gave us a token. */
export function provesCrash(sa: IkeSa, payloads: readonly Payload[]): boolean {
  return crashTokensIn(payloads).some((token) => sa.crashTokens.some((kept) => constantTimeEqual(kept, token)))
}

/** Those of a peer's, to be kept. */
export function crashTokensIn(payloads: readonly Payload[]): Uint8Array[] {
  return payloads
    .flatMap((payload) => (payload.type === 'N' && payload.notifyType === NotifyType.QUICK_CRASH_DETECTION ? [payload.data] : []))
    .filter(({ length }) => length >= SHORTEST && length <= LONGEST)
    .slice(0, MOST_TOKENS)
    .map((token) => token.slice())
}

/** The maker's role is in it: who turns the flag of a request round gets another token than the one that counts. */
function tokenPayload(secret: Uint8Array, role: 'initiator' | 'responder', { initiatorSpi, responderSpi }: Spis): Payload {
  const octets = concat(Uint8Array.of(role === 'initiator' ? 1 : 2), spiOctets(initiatorSpi), spiOctets(responderSpi))
  const token = prf(PrfId.PRF_HMAC_SHA2_256)!.compute(secret, octets)
  return notify(NotifyType.QUICK_CRASH_DETECTION, token, { protocol: ProtocolId.IKE, spi: new Uint8Array(0) })
}

function spiOctets(spi: bigint): Uint8Array {
  return concat(u32(Number(spi >> 32n)), u32(Number(spi & 0xffffffffn)))
}
