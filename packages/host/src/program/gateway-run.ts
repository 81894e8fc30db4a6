/** `underpass-gateway run`: serves peers until somebody ends it. */
import { type GatewayConfig, gatewaySessionConfig } from '../config/gateway-config.ts'
import { GatewayNetwork } from '../network/gateway-network.ts'
import type { Reporter } from '../report/reporter.ts'
import type { RuntimeOptions } from '../run/index.ts'
import { portsOfWorkers } from '../workers/worker-ports.ts'
import { inForeground } from './foreground.ts'
import type { ProgramPorts } from './ports.ts'
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
      session: { sessionConfig: gatewaySessionConfig(config), listeners: gatewayListeners(config) },
      usesRuntimeTcp: config.tcp.some(({ isTls }) => isTls),
      usesTcp: config.tcp.length > 0,
      network: (host) => new GatewayNetwork(config, host, ports.run),
      io,
      ports,
      reporter,
      foreground,
      onSession: ({ driver }) => driver.onEvent((event) => reporter.event(event)),
    })
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

function gatewayListeners({ udp, udpBuffers, tcp, tls, web: backend }: GatewayConfig): RuntimeOptions['listeners'] {
  const around = tls && { tls, web: backend === undefined ? {} : { backend } }
  return {
    udp: udp.map((listener) => ({ ...listener, ...udpBuffers })),
    tcp: tcp.map(({ isTls, ...listener }) => (isTls ? { ...listener, ...around } : listener)),
  }
}
