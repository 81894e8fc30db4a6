/** The tunnel's interface and the addresses on it, as steps. */
import type { TunConfig } from '../config/shared-schema.ts'
import { HostError } from '../host-error.ts'
import { bitsOf, formatIpPrefix, parseIp, parseIpPrefix } from '../ip-prefix.ts'
import type { CommandRunner } from './commands.ts'
import { ip, type Step } from './step.ts'

/**
 * What opening the device leaves in the kernel: nothing for a TUN, which goes with the process; the veth pair of a packet device.
 * Written down before it is opened, like every other change.
 */
export function openingSteps({ device, name }: TunConfig): Step[] {
  if (device !== 'packet') return []
  return [
    {
      key: `link ${name}`,
      what: `veth pair ${name}`,
      action: { kind: 'open', device: name },
      undo: ip('link', 'del', 'dev', name),
      lives: 'namespace',
    },
  ]
}

/** A veth pair of this name that is not ours must not be taken down as if it were. Throws `HostError` ALREADY_RUNNING. */
export async function requireFreeName({ device, name }: TunConfig, run: CommandRunner): Promise<void> {
  if (device !== 'packet' || (await run('ip', ['link', 'show', 'dev', name])).exitCode !== 0) return
  throw new HostError('ALREADY_RUNNING', `there is an interface ${name} already; configure another name under [tun]`, {
    path: name,
    pid: undefined,
  })
}

/** Once the device is there. `name` is what the kernel called it. */
export function configurationSteps(tun: TunConfig, name: string): Step[] {
  const up: Step = {
    key: `link ${name} up`,
    what: `${name} up, mtu ${tun.mtu}`,
    action: ip('link', 'set', 'dev', name, 'mtu', String(tun.mtu), 'up'),
    undo: ip('link', 'set', 'dev', name, 'down'),
    lives: 'device',
  }
  return [up, ...tun.addresses.map((text) => addressStep(text, name))]
}

/** An address that the peer assigned: alone on the device, whatever netmask came with it; the routes follow the traffic selectors. */
export function assignedAddressStep(address: string, device: string): Step | undefined {
  const parsed = parseIp(address)
  return parsed && addressStep(formatIpPrefix({ ...parsed, length: bitsOf(parsed.family) }), device)
}

function addressStep(text: string, device: string): Step {
  const prefix = parseIpPrefix(text)!
  const words = [formatIpPrefix(prefix), 'dev', device]
  // Duplicate address detection has nobody to ask on a tunnel and would hold the address back (RFC 4862 §5.4).
  const flags = [...(prefix.family === 6 ? ['nodad'] : []), ...(prefix.length < bitsOf(prefix.family) ? ['noprefixroute'] : [])]
  return {
    key: `address ${words.join(' ')}`,
    what: `address ${words[0]} on ${device}`,
    action: ip(`-${prefix.family}`, 'address', 'add', ...words, ...flags),
    undo: ip(`-${prefix.family}`, 'address', 'del', ...words),
    lives: 'device',
  }
}
