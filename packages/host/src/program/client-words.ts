/** What `underpass up` says of an attempt and of a tunnel, in the words of its configuration. */
import { basename } from 'node:path'
import { describeIdentity } from '@underpass/session-manager'
import type { ClientConfig } from '../config/client-config.ts'
import { type IpRange, isCovered, parseIpRange } from '../ip-prefix.ts'
import type { TunnelFacts, Verdict } from './attempt-watch.ts'

type Words = Pick<ClientConfig, 'file' | 'peer'>

/** 'tunnel up: 10.99.0.2 on underpass0, over tcp 192.0.2.9:4500 (UDP had no answer in 1.6 s), to 10.2.0.0/24'. */
export function upLine(tunnel: TunnelFacts, device: string | undefined, unrouted: readonly string[]): string {
  const { addresses, path, reason, remoteTs } = tunnel
  const here = [...(addresses.length > 0 ? [addresses.join(', ')] : []), ...(device === undefined ? [] : [`on ${device}`])].join(' ')
  const reached = `${remoteTs.join(', ')}${unrouted.length === 0 ? '' : ` (without a route of its own: ${unrouted.join(', ')})`}`
  return `tunnel up: ${here}${here === '' ? '' : ', '}over ${path}${reason === '' ? '' : ` (${reason})`}, to ${reached}`
}

/** `undefined`: the gateway grants all that was asked for. */
export function narrowerGrant({ peer }: Words, { remoteTs }: TunnelFacts): string | undefined {
  const asked = peer.remoteSubnets === 'virtual' ? [] : peer.remoteSubnets
  const granted = remoteTs.flatMap((text) => parseIpRange(text) ?? [])
  const isGranted = (range: IpRange | undefined): boolean => range === undefined || isCovered(range, granted)
  if (asked.every((text) => isGranted(parseIpRange(text)))) return undefined
  return `asked for ${asked.join(', ')}, the gateway grants ${remoteTs.join(', ')}; the rest stays outside the tunnel`
}

/** What was wrong, and which keys of the file to look at. */
export function authenticationFailedWords({ file, peer }: Words, verdict: Extract<Verdict, { kind: 'authentication-failed' }>): string {
  const isAnother = peer.remoteId !== undefined && verdict.remoteId !== describeIdentity(peer.remoteId)
  const proof = peer.auth.local.kind === 'signature' || peer.auth.remote.kind === 'signature' ? 'auth, certificate and ca' : 'psk'
  return `authentication failed: check ${isAnother ? 'remote_id and gateway' : `local_id and ${proof}`} in ${basename(file)}`
}

export function refusedWords({ file, peer }: Words, { detail, notify }: Extract<Verdict, { kind: 'refused' }>): string {
  const see = (key: string): string => `(see ${key} in ${basename(file)}): ${notify}`
  switch (notify) {
    case 'TS_UNACCEPTABLE':
      return `the gateway does not serve ${peer.remoteSubnets === 'virtual' ? 'what was asked for' : peer.remoteSubnets.join(', ')} ${see('remote')}`
    case 'INTERNAL_ADDRESS_FAILURE':
      return `the gateway has no address left: ${notify}`
    case 'FAILED_CP_REQUIRED':
      return `the gateway hands out addresses, and none was asked for ${see('request_addresses')}`
    case 'NO_PROPOSAL_CHOSEN':
      return `no common algorithms ${see(detail.includes('IKE_SA_INIT') ? 'ike' : 'esp')}`
    default:
      return / refused /.test(` ${detail}`) ? detail : `the gateway refused: ${detail}`
  }
}
