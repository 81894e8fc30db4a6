/** What was asked of sockets, or is wanted by RFC 9329, and cannot be had on this runtime or kernel: told, never passed over. */
import { readFileSync } from 'node:fs'
import { untunable } from '@underpass/tls-transport'

// An optional dependency, as in tls-transport.
const native = await import('@underpass/native').catch(() => undefined)

export interface TuningGap {
  readonly text: string
  /** The configuration has a key for it. */
  readonly isAsked: boolean
}

export interface TuningWishes {
  /** Words for what is configured: 'dscp', 'tcp.send_buffer'. */
  readonly ofTcp: readonly string[]
  readonly ofUdp: readonly string[]
  /** Octets that are configured, by the key's name. */
  readonly buffers: readonly { readonly key: string; readonly which: 'send' | 'receive'; readonly octets: number }[]
  /** There are such connections. */
  readonly usesTcp: boolean
  /** TLS without libssl, and proxies by name, are on the runtime's sockets. */
  readonly usesRuntimeTcp: boolean
  /** Why the UDP sockets are not native; `undefined` where they are, or there are none. */
  readonly udpFallback: string | undefined
}

export function tuningGaps(wishes: TuningWishes, readSetting: (name: string) => number | undefined = setting): TuningGap[] {
  const gaps: TuningGap[] = []
  const { ofTcp, ofUdp, usesTcp, usesRuntimeTcp, udpFallback } = wishes
  const ofNative = untunable('native')
  const reason = ofNative ?? (usesRuntimeTcp ? untunable('runtime') : undefined)
  const which = ofNative === undefined ? 'TLS connections' : 'TCP connections'
  if (usesTcp && reason !== undefined) {
    if (ofTcp.length > 0) gaps.push({ text: `${ofTcp.join(', ')} is without effect on ${which}: ${reason}`, isAsked: true })
    gaps.push({ text: `the IPv6 flow label of ${which} is the kernel's, another for each (RFC 9329 §6.1): ${reason}`, isAsked: false })
  }
  if (ofUdp.length > 0 && udpFallback !== undefined)
    gaps.push({ text: `${ofUdp.join(', ')} is without effect on UDP: ${udpFallback}`, isAsked: true })
  for (const { key, which, octets } of ofNative === undefined ? wishes.buffers : []) {
    const granted = grantedBuffer(which, octets)
    const limit = `net.core.${which === 'send' ? 'w' : 'r'}mem_max`
    if (granted < octets) gaps.push({ text: `${key} = ${octets}: the kernel grants ${granted}; ${limit} is the limit`, isAsked: true })
  }
  if (usesTcp && readSetting('net/ipv6/auto_flowlabels') === FORCED)
    gaps.push({
      text: 'net.ipv6.auto_flowlabels = 3 gives what is accepted a flow label of its own (RFC 9329 §6.1); set it to 1',
      isAsked: false,
    })
  if (usesTcp && ASKING.includes(readSetting('net/ipv4/tcp_ecn') ?? 0))
    gaps.push({
      text: `net.ipv4.tcp_ecn = ${readSetting('net/ipv4/tcp_ecn')} makes the TCP connections outside ECN-capable, which RFC 9329 §9.5 wants them not to be, and no socket can refuse; set it to 2, or to 0 where clients ask for it`,
      isAsked: false,
    })
  return gaps
}

function grantedBuffer(which: 'send' | 'receive', octets: number): number {
  const libc = native!.loadLibc()
  const socket = libc.socket(AF_INET, SOCK_STREAM, 0)
  try {
    return native!.loadTcpCalls().setBuffer(socket, which, octets)
  } finally {
    libc.close(socket)
  }
}

const AF_INET = 2
const SOCK_STREAM = 1

/** IP6_AUTO_FLOW_LABEL_FORCED. */
const FORCED = 3
/** ip-sysctl.rst: those with which the kernel asks for ECN, or AccECN, when it connects. */
const ASKING: readonly number[] = [1, 3, 4]

/** `undefined`: this kernel has none of that name. */
function setting(name: string): number | undefined {
  try {
    return Number(readFileSync(`/proc/sys/${name}`, 'latin1'))
  } catch {
    return undefined
  }
}
