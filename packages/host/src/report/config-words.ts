/** What a configuration would do, for `check-config` and `--dry-run`. Secrets appear as their length. */
import {
  DEFAULT_LIFETIMES,
  describeEndpoint,
  describeEspSuite,
  describeIdentity,
  describeIkeSuite,
  type EspSuite,
  type IkeSuite,
  type PeerConfig,
  type Ppk,
} from '@underpass/session-manager'
import { certificatePin } from '@underpass/tls-transport'
import type { ClientConfig } from '../config/client-config.ts'
import { describeDscp } from '../config/dscp.ts'
import { formatDuration } from '../config/fields.ts'
import type { GatewayConfig, TcpListener, UdpListener } from '../config/gateway-config.ts'
import { describeForbidden } from '../config/policy.ts'
import type { SharedConfig, SocketBuffers, TunConfig } from '../config/shared-schema.ts'
import { describeWritten } from '../config/transports.ts'
import { formatAction, formatUndo, type Step } from '../network/step.ts'

export function describeClientConfig(config: ClientConfig): string[] {
  const { peer } = config
  return [
    `connect to ${config.isDomain ? `where the SRV records of ${config.gateway} say` : config.gateway}${peer.name === config.gateway ? '' : ` as ${peer.name}`}: ${config.transports.map(describeWritten).join(', else ')}`,
    ...peerLines(peer),
    peer.requestAddresses.length > 0
      ? `  ask for an ${peer.requestAddresses.map((family) => (family === 'ipv4' ? 'IPv4' : 'IPv6')).join(' and an ')} address`
      : '  ask for no address',
    `  if the first attempt fails: ${config.keepRetrying ? 'keep trying' : 'give up'}`,
    policyLine(config),
    useLine(config, config.dscp === undefined ? [] : [config.dscp]),
    `route into the tunnel: ${typeof config.routes === 'string' ? ROUTES[config.routes] : config.routes.join(', ')}`,
    `name servers that the gateway names: ${DNS[config.dns]}`,
    `keep what is learnt of networks: ${config.remembersNetworks ? 'on disk' : 'until the end'}`,
  ]
}

export function describeGatewayConfig(config: GatewayConfig): string[] {
  const at = ({ address, port }: UdpListener): string => (address === undefined ? `port ${port}` : describeEndpoint({ address, port }))
  const tcp = (one: TcpListener): string =>
    `${at(one)}${one.alsoPlain ? ', with TLS and without' : one.isTls ? ' with TLS' : ''}${one.framing === 'rfc9329' ? '' : ` (${one.framing} framing)`}`
  return [
    `listen on UDP ${config.udp.map(at).join(', ') || 'nowhere'}; on TCP ${config.tcp.map(tcp).join(', ') || 'nowhere'}`,
    ...tlsLines(config),
    ...(config.proxies.length === 0 ? [] : [`take the word of proxies at ${config.proxies.join(', ')} for whom a connection is from`]),
    ...config.peers.flatMap((peer) => [`serve ${peer.name}`, ...peerLines(peer), ...poolLines(peer)]),
    policyLine(config),
    useLine(config, [...new Set([...config.tcp, ...config.udp].flatMap(({ dscp }) => dscp ?? []))]),
    ...(config.workers > 1 ? [`share the work among ${config.workers} workers, each a thread with a slice of every pool`] : []),
    `IP forwarding: ${config.forwarding ? 'turned on while running' : 'left as it is'}`,
  ]
}

function policyLine({ policy }: SharedConfig): string {
  const forbidden = describeForbidden(policy)
  return `transports that are forbidden: ${forbidden === '' ? 'none' : forbidden} (${policy.file}${policy.isThere ? '' : ', which is not there,'} and [policy])`
}

function useLine(config: SharedConfig, dscp: readonly number[]): string {
  return [`use device ${describeDevice(config.tun)}`, `cryptography: ${config.crypto}`, ...choices({ ...config, dscp })].join('; ')
}

/** What is not left to the kernel, or not the default. */
export function choices({
  congestionControl,
  tcpBuffers,
  udpBuffers,
  dscp = [],
  thinsAcks = false,
  cpus = [],
}: Partial<Pick<SharedConfig, 'congestionControl' | 'tcpBuffers' | 'udpBuffers' | 'thinsAcks' | 'cpus'>> & {
  readonly dscp?: readonly number[]
}): string[] {
  return [
    ...(cpus.length === 0 ? [] : [`kept on CPU ${cpus.join(', ')}`]),
    ...(congestionControl === undefined ? [] : [`congestion control of TCP: ${congestionControl}`]),
    ...bufferWords('TCP', tcpBuffers),
    ...bufferWords('UDP', udpBuffers),
    ...(dscp.length === 0 ? [] : [`DSCP outside: ${dscp.map(describeDscp).join(', ')}`]),
    ...(thinsAcks ? ['TCP acknowledgements that wait are thinned'] : []),
  ]
}

function bufferWords(protocol: string, { sendBuffer, receiveBuffer }: SocketBuffers = {}): string[] {
  const parts = [
    ...(sendBuffer === undefined ? [] : [`${sendBuffer} octets to send`]),
    ...(receiveBuffer === undefined ? [] : [`${receiveBuffer} to receive`]),
  ]
  return parts.length === 0 ? [] : [`buffers of ${protocol}: ${parts.join(', ')}`]
}

/** Each as what it is for, the command, and what undoes it. */
export function describeSteps(steps: readonly Step[]): string[] {
  return steps.flatMap((step) => [`  ${step.what}`, `    done by: ${formatAction(step.action)}`, `    undone:  ${formatUndo(step)}`])
}

/** The configuration as plain data for `--json`, without secrets. */
export function configAsJson(config: ClientConfig | GatewayConfig): unknown {
  return JSON.parse(JSON.stringify(config, redact)) as unknown
}

const ROUTES = { negotiated: 'what the gateway agrees to', none: 'nothing' } as const

const DNS = { report: 'only shown', resolvectl: 'given to systemd-resolved', 'resolv-conf': 'written to /etc/resolv.conf' } as const

function peerLines(peer: Omit<PeerConfig, 'dial'>): string[] {
  return [
    `  we are ${describeIdentity(peer.localId)}, they are ${peer.remoteId ? describeIdentity(peer.remoteId) : ANYBODY[peer.auth.remote.kind]} (${proofWords(peer.auth)})`,
    `  let through: ${subnets(peer.localSubnets)} on this side <-> ${subnets(peer.remoteSubnets)} on theirs`,
    `  algorithms for IKE: ${peer.ikeProposals.map(describeIkeSuite).join(', ')}`,
    `  algorithms for ESP: ${peer.espProposals.map(describeEspSuite).join(', ')}${peer.esn ? '' : ', no extended sequence numbers'}; replay window ${peer.replayWindow}${peer.pathChecks === false ? '; no path checks' : ''}`,
    ...callerLine(peer),
    lifetimeLine(peer),
    ...(peer.additionalAddresses ? [`  other addresses of this gateway: ${peer.additionalAddresses.join(', ')}`] : []),
  ]
}

const ANYBODY = {
  'shared-key': 'whoever has the secret',
  signature: 'whoever has a certificate',
  null: 'anybody',
  eap: 'whoever EAP knows',
  'eap-only': 'whoever EAP proves',
} as const

function proofWords({ local, remote }: PeerConfig['auth']): string {
  const [ours, theirs] = [authWords(local), authWords(remote)]
  return local.kind === 'shared-key' && ours === theirs ? ours : `shown by ${ours}; theirs by ${theirs}`
}

function authWords(auth: PeerConfig['auth']['local' | 'remote']): string {
  if (auth.kind === 'shared-key') return `a secret of ${auth.secret.length} octets`
  if (auth.kind === 'null') return 'nothing (NULL authentication)'
  if (auth.kind === 'eap') return 'EAP'
  if (auth.kind === 'eap-only') return 'the EAP of the initiator (EAP-only)'
  if ('trust' in auth) return 'a signature'
  return `a signature, and ${auth.certificates.length === 1 ? 'a certificate or key' : `${auth.certificates.length} certificates`}`
}

function callerLine({ localAddresses, remoteAddresses }: Omit<PeerConfig, 'dial'>): string[] {
  const from = remoteAddresses && `from ${remoteAddresses.join(', ')}`
  const at = localAddresses && `at ${localAddresses.join(', ')}`
  return from || at ? [`  only where it is called ${[from, at].filter((words) => words !== undefined).join(' ')}`] : []
}

function lifetimeLine({ lifetimes = DEFAULT_LIFETIMES, pfs = 'preferred' }: Pick<PeerConfig, 'lifetimes' | 'pfs'>): string {
  const { ikeSa, childSa, childOctets, childPackets } = lifetimes
  const amounts = [
    ...(Number.isFinite(childOctets) ? [`${childOctets} octets`] : []),
    ...(Number.isFinite(childPackets) ? [`${childPackets} packets`] : []),
  ]
  const child = [formatDuration(childSa), ...amounts].join(', ')
  return `  rekeyed before: the IKE SA ${formatDuration(ikeSa)}, Child SAs ${child}; a key exchange for each Child SA: ${PFS[pfs]}`
}

const PFS = { required: 'always', preferred: 'where the peer will', none: 'never' } as const

/** The pin is for `peer.tls` of clients. */
function tlsLines({ tls }: GatewayConfig): string[] {
  if (tls === undefined) return []
  const cipher = tls.nullCipher ? '; the NULL cipher for whoever asks for it' : ''
  return [`TLS with the certificate of ${tls.files.cert}, whose pin is ${certificatePin(tls.cert)}${cipher}`]
}

function poolLines({ pool }: PeerConfig): string[] {
  if (!pool) return []
  return [
    `  hand out ${pool.ranges.join(', ')}${pool.dns.length > 0 ? `; name servers ${pool.dns.join(', ')}` : ''}${pool.subnets.length > 0 ? `; announce ${pool.subnets.join(', ')}` : ''}${pool.domains ? `; names in ${pool.domains.join(', ')}` : ''}${pool.pCscf ? `; P-CSCF ${pool.pCscf.join(', ')}` : ''}`,
  ]
}

function subnets(written: readonly string[] | 'virtual'): string {
  return written === 'virtual' ? 'the assigned address' : written.join(', ')
}

function describeDevice(tun: TunConfig): string {
  if (tun.device === 'memory') return 'none (memory)'
  const kind = tun.device === 'packet' ? ', a veth pair' : ''
  return `${tun.name}${kind}, mtu ${tun.mtu}${tun.addresses.length > 0 ? `, ${tun.addresses.join(', ')}` : ''}`
}

function describePpk({ id, key, isRequired }: Ppk): object {
  return { id: new TextDecoder().decode(id), psk: `${key.length} octets`, isRequired }
}

function redact(key: string, value: unknown): unknown {
  if (key === 'key' && typeof value === 'string') return 'a private key'
  if (key === 'credentials' && value !== undefined) return 'a user and a password'
  if (key === 'ppk' && value !== undefined) return describePpk(value as Ppk)
  // Of keys and certificates only who has them is told.
  if (key === 'signatures' || key === 'authMethods' || key === 'requests') return undefined
  if (key === 'certificates') return (value as readonly unknown[]).length
  if (key === 'secret' && value instanceof Uint8Array) return `${value.length} octets`
  if (key === 'ikeProposals') return (value as readonly IkeSuite[]).map(describeIkeSuite)
  if (key === 'espProposals') return (value as readonly EspSuite[]).map(describeEspSuite)
  // A remote identity that may be any is left out.
  if ((key === 'localId' || key === 'remoteId') && value !== undefined) return describeIdentity(value as PeerConfig['localId'])
  return value
}
