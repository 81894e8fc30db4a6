/** Whether this process may change the host's network. */
import { readFileSync } from 'node:fs'
import { HostError } from '../host-error.ts'

/** Throws `HostError` NOT_SUPPORTED off Linux, NOT_PERMITTED without CAP_NET_ADMIN. */
export function requireNetAdmin(device: string): void {
  if (process.platform !== 'linux') {
    throw new HostError('NOT_SUPPORTED', `host addresses and routes are implemented for Linux, not for ${process.platform}`, {
      what: process.platform,
    })
  }
  if (hasNetAdmin()) return
  throw notPermitted(device)
}

export function notPermitted(device: string): HostError<'NOT_PERMITTED'> {
  const message = `${device} cannot be made: run as root or with CAP_NET_ADMIN; inside a network namespace of your own without /dev/net/tun, with [tun] device = "packet"`
  return new HostError('NOT_PERMITTED', message, { what: device })
}

/** capabilities(7): CAP_NET_ADMIN. */
const CAP_NET_ADMIN = 12n

function hasNetAdmin(): boolean {
  try {
    const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return effective !== undefined && ((BigInt(`0x${effective}`) >> CAP_NET_ADMIN) & 1n) === 1n
  } catch {
    return false
  }
}
