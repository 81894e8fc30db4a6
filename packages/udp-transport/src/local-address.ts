// Which of this host's addresses a packet toward a peer leaves from. Nothing is sent.
import { createSocket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import type { Endpoint } from './endpoint.ts'
import { addressOctets, chooseRoute, parseIpv4Routes, parseIpv6Routes, type Route } from './route-table.ts'
import { sendError, UdpError } from './udp-error.ts'

/** @throws UdpError 'UNREACHABLE' when there is no route, 'SOCKET_ERROR' */
export async function localAddressToward(remote: Endpoint): Promise<string> {
  const address = await connectedAddress(remote)
  if (address !== '0.0.0.0' && address !== '::') return address
  // Deno's `connect` only remembers the peer, the kernel is not asked.
  return await routedAddress(remote.address)
}

/** `connect` on a datagram socket makes the kernel choose route and source address, policy routing included. */
function connectedAddress(remote: Endpoint): Promise<string> {
  return new Promise((resolve, reject) => {
    const probe = createSocket(isIP(remote.address) === 6 ? 'udp6' : 'udp4')
    probe.once('error', (cause) => {
      probe.close()
      reject(sendError(cause))
    })
    // Any port will do: connecting sends nothing.
    probe.connect(remote.port > 0 ? remote.port : 4500, remote.address, ((cause?: Error) => {
      if (cause !== undefined && cause !== null) {
        probe.close()
        reject(sendError(cause))
        return
      }
      const { address } = probe.address()
      probe.close()
      resolve(address)
    }) as () => void)
  })
}

/** From the main routing table and the interfaces. Rules of policy routing are not seen. @throws UdpError 'UNREACHABLE' */
export async function routedAddress(remote: string): Promise<string> {
  const family = isIP(remote)
  const destination = addressOctets(remote)
  const interfaces = networkInterfaces()
  if (isOurs(destination, family, interfaces)) return remote
  const route = chooseRoute(await routes(family), destination)
  const addresses = (route === undefined ? [] : (interfaces[route.device] ?? [])).filter((each) => each.family === `IPv${family}`)
  const local = addresses.find((each) => isInSubnet(each, route?.gateway ?? destination)) ?? addresses[0]
  if (local === undefined) throw new UdpError('UNREACHABLE', `no route to ${remote}`, { address: remote })
  return local.address
}

async function routes(family: number): Promise<Route[]> {
  return family === 6 ? parseIpv6Routes(await read('/proc/net/ipv6_route')) : parseIpv4Routes(await read('/proc/net/route'))
}

function isOurs(destination: Uint8Array, family: number, interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): boolean {
  if (family === 4 && destination[0] === 127) return true
  return Object.values(interfaces).some((list) => list?.some((each) => isEqual(addressOctets(each.address), destination)))
}

function isInSubnet(info: NetworkInterfaceInfo, address: Uint8Array): boolean {
  const mask = addressOctets(info.netmask)
  const own = addressOctets(info.address)
  return address.length === own.length && own.every((octet, i) => (octet & mask[i]) === (address[i] & mask[i]))
}

function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((octet, i) => octet === right[i])
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return ''
  }
}
