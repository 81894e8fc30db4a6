/** Which way packets leave the host, asked of `ip` and planned as steps. */
import { contains, formatIp, formatIpPrefix, type IpAddress, type IpPrefix, parseIpPrefix, parseIpRange, prefixesOf } from '../ip-prefix.ts'
import type { CommandRunner } from './commands.ts'
import { ip, type Step } from './step.ts'

/**
 * Marks our routes in the kernel, so that taking one back never meets somebody else's like it. Any number that rt_protos does not
 * name would do.
 */
const ROUTE_PROTOCOL = '157'

/** How an address outside the tunnel is reached now. */
export interface RouteToGateway {
  readonly device: string
  readonly via: string | undefined
  readonly source: string | undefined
}

/** Prefixes of the texts' ranges, as the kernel is to be given them: a default route as its two halves, which leaves the host's own default alone. */
export function routedPrefixes(ranges: readonly string[]): IpPrefix[] {
  const prefixes = ranges.flatMap((text) => {
    // A selector may carry ' proto 6 port 80-90' behind its range; routes know neither.
    const range = parseIpRange(text.replace(/\s+(proto|port) .*$/, ''))
    return range ? prefixesOf(range) : []
  })
  const halved = prefixes.flatMap((prefix) => (prefix.length === 0 ? halvesOf(prefix) : [prefix]))
  return [...new Map(halved.map((prefix) => [formatIpPrefix(prefix), prefix])).values()]
}

export function routeStep(prefix: IpPrefix, device: string): Step {
  const text = formatIpPrefix(prefix)
  const route = [text, 'dev', device, 'proto', ROUTE_PROTOCOL]
  return {
    key: `route ${text} dev ${device}`,
    what: `route ${text} through ${device}`,
    action: ip(`-${prefix.family}`, 'route', 'add', ...route),
    undo: ip(`-${prefix.family}`, 'route', 'del', ...route),
    lives: 'device',
    mayExist: true,
    existing: { question: ip(`-${prefix.family}`, 'route', 'show', 'exact', text), instead: `the route to ${text} goes elsewhere` },
  }
}

/** The gateway's own address stays outside the tunnel that leads to it. */
export function gatewayRouteStep(gateway: IpAddress, route: RouteToGateway): Step {
  const prefix = formatIpPrefix({ ...gateway, length: gateway.family === 4 ? 32 : 128 })
  const path = [
    ...(route.via === undefined ? [] : ['via', route.via]),
    'dev',
    route.device,
    ...(route.source === undefined ? [] : ['src', route.source]),
  ]
  const words = [prefix, ...path, 'proto', ROUTE_PROTOCOL]
  return {
    key: `route ${words.join(' ')}`,
    what: `route ${prefix}${route.via === undefined ? '' : ` via ${route.via}`} on ${route.device}, so that the tunnel does not run through itself`,
    action: ip(`-${gateway.family}`, 'route', 'add', ...words),
    undo: ip(`-${gateway.family}`, 'route', 'del', ...words),
    lives: 'namespace',
    mayExist: true,
  }
}

/** Nothing leads to this address of the gateway's beneath the tunnel. What went to it would go through the tunnel, to the gateway that is its end. */
export function noGatewayRouteStep(gateway: IpAddress): Step {
  const prefix = formatIpPrefix({ ...gateway, length: gateway.family === 4 ? 32 : 128 })
  const words = ['unreachable', prefix, 'proto', ROUTE_PROTOCOL]
  return {
    key: `route ${words.join(' ')}`,
    what: `no route to ${prefix}, so that the tunnel does not run through itself`,
    action: ip(`-${gateway.family}`, 'route', 'add', ...words),
    undo: ip(`-${gateway.family}`, 'route', 'del', ...words),
    lives: 'namespace',
    mayExist: true,
  }
}

export function needsGatewayRoute(gateway: IpAddress, routed: readonly IpPrefix[]): boolean {
  return routed.some((prefix) => contains(prefix, gateway))
}

/** 'local': it is an address of this host. `undefined`: unreachable, or not to be found out. Never answers a way through `tunnel`. */
export async function routeTo(gateway: IpAddress, tunnel: string, run: CommandRunner): Promise<RouteToGateway | 'local' | undefined> {
  const family = `-${gateway.family}`
  const [best] = await askIp<KernelRoute>(run, ['-j', family, 'route', 'get', formatIp(gateway)])
  if (best && best.type === 'local') return 'local'
  if (best && best.dev !== undefined && best.dev !== tunnel) return routeOf(best, gateway.family)
  // The tunnel has the address already: look beneath it.
  const longest = (await matching(gateway, run)).find(({ dev }) => dev !== undefined && dev !== tunnel)
  return longest && routeOf(longest, gateway.family)
}

/** The route to the gateway if there were none of ours, in the tunnel or around it; not over a link that leads nowhere. */
export async function routeBeneath(gateway: IpAddress, tunnel: string, run: CommandRunner): Promise<KernelRoute | undefined> {
  return (await notOurs(gateway, tunnel, run)).find((route) => !isDead(route))
}

/** The kernel goes on choosing a link whose carrier is gone (ip-sysctl: ignore_routes_with_linkdown), though there is another. */
export async function leadsNowhere(gateway: IpAddress, tunnel: string, run: CommandRunner): Promise<boolean> {
  const [best, ...others] = await notOurs(gateway, tunnel, run)
  return best !== undefined && isDead(best) && others.some((route) => !isDead(route))
}

/** As {@link routeTo}, but not by what we have put there: that may lead where nothing is any more. */
export async function newRouteTo(gateway: IpAddress, tunnel: string, run: CommandRunner): Promise<RouteToGateway | undefined> {
  const best = await routeBeneath(gateway, tunnel, run)
  return best && routeOf(best, gateway.family)
}

/**
 * How the gateway would be reached without what we have put there, and from which addresses, as text to be compared: '' where there is no
 * way, or no `ip` to ask.
 */
export async function underlayOf(gateway: IpAddress, tunnel: string, run: CommandRunner): Promise<string> {
  const best = await routeBeneath(gateway, tunnel, run)
  if (best === undefined) return ''
  const family = `-${gateway.family}`
  const devices = await askIp<{ addr_info?: { local?: string; scope?: string }[] }>(run, ['-j', family, 'addr', 'show', 'dev', best.dev!])
  const addresses = devices.flatMap(({ addr_info = [] }) =>
    addr_info.flatMap(({ local, scope }) => (scope === 'global' && local !== undefined ? [local] : [])),
  )
  return [best.dev, best.gateway ?? '', ...addresses.sort()].join(' ')
}

/** As `ip -j` says it. */
interface KernelRoute {
  readonly dst?: string
  readonly gateway?: string
  /** A next hop of the other family (RFC 8950). */
  readonly via?: { readonly host?: string }
  readonly dev?: string
  readonly prefsrc?: string
  readonly type?: string
  readonly metric?: number
  readonly protocol?: string
  readonly flags?: readonly string[]
}

const byPrecedence = (a: KernelRoute, b: KernelRoute): number => lengthOf(b.dst) - lengthOf(a.dst) || (a.metric ?? 0) - (b.metric ?? 0)

/** The best first. */
async function matching(gateway: IpAddress, run: CommandRunner): Promise<KernelRoute[]> {
  const routes = await askIp<KernelRoute>(run, ['-j', `-${gateway.family}`, 'route', 'show', 'to', 'match', formatIp(gateway)])
  return routes.sort(byPrecedence)
}

async function notOurs(gateway: IpAddress, tunnel: string, run: CommandRunner): Promise<KernelRoute[]> {
  return (await matching(gateway, run)).filter(({ dev, protocol }) => dev !== undefined && dev !== tunnel && protocol !== ROUTE_PROTOCOL)
}

function isDead({ flags }: KernelRoute): boolean {
  return flags?.some((flag) => flag === 'dead' || flag === 'linkdown') === true
}

/** What `ip -j` answers; nothing, where it does not. */
export async function askIp<T>(run: CommandRunner, args: readonly string[]): Promise<T[]> {
  const { exitCode, stdout } = await run('ip', args)
  if (exitCode !== 0) return []
  try {
    const answer: unknown = JSON.parse(stdout)
    return Array.isArray(answer) ? (answer as T[]) : []
  } catch {
    return []
  }
}

/** IPv6's chosen source is often a temporary address (RFC 8981): the route would vanish with it. */
function routeOf({ dev, gateway, prefsrc }: KernelRoute, family: 4 | 6): RouteToGateway {
  return { device: dev!, via: gateway, source: family === 4 ? prefsrc : undefined }
}

function lengthOf(destination: string | undefined): number {
  return destination === undefined || destination === 'default' ? 0 : (parseIpPrefix(destination)?.length ?? 0)
}

function halvesOf({ family }: IpPrefix): IpPrefix[] {
  return [
    { family, value: 0n, length: 1 },
    { family, value: 1n << (family === 4 ? 31n : 127n), length: 1 },
  ]
}
