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

export function needsGatewayRoute(gateway: IpAddress, routed: readonly IpPrefix[]): boolean {
  return routed.some((prefix) => contains(prefix, gateway))
}

/** `undefined`: local, unreachable, or not to be found out. Never answers a way through `tunnel`. */
export async function routeTo(gateway: IpAddress, tunnel: string, run: CommandRunner): Promise<RouteToGateway | undefined> {
  const family = `-${gateway.family}`
  const [best] = await askRoutes(run, ['-j', family, 'route', 'get', formatIp(gateway)])
  if (best && best.type === 'local') return undefined
  if (best && best.dev !== undefined && best.dev !== tunnel) return routeOf(best, gateway.family)
  // The tunnel has the address already: look beneath it.
  const candidates = (await askRoutes(run, ['-j', family, 'route', 'show', 'to', 'match', formatIp(gateway)])).filter(
    ({ dev }) => dev !== undefined && dev !== tunnel,
  )
  const longest = candidates.sort(byPrecedence)[0]
  return longest && routeOf(longest, gateway.family)
}

/** The route to the gateway if there were none of ours, in the tunnel or around it. */
async function routeBeneath(gateway: IpAddress, tunnel: string, run: CommandRunner): Promise<KernelRoute | undefined> {
  const routes = (await askRoutes(run, ['-j', `-${gateway.family}`, 'route', 'show', 'to', 'match', formatIp(gateway)])).filter(
    ({ dev, protocol, flags }) =>
      dev !== undefined && dev !== tunnel && protocol !== ROUTE_PROTOCOL && !flags?.some((flag) => flag === 'dead' || flag === 'linkdown'),
  )
  return routes.sort(byPrecedence)[0]
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
  const devices = (await askRoutes(run, ['-j', family, 'addr', 'show', 'dev', best.dev!])) as {
    addr_info?: { local?: string; scope?: string }[]
  }[]
  const addresses = devices.flatMap(({ addr_info = [] }) =>
    addr_info.flatMap(({ local, scope }) => (scope === 'global' && local !== undefined ? [local] : [])),
  )
  return [best.dev, best.gateway ?? '', ...addresses.sort()].join(' ')
}

interface KernelRoute {
  readonly dst?: string
  readonly gateway?: string
  readonly dev?: string
  readonly prefsrc?: string
  readonly type?: string
  readonly metric?: number
  readonly protocol?: string
  readonly flags?: readonly string[]
}

const byPrecedence = (a: KernelRoute, b: KernelRoute): number => lengthOf(b.dst) - lengthOf(a.dst) || (a.metric ?? 0) - (b.metric ?? 0)

async function askRoutes(run: CommandRunner, args: readonly string[]): Promise<KernelRoute[]> {
  const { exitCode, stdout } = await run('ip', args)
  if (exitCode !== 0) return []
  try {
    return JSON.parse(stdout) as KernelRoute[]
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
