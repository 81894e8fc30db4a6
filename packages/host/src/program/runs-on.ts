/** Which sockets, cryptography and device offloads a program has got here, and on which runtime. */
import { tcpSockets, tlsLibrary } from '@underpass/tls-transport'
import type { CryptoProviderName } from '../config/shared-schema.ts'
import type { RunsOn } from '../control/protocol.ts'
import type { OpenedTun } from '../run/index.ts'
import { hasTcpOffload } from '../run/tcp-offload.ts'
import type { UdpListening } from '../run/udp.ts'
import type { RunningSession } from './ports.ts'

/** `session` and `device` as far as they are open by now; `usesTls`: a transport is TLS. */
export function runsOn(
  crypto: CryptoProviderName,
  session: Pick<RunningSession, 'listening' | 'cryptoReason'> | undefined,
  device: Pick<OpenedTun['device'], 'kind' | 'name'> | undefined,
  usesTls = false,
): RunsOn {
  return {
    runtime: runtime(),
    tcp: tcp(),
    tls: usesTls ? tls() : undefined,
    udp: session && udp(session.listening.udp),
    esp: session && esp(crypto, session.cryptoReason),
    offload: device && offload(device),
  }
}

function runtime(): RunsOn['runtime'] {
  const { versions, platform, arch } = process
  // Bun and Deno give Node's version too: the one whose interfaces they have.
  const name = versions['bun'] !== undefined ? 'bun' : versions['deno'] !== undefined ? 'deno' : 'node'
  return { name, version: versions[name] ?? '', platform, arch }
}

function tcp(): RunsOn['tcp'] {
  const sockets = tcpSockets()
  return sockets.kind === 'native' ? { kind: 'native', isFallback: false } : { ...sockets, isFallback: true }
}

function tls(): RunsOn['tls'] {
  const library = tlsLibrary()
  return library.kind === 'libssl' ? { kind: 'libssl', reason: library.version, isFallback: false } : { ...library, isFallback: true }
}

/** A session that is not of this process's own sockets does not say what they are. */
type Listening = Pick<UdpListening, 'address'> & Partial<UdpListening>

/** The slowest of them; in practice they are all alike. */
function udp(listening: readonly Listening[]): RunsOn['udp'] {
  const slowest = listening.find(({ fallbackReason }) => fallbackReason !== undefined) ?? listening[0]
  if (slowest?.kind === undefined) return undefined
  const { kind, fallbackReason: reason } = slowest
  return reason === undefined ? { kind, isFallback: false } : { kind, reason, isFallback: true }
}

/** `reason`: 'node: openssl is not available (…)'. */
function esp(crypto: CryptoProviderName, reason: string): RunsOn['esp'] {
  const colon = reason.indexOf(': ')
  const kind = reason.slice(0, colon)
  return { kind, reason: reason.slice(colon + 2), isFallback: crypto === 'auto' && !NATIVE.includes(kind) }
}

/** The second of them is a little slower, and nothing to be warned of. */
const NATIVE: readonly string[] = ['ipsec-mb', 'openssl']

function offload({ kind, name }: Pick<OpenedTun['device'], 'kind' | 'name'>): RunsOn['offload'] {
  if (kind === 'memory') return { kind: 'no', reason: 'the device is in memory, as configured', isFallback: false }
  const has = hasTcpOffload(name)
  if (has === undefined) return { kind: 'unknown', isFallback: false }
  return has ? { kind: 'yes', isFallback: false } : { kind: 'no', reason: `the kernel has none for ${name}`, isFallback: true }
}
