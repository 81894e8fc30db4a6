/** What a program runs on, in words. */
import type { RunsOn, Way } from '../control/protocol.ts'

/** 'Node 20.20.2, linux x64'; then a line for each part that is open: 'TCP sockets: native', 'UDP sockets: node:dgram, koffi cannot …'. */
export function describeRunsOn(runsOn: RunsOn): string[] {
  const { name, version, platform, arch } = runsOn.runtime
  const lines = [`${RUNTIMES[name]} ${version}, ${platform} ${arch}`]
  for (const { part, label, names } of PARTS) {
    const way: Way<string> | undefined = runsOn[part]
    if (way) lines.push(`${label}: ${names[way.kind] ?? way.kind}${way.reason === undefined ? '' : `, ${way.reason}`}`)
  }
  return lines
}

/** What is slower here than it could be, why, and what to do; `undefined` where nothing is. */
export function describeFallbacks(runsOn: RunsOn): string | undefined {
  const slower: string[] = []
  const reasons: string[] = []
  for (const { part, short, names } of PARTS) {
    const way: Way<string> | undefined = runsOn[part]
    if (!way?.isFallback) continue
    slower.push(`${short} ${names[way.kind] ?? way.kind}`)
    // Mostly it is one reason for all.
    const { reason } = way
    if (reason !== undefined && !reasons.some((told) => reason.includes(told))) reasons.push(reason)
  }
  if (slower.length === 0) return undefined
  return `slower than it could be: ${slower.join(', ')} (${reasons.join('; ')}); ${remedies(runsOn).join('; ')}`
}

const RUNTIMES = { node: 'Node', bun: 'Bun', deno: 'Deno' } as const

interface PartWords {
  readonly part: 'tcp' | 'tls' | 'udp' | 'esp' | 'offload'
  readonly label: string
  /** In front of the kind, in a list of what is slower. */
  readonly short: string
  /** Kinds that go by another name. */
  readonly names: Readonly<Record<string, string>>
}

const PARTS: readonly PartWords[] = [
  { part: 'tcp', label: 'TCP sockets', short: 'TCP over', names: { node: 'node:net' } },
  { part: 'tls', label: 'TLS', short: 'TLS by', names: { node: 'node:tls' } },
  { part: 'udp', label: 'UDP sockets', short: 'UDP over', names: { dgram: 'node:dgram' } },
  { part: 'esp', label: 'ESP cryptography', short: 'ESP by', names: { node: 'node:crypto' } },
  { part: 'offload', label: 'TUN offloads', short: 'TUN offloads:', names: {} },
]

function remedies({ runtime, tcp, tls, udp, esp, offload }: RunsOn): string[] {
  const found: string[] = []
  // Who lacks the sockets lacks libcrypto and libssl for the same reason.
  if (tcp.isFallback || udp?.isFallback)
    found.push(
      runtime.platform === 'linux'
        ? 'install the optional dependencies @underpass/native and koffi'
        : 'the faster sockets are there on Linux only',
    )
  else if (tls?.isFallback) found.push('install OpenSSL 3 (libssl.so.3)')
  else if (esp?.isFallback) found.push('install OpenSSL 3 (libcrypto.so.3), or say with [provider] crypto that it is to be so')
  if (offload?.isFallback) found.push('a newer kernel has the offloads')
  return found
}
