/** What the programs reach outside themselves for; tests put their own in its place. */
import type { SessionConfig, SessionStatus } from '@underpass/session-manager'
import type { Driver } from '@underpass/session-manager/driver'
import type { CertificatePair } from '@underpass/tls-transport'
import type { ClientConfig } from '../config/client-config.ts'
import type { CryptoProviderName, TunConfig } from '../config/shared-schema.ts'
import { addressesOf } from '../names/addresses.ts'
import type { Place } from '../names/places.ts'
import { servicePlaces } from '../names/srv.ts'
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
  readonly credentials?: RuntimeOptions['credentials']
  /** Of the event loop, or of each worker's; none: the kernel chooses. */
  readonly cpus: readonly number[]
  /** Who came to a listener and got no further, in words; anybody can make many of these. */
  readonly onStranger?: (text: string) => void
}

export interface RunningSession {
  readonly driver: Pick<Driver, 'attachTun' | 'command' | 'inspect' | 'onEvent' | 'onFailure'>
  /** Of one that dials. `network`: by what this one would be known again. */
  networkChanged?(network?: string): void
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
  /** The addresses of a host name, in the order in which they are to be tried. Throws `HostError` NAME_NOT_FOUND. */
  readonly resolve: (name: string) => Promise<readonly string[]>
  /** Where a domain's SRV records say that its gateways are. Throws `HostError` NAME_NOT_FOUND. */
  readonly resolveServices: (domain: string) => Promise<readonly Place[]>
  /** Throws `HostError` where the host's network cannot be changed. */
  readonly requireNetAdmin: (device: string) => void
  readonly openDevice: (tun: TunConfig) => OpenedTun
  readonly start: (options: SessionOptions) => Promise<RunningSession>
  /** Calls back when links, addresses or routes are others. */
  readonly watchNetworkNews: (onNews: () => void) => { close(): void }
}

export const systemPorts: ProgramPorts = {
  run: runCommand,
  resolve: addressesOf,
  resolveServices: (domain) => servicePlaces(domain),
  requireNetAdmin,
  openDevice: openTunDevice,
  watchNetworkNews,
  async start({ sessionConfig, crypto, listeners, tcpTuning, carriers, credentials, cpus: [cpu], onStranger }) {
    const { provider, reason } = chooseAeadProvider(crypto)
    const runtime = await startRuntime({
      sessionConfig: { ...sessionConfig, aeadProvider: provider },
      listeners,
      tcpTuning,
      carriers,
      ...(credentials && { credentials }),
      cpu,
      onStranger: (error) => onStranger?.(error.message),
    })
    return {
      driver: runtime.driver,
      networkChanged: (network) => runtime.networkChanged(network),
      listening: runtime.listening,
      cryptoReason: reason,
      replaceCertificate: (pair) => runtime.replaceCertificate(pair),
      close: (options) => runtime.close(options),
    }
  },
}

/** Where the gateway is, by its name or its domain. Throws `HostError` NAME_NOT_FOUND. */
export async function placesOfGateway(
  { gateway, isDomain }: Pick<ClientConfig, 'gateway' | 'isDomain'>,
  { resolve, resolveServices }: Pick<ProgramPorts, 'resolve' | 'resolveServices'>,
): Promise<readonly Place[]> {
  return isDomain ? await resolveServices(gateway) : (await resolve(gateway)).map((address) => ({ address }))
}
