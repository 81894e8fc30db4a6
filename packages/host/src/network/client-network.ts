/** What a client's host needs so that packets find the tunnel, kept in step with the session's events. */
import type { SessionEvent } from '@underpass/session-manager'
import type { ClientConfig } from '../config/client-config.ts'
import { formatIpPrefix, type IpAddress, type IpPrefix, parseIp } from '../ip-prefix.ts'
import type { CommandRunner } from './commands.ts'
import { assignedAddressStep, configurationSteps, openingSteps, requireFreeName } from './device-steps.ts'
import { dnsSteps } from './dns-steps.ts'
import type { HostNetwork } from './host-network.ts'
import {
  gatewayRouteStep,
  leadsNowhere,
  needsGatewayRoute,
  newRouteTo,
  noGatewayRouteStep,
  routedPrefixes,
  routeStep,
  routeTo,
} from './routes.ts'
import type { Step } from './step.ts'

export type ClientNetworkConfig = Pick<ClientConfig, 'tun' | 'routes' | 'dns'>

export interface ClientNetworkOptions {
  readonly config: ClientNetworkConfig
  readonly host: HostNetwork
  readonly run: CommandRunner
  readonly onNotice: (text: string) => void
  /** Where else the tunnel may go next: these stay outside it, too. */
  readonly alternatives?: () => readonly string[]
}

export class ClientNetwork {
  readonly #options: ClientNetworkOptions
  #device: string
  #gateway: string | undefined
  /** Where the gateway says that it is, too: the tunnel may move there, and must not find itself on its way. */
  #additional: readonly string[] = []
  #addresses: readonly string[] = []
  /** The addresses that the device has. */
  #assigned: readonly Step[] = []
  #dns: readonly string[] = []
  #domains: readonly string[] = []
  #remoteTs: readonly string[] = []
  /** Notices that hold now: a rekeyed SA repeats none. */
  #told: ReadonlySet<string> = new Set()

  #unrouted: readonly string[] = []

  constructor(options: ClientNetworkOptions) {
    this.#options = options
    this.#device = options.config.tun.name
  }

  /** Before the device is opened. */
  async prepare(): Promise<void> {
    await requireFreeName(this.#options.config.tun, this.#options.run)
    await this.#options.host.replace('opening', openingSteps(this.#options.config.tun))
  }

  /** Once the device is open, under the name that the kernel gave it. */
  async configure(device: string): Promise<void> {
    this.#device = device
    await this.#options.host.replace('device', configurationSteps(this.#options.config.tun, device))
  }

  /** What the tunnel has no route to, as another one is in its place. */
  get unrouted(): readonly string[] {
    return this.#unrouted
  }

  /** Where packets for the gateway go, or for the proxy before it. */
  get gateway(): string | undefined {
    return this.#gateway
  }

  /** The way beneath the tunnel is another: that to the gateway is looked for anew, as ours may lead where nothing is any more. */
  async underlayChanged(): Promise<void> {
    const { config, host } = this.#options
    const { prefixes } = planRoutes(config, this.#remoteTs, [...this.#addresses, ...config.tun.addresses])
    await host.replace('gateway', await this.#gatewaySteps(prefixes, newRouteTo))
  }

  /** Follows the session. While the tunnel is lost its routes stay: what was meant for it does not leave in the clear. */
  async follow(event: SessionEvent): Promise<void> {
    switch (event.kind) {
      case 'ike-sa-established':
        this.#gateway = event.path.remote.address
        return
      case 'path-moved':
        this.#gateway = event.to.remote.address
        return this.#bringInLine()
      case 'additional-addresses':
        this.#additional = event.addresses
        return this.#bringInLine()
      case 'addresses-assigned':
        this.#addresses = event.addresses.map(({ address }) => address)
        this.#dns = event.dns
        this.#domains = event.domains
        return
      case 'child-sa-installed':
        this.#remoteTs = event.remoteTs
        return this.#bringInLine()
      default:
        return
    }
  }

  async #bringInLine(): Promise<void> {
    const { config, host, onNotice } = this.#options
    const plan = planRoutes(config, this.#remoteTs, [...this.#addresses, ...config.tun.addresses])
    for (const notice of plan.notices) if (!this.#told.has(notice)) onNotice(notice)
    this.#told = new Set(plan.notices)
    const addresses = this.#addresses.flatMap((address) => assignedAddressStep(address, this.#device) ?? [])
    // The new one first: with an interface's last address the kernel takes its routes away, and what was meant for the tunnel would
    // leave in the clear.
    await host.replace('addresses', [...this.#assigned, ...addresses])
    await host.replace('addresses', addresses)
    this.#assigned = addresses
    await host.replace('gateway', await this.#gatewaySteps(plan.prefixes, routeTo))
    const inTheWay = await host.replace(
      'routes',
      plan.prefixes.map((prefix) => routeStep(prefix, this.#device)),
    )
    this.#unrouted = plan.prefixes
      .filter((prefix) => inTheWay.some(({ key }) => key === routeStep(prefix, this.#device).key))
      .map(formatIpPrefix)
    const isDefaultRoute = plan.prefixes.some(({ length }) => length === 1)
    const dns = { handling: config.dns, servers: this.#dns, domains: this.#domains, device: this.#device, isDefaultRoute }
    await host.replace('dns', dnsSteps(dns))
  }

  async #gatewaySteps(prefixes: readonly IpPrefix[], find: typeof routeTo): Promise<Step[]> {
    const { alternatives = () => [] } = this.#options
    const addresses = new Set([...(this.#gateway === undefined ? [] : [this.#gateway]), ...alternatives(), ...this.#additional])
    const steps: Step[] = []
    for (const text of addresses) {
      const address = parseIp(text)
      if (address) steps.push(...(await this.#stepsTo(address, prefixes, find)))
    }
    return steps
  }

  async #stepsTo(gateway: IpAddress, prefixes: readonly IpPrefix[], find: typeof routeTo): Promise<Step[]> {
    const { run } = this.#options
    const isInTunnel = needsGatewayRoute(gateway, prefixes)
    const isNowhere = await leadsNowhere(gateway, this.#device, run)
    if (!isInTunnel && !isNowhere) return []
    const route = await (isNowhere ? newRouteTo : find)(gateway, this.#device, run)
    if (route === 'local') return []
    if (route) return [gatewayRouteStep(gateway, route)]
    return isInTunnel ? [noGatewayRouteStep(gateway)] : []
  }
}

export interface RoutePlan {
  readonly prefixes: readonly IpPrefix[]
  readonly notices: readonly string[]
}

/** What of the remote traffic selectors is routed: as configured, and only for families in which we have an address. */
export function planRoutes(config: ClientNetworkConfig, remoteTs: readonly string[], addresses: readonly string[]): RoutePlan {
  if (config.routes === 'none') return { prefixes: [], notices: [] }
  const wanted = routedPrefixes(config.routes === 'negotiated' ? remoteTs : config.routes)
  const families = new Set(addresses.map((address) => (address.includes(':') ? 6 : 4)))
  const prefixes = addresses.length === 0 ? wanted : wanted.filter(({ family }) => families.has(family))
  const without = wanted.find((prefix) => !prefixes.includes(prefix))
  const notices = without ? [`${formatIpPrefix(without)} is not routed: the tunnel has no IPv${without.family} address`] : []
  const takesIpv4 = prefixes.some(({ family, length }) => family === 4 && length === 1)
  if (takesIpv4 && !prefixes.some(({ family }) => family === 6)) notices.push('IPv6 traffic stays outside the tunnel')
  return { prefixes, notices }
}
