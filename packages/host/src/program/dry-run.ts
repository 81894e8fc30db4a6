/** `check-config` and `--dry-run`: what would be done, in words and commands; nothing is. */
import type { ClientConfig } from '../config/client-config.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import { parseIp } from '../ip-prefix.ts'
import { addressesIn } from '../names/places.ts'
import { planRoutes } from '../network/client-network.ts'
import { configurationSteps, openingSteps } from '../network/device-steps.ts'
import { forwardingSteps, peerRouteSteps } from '../network/gateway-network.ts'
import { gatewayRouteStep, needsGatewayRoute, routeStep, routeTo } from '../network/routes.ts'
import { describeClientConfig, describeGatewayConfig, describeSteps } from '../report/config-words.ts'
import { type ProgramPorts, placesOfGateway } from './ports.ts'

/** The client's plan. With `ports` the gateway's name is resolved and the way to it looked up, which changes nothing. */
export async function clientPlan(
  config: ClientConfig,
  ports?: Pick<ProgramPorts, 'run' | 'resolve' | 'resolveServices'>,
): Promise<string[]> {
  const lines = describeClientConfig(config)
  if (config.tun.device === 'memory') return [...lines, UNTOUCHED]
  const device = config.tun.name
  const asked = config.peer.remoteSubnets === 'virtual' ? [] : config.peer.remoteSubnets
  const { prefixes, notices } = planRoutes(
    config,
    asked,
    config.tun.addresses.length > 0 ? config.tun.addresses : expectedAddresses(config),
  )
  lines.push(
    'change this host, when the gateway agrees to all that is asked:',
    ...describeSteps([...openingSteps(config.tun), ...configurationSteps(config.tun, device)]),
  )
  if (config.peer.requestAddresses.length > 0) lines.push(`  address that the gateway assigns, on ${device}`)
  const places = ports === undefined ? [] : await placesOfGateway(config, ports).catch(() => [])
  for (const gateway of addressesIn(places).flatMap((address) => parseIp(address) ?? [])) {
    const route = ports && needsGatewayRoute(gateway, prefixes) ? await routeTo(gateway, device, ports.run) : undefined
    if (route && route !== 'local') lines.push(...describeSteps([gatewayRouteStep(gateway, route)]))
  }
  if (!ports && prefixes.some(({ length }) => length === 1)) lines.push(`  route to ${config.gateway} itself, outside the tunnel`)
  lines.push(
    ...describeSteps(prefixes.map((prefix) => routeStep(prefix, device))),
    ...notices.map((notice) => `  note: ${notice}`),
    AT_THE_END,
  )
  return lines
}

export function gatewayPlan(config: GatewayConfig): string[] {
  const lines = describeGatewayConfig(config)
  if (config.tun.device === 'memory') return [...lines, UNTOUCHED]
  const device = config.tun.name
  const steps = [
    ...openingSteps(config.tun),
    ...configurationSteps(config.tun, device),
    ...peerRouteSteps(config, device),
    ...forwardingSteps(config),
  ]
  return [...lines, 'change this host:', ...describeSteps(steps), AT_THE_END]
}

const UNTOUCHED = 'change nothing on this host: tun = "memory"'

const AT_THE_END = 'at the end, or after a crash by "down" or the next start: undo what was done, newest first'

/** One of each family that is asked for, so that the plan has its routes. */
function expectedAddresses({ peer }: ClientConfig): string[] {
  return peer.requestAddresses.map((family) => (family === 'ipv4' ? '0.0.0.0' : '::'))
}
