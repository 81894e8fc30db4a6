/** Whether TCP connections may have the congestion control that the configuration names: asked at start, not when the first one comes. */
import { readFileSync } from 'node:fs'
import { tcpSockets } from '@underpass/tls-transport'
import { HostError } from '../host-error.ts'

// An optional dependency, as in tls-transport: without it the runtime's sockets serve, which have no such option.
const native = await import('@underpass/native').catch(() => undefined)

export interface CongestionControlRefusal {
  readonly code: 'NOT_SUPPORTED' | 'NOT_PERMITTED'
  /** '"bbr" is not …', with what the kernel has. */
  readonly reason: string
}

/** Throws `HostError` where it cannot be had. */
export function checkCongestionControl(name: string): void {
  const refusal = refusedCongestionControl(name)
  if (refusal === undefined) return
  const message = `[tcp] congestion_control = ${refusal.reason}`
  throw new HostError(refusal.code, message, { what: `[tcp] congestion_control = "${name}"` })
}

/** `undefined`: this process may have it. */
export function refusedCongestionControl(name: string): CongestionControlRefusal | undefined {
  const sockets = tcpSockets()
  if (native === undefined || sockets.kind !== 'native') {
    const why = 'reason' in sockets ? sockets.reason : 'they are not installed'
    return { code: 'NOT_SUPPORTED', reason: `"${name}" needs native sockets, which there are not: ${why}. Leave the key out` }
  }
  const libc = native.loadLibc()
  const socket = libc.socket(AF_INET, SOCK_STREAM, 0)
  try {
    native.loadTcpCalls().setCongestionControl(socket, name)
    return undefined
  } catch (error) {
    return refusedWith((error as { context?: { errno?: string } }).context?.errno, name)
  } finally {
    libc.close(socket)
  }
}

function refusedWith(errno: string | undefined, name: string): CongestionControlRefusal {
  if (errno === 'EPERM')
    return {
      code: 'NOT_PERMITTED',
      reason: `"${name}" is not allowed without CAP_NET_ADMIN; allowed is: ${setting('allowed')}. The machine's administrator can add to net.ipv4.tcp_allowed_congestion_control`,
    }
  return {
    code: 'NOT_SUPPORTED',
    reason: `"${name}" is not loaded in this kernel; it has: ${setting('available')}. "modprobe tcp_${name}" as root loads it where the kernel brings it`,
  }
}

function setting(which: 'allowed' | 'available'): string {
  try {
    return readFileSync(`/proc/sys/net/ipv4/tcp_${which}_congestion_control`, 'latin1').trim().split(' ').join(', ')
  } catch {
    return 'unknown here'
  }
}

const AF_INET = 2
const SOCK_STREAM = 1
