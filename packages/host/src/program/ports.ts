/** What the programs reach outside themselves for; tests put their own in its place. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { SessionConfig, SessionStatus } from '@underpass/session-manager'
import type { Driver } from '@underpass/session-manager/driver'
import type { CertificatePair } from '@underpass/tls-transport'
import type { CryptoProviderName, TunConfig } from '../config/shared-schema.ts'
import { HostError, reasonOf } from '../host-error.ts'
import { type CommandRunner, runCommand } from '../network/commands.ts'
import { watchNetworkNews } from '../network/network-news.ts'
import { requireNetAdmin } from '../network/permission.ts'
import { chooseAeadProvider, type OpenedTun, openTunDevice, type RuntimeOptions, startRuntime, type TcpTuning } from '../run/index.ts'

export interface SessionOptions {
  readonly sessionConfig: Omit<SessionConfig, 'aeadProvider'>
  readonly crypto: CryptoProviderName
  readonly listeners: RuntimeOptions['listeners']
  readonly tcpTuning: TcpTuning
  /** A client's. */
  readonly carriers?: RuntimeOptions['carriers']
  /** Of the event loop, or of each worker's; none: the kernel chooses. */
  readonly cpus: readonly number[]
  /** Who came to a listener and got no further, in words; anybody can make many of these. */
  readonly onStranger?: (text: string) => void
}

export interface RunningSession {
  /** `networkChanged` is for who dials. */
  readonly driver: Pick<Driver, 'attachTun' | 'command' | 'inspect' | 'onEvent' | 'onFailure'> & Partial<Pick<Driver, 'networkChanged'>>
  readonly listening: { readonly tcp: readonly Address[]; readonly udp: readonly Address[] }
  /** Which ESP implementation was taken, and why. */
  readonly cryptoReason: string
  /** Where there are several cores, the status of all; else it is the driver's. */
  inspect?(): Promise<SessionStatus>
  /** Of every listener with TLS, for handshakes from now on. The two fit. */
  replaceCertificate?(pair: CertificatePair): void
  close(options?: { readonly graceMilliseconds?: number }): Promise<void>
}

interface Address {
  readonly address: string
  readonly port: number
}

export interface ProgramPorts {
  readonly run: CommandRunner
  /** The address of a host name. Throws `HostError` NAME_NOT_FOUND. */
  readonly resolve: (name: string) => Promise<string>
  /** Throws `HostError` where the host's network cannot be changed. */
  readonly requireNetAdmin: (device: string) => void
  readonly openDevice: (tun: TunConfig) => OpenedTun
  readonly start: (options: SessionOptions) => Promise<RunningSession>
  /** Calls back when links, addresses or routes are others. */
  readonly watchNetworkNews: (onNews: () => void) => { close(): void }
}

export const systemPorts: ProgramPorts = {
  run: runCommand,
  resolve: resolveHost,
  requireNetAdmin,
  openDevice: openTunDevice,
  watchNetworkNews,
  async start({ sessionConfig, crypto, listeners, tcpTuning, carriers, cpus: [cpu], onStranger }) {
    const { provider, reason } = chooseAeadProvider(crypto)
    const runtime = await startRuntime({
      sessionConfig: { ...sessionConfig, aeadProvider: provider },
      listeners,
      tcpTuning,
      carriers,
      cpu,
      onStranger: (error) => onStranger?.(error.message),
    })
    return {
      driver: runtime.driver,
      listening: runtime.listening,
      cryptoReason: reason,
      replaceCertificate: (pair) => runtime.replaceCertificate(pair),
      close: (options) => runtime.close(options),
    }
  },
}

async function resolveHost(name: string): Promise<string> {
  if (isIP(name) !== 0) return name
  try {
    return (await lookup(name)).address
  } catch (error) {
    const reason = lookupProblem(error)
    throw new HostError('NAME_NOT_FOUND', `${name} has no address: ${reason}`, { name, reason })
  }
}

/** getaddrinfo(3)'s codes in words, whichever runtime wraps them. */
export function lookupProblem(error: unknown): string {
  const text = `${(error as NodeJS.ErrnoException).code ?? ''} ${reasonOf(error)}`
  if (/EAI_?AGAIN|ETIMEOUT|temporary failure/i.test(text)) return 'no name server answered'
  if (/ENOTFOUND|EAI_?NONAME|EAI_?NODATA|not known|no address associated/i.test(text)) return 'no such name'
  return reasonOf(error)
}
