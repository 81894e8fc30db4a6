/** By what a network is known again: the next hop toward the gateway and its link-layer address. */
import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { formatIp, type IpAddress, parseIp } from '../ip-prefix.ts'
import type { CommandRunner } from './commands.ts'
import { askIp, routeBeneath, routeTo } from './routes.ts'

/**
 * Sixteen hexadecimal digits; `undefined` where there is no way to any of the addresses or one is this host's, where nothing tells the network from
 * another, or where there is no `ip` to ask. Of IPv4 and IPv6 the former decides, so that which address is preferred makes no other network of it.
 */
export async function networkIdentity(
  addresses: readonly string[],
  tunnel: string,
  run: CommandRunner,
  rouse: (hop: string) => Promise<void>,
): Promise<string | undefined> {
  const parsed = addresses.flatMap((address) => parseIp(address) ?? []).sort((a, b) => a.family - b.family)
  for (const address of parsed) {
    if ((await routeTo(address, tunnel, run)) === 'local') return undefined
    const hop = await nextHop(address, tunnel, run)
    if (hop === undefined) continue
    const link = await linkOf(hop.device, run)
    if (link === undefined || link.type === 'loopback') return undefined
    // A point-to-point link has nobody else on it: its name and kind are all there is.
    const neighbour = link.isShared ? await neighbourOf(hop, run, rouse) : ''
    if (neighbour === undefined) return undefined
    const facts = link.isShared ? [link.type, hop.address, neighbour] : [link.type, hop.device]
    return createHash('sha256').update(facts.join(' ')).digest('hex').slice(0, 16)
  }
  return undefined
}

interface Hop {
  readonly device: string
  readonly address: string
}

async function nextHop(address: IpAddress, tunnel: string, run: CommandRunner): Promise<Hop | undefined> {
  const route = await routeBeneath(address, tunnel, run)
  return route && { device: route.dev!, address: route.gateway ?? route.via?.host ?? formatIp(address) }
}

async function linkOf(device: string, run: CommandRunner): Promise<{ readonly type: string; readonly isShared: boolean } | undefined> {
  const [link] = await askIp<{ link_type?: string; linkinfo?: { info_kind?: string }; flags?: string[] }>(run, [
    '-j',
    '-d',
    'link',
    'show',
    'dev',
    device,
  ])
  if (link?.link_type === undefined) return undefined
  const kind = link.linkinfo?.info_kind
  return {
    type: kind === undefined ? link.link_type : `${link.link_type}/${kind}`,
    isShared: link.flags?.some((flag) => flag === 'NOARP' || flag === 'POINTOPOINT') !== true,
  }
}

async function neighbourOf(hop: Hop, run: CommandRunner, rouse: (hop: string) => Promise<void>): Promise<string | undefined> {
  for (const wait of [0, ...WAITS]) {
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    const [neighbour] = await askIp<{ lladdr?: string }>(run, ['-j', 'neigh', 'show', hop.address, 'dev', hop.device])
    if (neighbour?.lladdr !== undefined) return neighbour.lladdr
    // Nothing was sent by it yet: the kernel asks for its address with the first packet (RFC 826, RFC 4861 §7.2.2).
    if (wait === 0) await rouse(hop.address.toLowerCase().startsWith('fe80:') ? `${hop.address}%${hop.device}` : hop.address)
  }
  return undefined
}

/** Milliseconds for the answer, which on a network that is there comes in one or two. */
const WAITS = [5, 20, 50] as const

/** RFC 863. */
const DISCARD = 9

/** An empty datagram, which nobody answers. */
export function sendNothing(hop: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = createSocket(hop.includes(':') ? 'udp6' : 'udp4')
    const end = (): void => void socket.close(() => resolve())
    socket.once('error', end)
    socket.send(new Uint8Array(0), DISCARD, hop, end)
  })
}
