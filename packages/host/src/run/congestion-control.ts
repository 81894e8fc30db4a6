/** Whether TCP connections may have the congestion control that the configuration names: asked at start, not when the first one comes. */
import { readFileSync } from 'node:fs'
import { tcpSockets } from '@underpass/tls-transport'
import { HostError } from '../host-error.ts'

// An optional dependency, as in tls-transport: without it the runtime's sockets serve, which have no such option.
const native = await import('@underpass/native').catch(() => undefined)

/** Throws `HostError` NOT_SUPPORTED or NOT_PERMITTED, whose message says what the kernel has. */
export function checkCongestionControl(name: string): void {
  const what = `[tcp] congestion_control = "${name}"`
  const sockets = tcpSockets()
  if (native === undefined || sockets.kind !== 'native') {
    const reason = 'reason' in sockets ? sockets.reason : 'they are not installed'
    throw new HostError('NOT_SUPPORTED', `${what} needs native sockets, which there are not: ${reason}. Leave the key out`, { what })
  }
  const libc = native.loadLibc()
  const socket = libc.socket(AF_INET, SOCK_STREAM, 0)
  try {
    native.loadTcpCalls().setCongestionControl(socket, name)
  } catch (error) {
    throw refused(what, (error as { context?: { errno?: string } }).context?.errno)
  } finally {
    libc.close(socket)
  }
}

function refused(what: string, errno: string | undefined): HostError {
  if (errno === 'EPERM')
    return new HostError(
      'NOT_PERMITTED',
      `${what} is not allowed without CAP_NET_ADMIN; allowed is: ${setting('allowed')}. The machine's administrator can add to net.ipv4.tcp_allowed_congestion_control`,
      { what },
    )
  return new HostError('NOT_SUPPORTED', `${what}: this kernel does not have it loaded; it has: ${setting('available')}`, { what })
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
