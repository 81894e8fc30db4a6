/** Session events in words, one line each. No secret is in an event, so none is in the words. */
import {
  type AssignedAddress,
  describeEndpoint,
  type PathDescription,
  type PathJudgement,
  type SessionEvent,
} from '@underpass/session-manager'
import { formatDuration } from '../config/fields.ts'
import { snakeCase } from '../config/tunables.ts'
import { isWildcard } from '../run/addresses.ts'

export type Level = 'error' | 'warn' | 'info' | 'debug'

export const LEVELS: readonly Level[] = ['error', 'warn', 'info', 'debug']

export function describeEvent(event: SessionEvent): string {
  switch (event.kind) {
    case 'transport-tried':
      return `${event.peer}: trying ${event.transport}: ${plainReason(event.reason)}`
    case 'transport-failed':
      return `${event.peer}: ${event.transport} failed after ${formatDuration(event.afterMilliseconds)}: ${plainReason(event.reason)}`
    case 'transport-chosen':
      return `${event.peer}: using ${event.transport}: ${plainReason(event.reason)}`
    case 'path-judged':
      return `${event.peer}: ${event.transport}: ${JUDGEMENTS[event.decision]}${figures(event)}`
    case 'transport-remembered':
      return event.blockedForMilliseconds > 0
        ? `${event.peer}: ${event.transport} ${event.isHalfWay === true ? 'gets half way' : 'does not get through'} on this network: remembered for ${formatDuration(event.blockedForMilliseconds)}`
        : `${event.peer}: ${event.transport} gets through on this network again`
    case 'retry-scheduled':
      return `${event.peer}: the whole list again in ${formatDuration(event.inMilliseconds)} (round ${event.round})`
    case 'ike-sa-established':
      return `${event.peer}: IKE SA ${event.ikeSa} established over ${describePath(event.path)}; we are ${event.localId}, they are ${event.remoteId}${eapWords(event)} (${event.proposal}, ${event.role})`
    case 'addresses-assigned':
      return `${event.peer}: assigned ${listOf(event.addresses.map(describeAddress), 'no address')}${suffix('name servers', event.dns)}${suffix('for names in', event.domains)}${suffix('subnets', event.subnets)}${suffix('P-CSCF', event.pCscf)}`
    case 'child-sa-installed':
      return `${event.peer}: Child SA ${event.inboundSpi}/${event.outboundSpi} installed: ${event.localTs.join(', ')} <-> ${event.remoteTs.join(', ')} (${event.proposal})`
    case 'child-sa-removed':
      return `${event.peer}: Child SA ${event.inboundSpi} removed: ${event.reason}`
    case 'child-sa-rekeyed':
      return `${event.peer}: Child SA ${event.formerInboundSpi} rekeyed by ${whose(event.by)}: now ${event.inboundSpi}`
    case 'ike-sa-rekeyed':
      return `${event.peer}: IKE SA ${event.formerIkeSa} rekeyed by ${whose(event.by)}: now ${event.ikeSa}`
    case 'rekey-failed':
      return `${event.peer}: ${event.what === 'ike-sa' ? 'IKE SA' : 'a Child SA of IKE SA'} ${event.ikeSa} not rekeyed: ${event.detail}`
    case 'ike-sa-closed':
      if (event.cameAnew) return `${event.peer}: ${newcomerWords(event, event.cameAnew)}`
      return `${event.peer}: IKE SA ${event.ikeSa} closed by ${event.byPeer ? 'the other end' : 'us'}: ${event.reason}`
    case 'authentication-failed':
      return `authentication failed${event.remote ? ` with ${describeEndpoint(event.remote)}` : ''}: ${sidesBeside(event)}${event.detail}`
    case 'handshake-failed':
      return `${event.peer === '' ? '' : `${event.peer}: `}handshake${event.remote ? ` with ${describeEndpoint(event.remote)}` : ''} failed: ${describeRefusal(event)}`
    case 'connection-opened':
      return event.role === 'originator'
        ? `${streamOf(event)} connection ${event.connection} to ${describeEndpoint(event.remote)} open`
        : `${streamOf(event)} connection ${event.connection} accepted from ${describeEndpoint(event.remote)}`
    case 'connection-closed':
      return `${streamOf(event)} connection ${event.connection} with ${describeEndpoint(event.remote)} closed: ${event.reason}`
    case 'reconnecting':
      return `${event.peer}: connecting again in ${formatDuration(event.inMilliseconds)}: ${event.reason}`
    case 'path-moved':
      return `${event.peer}: moved from ${describePath(event.from)} to ${describePath(event.to)}${localWords(event)}`
    case 'additional-addresses':
      return `${event.peer}: its other addresses: ${listOf(event.addresses, 'none')}`
    case 'liveness':
      return event.result === 'alive' ? `${event.peer}: the other end is alive` : `${event.peer}: the other end does not answer any more`
    case 'limit-reached':
      return `limit reached: ${event.limit === 'prefix' ? 'timers' : 'limits'}.${snakeCase(event.limit)}${event.remote ? ` (by ${describeEndpoint(event.remote)})` : ''}`
    case 'dropped':
      return `dropped ${event.what}${event.remote ? ` from ${describeEndpoint(event.remote)}` : ''}: ${event.detail}`
    default:
      return event satisfies never
  }
}

export function levelOf(event: SessionEvent): Level {
  switch (event.kind) {
    case 'authentication-failed':
      return 'error'
    case 'handshake-failed':
      // Nobody knows who it was: strangers make no errors of ours.
      return event.remote && event.peer === '' ? 'warn' : 'error'
    case 'transport-failed':
    case 'reconnecting':
    case 'rekey-failed':
    case 'limit-reached':
    case 'path-judged':
      return 'warn'
    case 'liveness':
      return event.result === 'alive' ? 'debug' : 'warn'
    case 'ike-sa-closed':
      return event.cameAnew && isElsewhere(event.cameAnew) ? 'warn' : 'info'
    case 'ike-sa-established':
    case 'addresses-assigned':
    case 'transport-tried':
    case 'transport-chosen':
    case 'retry-scheduled':
    case 'child-sa-installed':
    case 'child-sa-removed':
    case 'child-sa-rekeyed':
    case 'ike-sa-rekeyed':
    case 'path-moved':
    case 'connection-opened':
    case 'connection-closed':
      return 'info'
    case 'transport-remembered':
    case 'additional-addresses':
    case 'dropped':
      return 'debug'
    default:
      return event satisfies never
  }
}

function whose(by: 'us' | 'peer'): string {
  return by === 'us' ? 'us' : 'the other end'
}

const JUDGEMENTS: Readonly<Record<PathJudgement['decision'], string>> = {
  'esp-blocked': 'IKE passes and ESP does not, a stream is looked for',
  'esp-silent': 'nothing has come back by ESP, a stream is tried',
  'try-stream': 'much is lost, a stream is tried',
  'stay-on-stream': 'it carries clearly more than UDP did, the tunnel stays on it',
  'return-to-udp': 'it carries no more than UDP did, back to UDP',
  'no-other-way': 'a stream would be better, and there is none, or the gateway has no MOBIKE',
}

function figures({ lossIn, lossOut, roundTripMilliseconds, octetsPerSecond, octetsPerSecondBefore }: PathJudgement): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  const words = [
    ...(lossIn === undefined ? [] : [`${percent(lossIn)} lost in`]),
    ...(lossOut === undefined ? [] : [`${percent(lossOut)} lost out`]),
    ...(roundTripMilliseconds === undefined ? [] : [`round trip ${formatDuration(roundTripMilliseconds)}`]),
    ...(octetsPerSecond === undefined ? [] : [`${octetsPerSecond} B/s`]),
    ...(octetsPerSecondBefore === undefined ? [] : [`before ${octetsPerSecondBefore} B/s`]),
  ]
  return words.length === 0 ? '' : ` (${words.join(', ')})`
}

/** Why a handshake failed, with the peer's word for it where the sentence does not hold it already. */
export function describeRefusal({ detail, notify }: { readonly detail: string; readonly notify?: string }): string {
  return notify === undefined || detail.includes(notify) ? detail : `${detail} (${notify})`
}

/** Words of the system's and the protocol's that a reason may end with, as what they mean. */
export function plainReason(reason: string): string {
  return reason
    .replace(/no better answer than NO_PROPOSAL_CHOSEN/, 'no common algorithms (see ike), says an answer that nothing protects')
    .replace(/only NO_PROPOSAL_CHOSEN, which nothing protects/, 'only "no common algorithms", which nothing protects; see ike')
    .replace(
      /((?:a datagram did not get there|cannot connect to TCP [^ ]+):) .*(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH).*/,
      (_, what: string, code: keyof typeof NO_WAY) => `${what} ${NO_WAY[code]} (${code})`,
    )
}

const NO_WAY = {
  ECONNREFUSED: 'nothing listens there',
  EHOSTUNREACH: 'nobody has that address, or a firewall refuses it',
  ENETUNREACH: 'no route leads there',
} as const

/** 'tcp 192.0.2.9:4500', 'tls 192.0.2.7:3128 via http://proxy:3128', with the framing where it is not the RFC's. */
export function describePath(path: PathDescription): string {
  if (path.transport === 'udp') return `udp ${describeEndpoint(path.remote)}`
  const { stream, around } = carrierWords(path)
  return `${stream} ${describeEndpoint(path.remote)}${around}${path.framing === 'rfc9329' ? '' : ` (${path.framing} framing)`}`
}

/** As `transports` has it: the port there is the gateway's, and that of the connection may be the proxy's. */
function carrierWords({ carrier = '' }: { readonly carrier?: string }): { stream: string; around: string } {
  const [, stream = 'tcp', around = ''] = /^(\w+):\d+(.*)$/.exec(carrier) ?? []
  return { stream, around }
}

/** 'TCP' or 'TLS'. */
export function streamOf(connection: { readonly carrier?: string }): string {
  return carrierWords(connection).stream.toUpperCase()
}

/** Where from, as far as it is known: a socket on all addresses has none until something comes to it. */
function localWords({ from, to }: { readonly from: PathDescription; readonly to: PathDescription }): string {
  const [before, now] = [from, to].map(({ local }) => (isWildcard(local.address) || local.address === '' ? undefined : local.address))
  if (now === undefined) return ''
  return before === undefined || before === now ? `, from our ${now}` : `, from our ${now}, before ${before}`
}

export function describeAddress({ address, prefixLength }: AssignedAddress): string {
  return prefixLength === (address.includes(':') ? 128 : 32) ? address : `${address}/${prefixLength}`
}

/** A restart comes from the same address; from another one it may be a second machine, and the two would go on like this. */
function newcomerWords({ ikeSa, reason }: { readonly ikeSa: string; readonly reason: string }, cameAnew: CameAnew): string {
  const before = cameAnew.before === undefined ? '' : ` from ${describeEndpoint(cameAnew.before)}`
  const advice = isElsewhere(cameAnew) ? '; if these are two machines, each needs an identity of its own' : ''
  return `${reason}; its IKE SA ${ikeSa}${before} ends${advice}`
}

function isElsewhere({ from, before }: CameAnew): boolean {
  return before !== undefined && before.address !== from.address
}

type CameAnew = NonNullable<Extract<SessionEvent, { kind: 'ike-sa-closed' }>['cameAnew']>

/** Of the initiator: on its own side it is us. */
function eapWords({ eapIdentity, role }: Extract<SessionEvent, { kind: 'ike-sa-established' }>): string {
  if (eapIdentity === undefined) return ''
  return role === 'initiator' ? `, by EAP we are "${eapIdentity}"` : `, by EAP "${eapIdentity}"`
}

/** Who is who, as far as it is known and the detail does not say it already: 'we are @me, they are @gw: '. */
function sidesBeside({ localId, remoteId, detail }: Extract<SessionEvent, { kind: 'authentication-failed' }>): string {
  const sides = [...(detail.includes(localId) ? [] : [`we are ${localId}`]), ...(detail.includes(remoteId) ? [] : [`they are ${remoteId}`])]
  return sides.length === 0 ? '' : `${sides.join(', ')}: `
}

function suffix(what: string, values: readonly string[]): string {
  return values.length === 0 ? '' : `; ${what} ${values.join(', ')}`
}

function listOf(values: readonly string[], none: string): string {
  return values.length === 0 ? none : values.join(', ')
}
