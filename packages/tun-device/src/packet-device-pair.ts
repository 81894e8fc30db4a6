import { loadLibc } from '@underpass/native'
import { asTunError, interfaceMac, interfaceRequest } from './interface-request.ts'
import { ip } from './ip-command.ts'
import { openPacketDevice } from './open-packet-device.ts'
import { type TunDevice, TunError } from './tun-device.ts'

export interface PacketDevicePairOptions {
  /** Name of the kernel's end, which gets addresses and routes. At most 15 characters. */
  readonly name: string
  /** Name of our end. Default: `name` with `-far`, cut to fit. */
  readonly far?: string
  /** Octets, 68 … 65,535. Default 1,500. */
  readonly mtu?: number
}

export interface PacketDevicePair {
  readonly name: string
  readonly far: string
  /** The device over our end. Its name is that of the kernel's end. */
  open(): TunDevice
  /** Removes both interfaces, wherever the kernel's end was moved to. Idempotent. A device still open over them fails with `INTERFACE_GONE`. */
  remove(): void
}

/**
 * Makes a veth pair in this network namespace that behaves like a TUN: no ARP and no neighbour discovery, no addresses of its own,
 * both ends up. Needs `ip` (iproute2) and CAP_NET_ADMIN in the namespace.
 *
 * @throws TunError `COMMAND_FAILED`, `ARGUMENT`; nothing is left behind then
 */
export function createPacketDevicePair(options: PacketDevicePairOptions): PacketDevicePair {
  const { name, mtu = 1500 } = options
  const far = options.far ?? `${name.slice(0, 11)}-far`
  interfaceRequest(name)
  interfaceRequest(far)
  ip(name, ['link', 'add', 'name', name, 'mtu', String(mtu), 'type', 'veth', 'peer', 'name', far, 'mtu', String(mtu)])
  const remove = (): void => {
    try {
      ip(name, ['link', 'del', 'dev', far])
    } catch (error) {
      if (!(error instanceof TunError && /Cannot find device/.test(error.message))) throw error
    }
  }
  try {
    // Asked for now, because the kernel's end may be moved to another namespace before the device is opened.
    const peerMac = interfaceMac(loadLibc(), name)
    // Without ARP the kernel's end sends to its own Ethernet address; our end's kernel takes that for a stranger's and leaves it alone.
    ip(name, ['link', 'set', 'dev', name, 'arp', 'off', 'multicast', 'off', 'addrgenmode', 'none', 'up'])
    ip(name, ['link', 'set', 'dev', far, 'arp', 'off', 'multicast', 'off', 'addrgenmode', 'none', 'up'])
    return { name, far, remove, open: () => openPacketDevice({ interface: far, name, peerMac }) }
  } catch (error) {
    remove()
    throw asTunError(error, name)
  }
}
