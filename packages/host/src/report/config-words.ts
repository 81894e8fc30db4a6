/** What a configuration would do, for `check-config` and `--dry-run`. Secrets appear as their length. */
import {
  describeEspSuite,
  describeIdentity,
  describeIkeSuite,
  type EspSuite,
  type IkeSuite,
  type PeerConfig,
} from '@underpass/session-manager'
import type { ClientConfig } from '../config/client-config.ts'
import { describeTransport } from '../config/fields.ts'
import type { GatewayConfig, TcpListener, UdpListener } from '../config/gateway-config.ts'
import type { TunConfig } from '../config/shared-schema.ts'
import { formatAction, formatUndo, type Step } from '../network/step.ts'
import { describeEndpoint } from './event-words.ts'

export function describeClientConfig(config: ClientConfig): string[] {
  const { peer } = config
  return [
    `connect to ${config.gateway}${peer.name === config.gateway ? '' : ` as ${peer.name}`}: ${config.transports.map(describeTransport).join(', then ')}`,
    ...peerLines(peer),
    peer.requestAddresses.length > 0
      ? `  asks for an ${peer.requestAddresses.map((family) => (family === 'ipv4' ? 'IPv4' : 'IPv6')).join(' and an ')} address`
      : '  asks for no address',
    `  if the first attempt fails: ${config.keepRetrying ? 'keep trying' : 'give up'}`,
    `device ${describeDevice(config.tun)}`,
    `routes ${typeof config.routes === 'string' ? ROUTES[config.routes] : config.routes.join(', ')}`,
    `name servers of the gateway: ${DNS[config.dns]}`,
    `cryptography: ${config.crypto}`,
  ]
}

export function describeGatewayConfig(config: GatewayConfig): string[] {
  const at = ({ address, port }: UdpListener): string => (address === undefined ? `port ${port}` : describeEndpoint({ address, port }))
  const tcp = (one: TcpListener): string => `${at(one)}${one.framing === 'rfc9329' ? '' : ` (${one.framing} framing)`}`
  return [
    `listen on UDP ${config.udp.map(at).join(', ') || 'nowhere'}; on TCP ${config.tcp.map(tcp).join(', ') || 'nowhere'}`,
    ...config.peers.flatMap((peer) => [`serve ${peer.name}`, ...peerLines(peer), ...poolLines(peer)]),
    `device ${describeDevice(config.tun)}`,
    `forwarding ${config.forwarding ? 'turned on while running' : 'left as it is'}`,
    `cryptography: ${config.crypto}`,
  ]
}

/** As commands, with what undoes each. */
export function describeSteps(steps: readonly Step[]): string[] {
  return steps.flatMap((step) => [`  ${formatAction(step.action)}`, `    undone: ${formatUndo(step)}`])
}

/** The configuration as plain data for `--json`, without secrets. */
export function configAsJson(config: ClientConfig | GatewayConfig): unknown {
  return JSON.parse(JSON.stringify(config, redact)) as unknown
}

const ROUTES = { negotiated: 'what the gateway agrees to', none: 'nothing' } as const

const DNS = { report: 'only shown', resolvectl: 'given to systemd-resolved', 'resolv-conf': 'written to /etc/resolv.conf' } as const

function peerLines(peer: Omit<PeerConfig, 'dial'>): string[] {
  return [
    `  we are ${describeIdentity(peer.localId)}, they are ${peer.remoteId ? describeIdentity(peer.remoteId) : 'whoever has the secret'} (a secret of ${peer.psk.length} octets)`,
    `  ours ${subnets(peer.localSubnets)} <-> theirs ${subnets(peer.remoteSubnets)}`,
    `  IKE ${peer.ikeProposals.map(describeIkeSuite).join(', ')}`,
    `  ESP ${peer.espProposals.map(describeEspSuite).join(', ')}${peer.esn ? '' : ', no extended sequence numbers'}; replay window ${peer.replayWindow}`,
  ]
}

function poolLines({ pool }: PeerConfig): string[] {
  if (!pool) return []
  return [
    `  hands out ${pool.ranges.join(', ')}${pool.dns.length > 0 ? `; name servers ${pool.dns.join(', ')}` : ''}${pool.subnets.length > 0 ? `; announces ${pool.subnets.join(', ')}` : ''}`,
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

function redact(key: string, value: unknown): unknown {
  if (key === 'psk' && value instanceof Uint8Array) return `${value.length} octets`
  if (key === 'ikeProposals') return (value as readonly IkeSuite[]).map(describeIkeSuite)
  if (key === 'espProposals') return (value as readonly EspSuite[]).map(describeEspSuite)
  if (key === 'localId' || key === 'remoteId') return describeIdentity(value as PeerConfig['localId'])
  return value
}
