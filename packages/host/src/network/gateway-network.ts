/** What a gateway's host needs: its device, the ways to its peers, and forwarding where it is asked for. All of it at start. */
import type { PeerConfig } from '@underpass/session-manager'
import type { GatewayConfig } from '../config/gateway-config.ts'
import type { TunConfig } from '../config/shared-schema.ts'
import { contains, formatIpPrefix, type IpPrefix, parseIpPrefix, parseIpRange, prefixesOf } from '../ip-prefix.ts'
import type { CommandRunner } from './commands.ts'
import { configurationSteps, openingSteps, requireFreeName } from './device-steps.ts'
import type { HostNetwork } from './host-network.ts'
import { routeStep } from './routes.ts'
import type { Step } from './step.ts'

export type GatewayNetworkConfig = Pick<GatewayConfig, 'tun' | 'peers' | 'routes' | 'forwarding'>

export class GatewayNetwork {
  readonly #config: GatewayNetworkConfig
  readonly #host: HostNetwork
  readonly #run: CommandRunner

  constructor(config: GatewayNetworkConfig, host: HostNetwork, run: CommandRunner) {
    this.#config = config
    this.#host = host
    this.#run = run
  }

  /** Before the device is opened. */
  async prepare(): Promise<void> {
    await requireFreeName(this.#config.tun, this.#run)
    await this.#host.replace('opening', openingSteps(this.#config.tun))
  }

  /** Once the device is open, under the name that the kernel gave it. */
  async configure(device: string): Promise<void> {
    await this.#host.replace('device', configurationSteps(this.#config.tun, device))
    await this.#host.replace('routes', peerRouteSteps(this.#config, device))
    await this.#host.replace('forwarding', forwardingSteps(this.#config))
  }
}

/** Routes to the pools and to the peers' subnets. Never a default route: a gateway's own way out is not a peer's to take. */
export function peerRouteSteps({ routes, peers, tun }: Omit<GatewayNetworkConfig, 'forwarding'>, device: string): Step[] {
  if (!routes) return []
  const prefixes = peers.flatMap((peer) => rangesOf(peer).flatMap((range) => prefixesFor(range, tun))).filter(({ length }) => length > 0)
  const distinct = new Map(prefixes.map((prefix) => [formatIpPrefix(prefix), prefix]))
  return [...distinct.values()].map((prefix) => routeStep(prefix, device))
}

export function forwardingSteps({ forwarding, peers, tun }: Pick<GatewayNetworkConfig, 'forwarding' | 'peers' | 'tun'>): Step[] {
  if (!forwarding) return []
  const hasIpv6 = [...peers.flatMap(rangesOf), ...tun.addresses].some((text) => text.includes(':'))
  return [sysctlStep('net/ipv4/ip_forward'), ...(hasIpv6 ? [sysctlStep('net/ipv6/conf/all/forwarding')] : [])]
}

function rangesOf({ pool, remoteSubnets }: PeerConfig): readonly string[] {
  return pool?.ranges ?? (remoteSubnets === 'virtual' ? [] : remoteSubnets)
}

/** A pool inside the network of the device's own address takes one route for that network instead of a dozen for its exact range. */
function prefixesFor(text: string, tun: TunConfig): IpPrefix[] {
  const range = parseIpRange(text)
  if (!range) return []
  for (const address of tun.addresses) {
    const network = parseIpPrefix(address)
    const { family, first, last } = range
    if (network && contains(network, { family, value: first }) && contains(network, { family, value: last }))
      return prefixesOf(parseIpRange(address)!)
  }
  return prefixesOf(range)
}

function sysctlStep(name: string): Step {
  const path = `/proc/sys/${name}`
  return {
    key: `sysctl ${name}`,
    what: `sysctl ${name.replaceAll('/', '.')} = 1`,
    action: { kind: 'write', path, content: '1\n' },
    undo: 'restore',
    lives: 'namespace',
  }
}
