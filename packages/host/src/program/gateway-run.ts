/** `underpass-gateway run`: serves peers until somebody ends it. */
import type { TlsServerOptions } from '@underpass/tls-transport'
import { type GatewayConfig, gatewaySessionConfig } from '../config/gateway-config.ts'
import type { GatewayTls } from '../config/gateway-tls.ts'
import { defaultControlPath } from '../control/socket-path.ts'
import { reasonOf } from '../host-error.ts'
import { GatewayNetwork } from '../network/gateway-network.ts'
import type { Reporter } from '../report/reporter.ts'
import { watchCertificate } from '../run/certificate-watch.ts'
import { crashSecret, crashSecretPath } from '../run/crash-secret.ts'
import type { RuntimeOptions } from '../run/index.ts'
import { portsOfWorkers } from '../workers/worker-ports.ts'
import { type Foreground, inForeground } from './foreground.ts'
import type { ProgramPorts, RunningSession } from './ports.ts'
import type { ProcessIo } from './process-io.ts'
import { listeningWords, openService } from './service.ts'

export interface GatewayRunOptions {
  readonly config: GatewayConfig
  readonly io: ProcessIo
  readonly ports: ProgramPorts
  readonly reporter: Reporter
}

/** Answers the exit code. All that went wrong has been told. */
export function gatewayRun(options: GatewayRunOptions): Promise<number> {
  const { config, io, reporter } = options
  const ports = config.workers > 1 ? portsOfWorkers(options.ports, config.workers) : options.ports
  return inForeground(options, async (foreground) => {
    const service = await openService({
      program: 'gateway',
      title: 'underpass-gateway',
      config,
      session: { sessionConfig: { ...gatewaySessionConfig(config), ...crashDetection(options) }, listeners: gatewayListeners(config) },
      usesRuntimeTcp: config.tcp.some(({ isTls }) => isTls),
      usesTls: config.tcp.some(({ isTls }) => isTls),
      usesTcp: config.tcp.length > 0,
      network: (host) => new GatewayNetwork(config, host, ports.run),
      io,
      ports,
      reporter,
      foreground,
      onSession: ({ driver }) => driver.onEvent((event) => reporter.event(event)),
    })
    if (config.tls !== undefined) followCertificate(config.tls, service.session, reporter, foreground)
    const listening = listeningWords(service.session)
    // None with `tun = "memory"`.
    const device = service.network && service.device.name
    reporter.headline(
      `gateway up: listening on ${listening.join(', ')}, ${device === undefined ? 'no device' : `device ${device}`}`,
      'gateway-up',
      {
        listening,
        ...(device !== undefined && { device }),
      },
    )
    return service
  })
}

/** Nothing to fail for: without it a client waits a little longer. */
function crashDetection({ config, io, reporter }: GatewayRunOptions): { readonly crashSecret?: Uint8Array } {
  if (!config.detectsCrashes) return {}
  try {
    return { crashSecret: crashSecret(crashSecretPath(io.env, config.control ?? defaultControlPath('gateway', io.env))) }
  } catch (error) {
    reporter.notice(`without quick crash detection: ${reasonOf(error)}`, 'warn')
    return {}
  }
}

function gatewayListeners({ udp, udpBuffers, tcp, tls, web: backend, proxies }: GatewayConfig): RuntimeOptions['listeners'] {
  const around = tls && { tls: withoutFiles(tls), web: backend === undefined ? {} : { backend } }
  return {
    udp: udp.map((listener) => ({ ...listener, ...udpBuffers })),
    tcp: tcp.map(({ isTls, ...listener }) => ({ ...listener, proxies, ...(isTls ? around : {}) })),
  }
}

function withoutFiles({ files: _files, ...tls }: GatewayTls): TlsServerOptions {
  return tls
}

/** A certificate is renewed every few weeks; nobody restarts a gateway for it. */
function followCertificate(tls: GatewayTls, session: RunningSession, reporter: Reporter, foreground: Foreground): void {
  const { cert, key } = tls.files
  const watch = watchCertificate(tls.files, tls, {
    onPair(pair) {
      session.replaceCertificate?.(pair)
      reporter.notice(`the certificate is another: ${cert} and ${key} were read again`)
    },
    onProblem: (problem) =>
      reporter.notice(`${cert} and ${key} changed and are of no use, the certificate stays as it was: ${problem}`, 'warn'),
  })
  void foreground.ended.then(() => watch.close())
}
