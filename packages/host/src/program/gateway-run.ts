/** `underpass-gateway run`: serves peers until somebody ends it. */
import { type GatewayConfig, gatewaySessionConfig } from '../config/gateway-config.ts'
import { reasonOf } from '../host-error.ts'
import { GatewayNetwork } from '../network/gateway-network.ts'
import { EXIT, exitCodeOf } from '../report/exit-codes.ts'
import type { Reporter } from '../report/reporter.ts'
import { type Ending, Foreground } from './foreground.ts'
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
export async function gatewayRun({ config, io, ports, reporter }: GatewayRunOptions): Promise<number> {
  for (const warning of config.warnings) reporter.notice(warning, 'warn')
  const foreground = new Foreground(io, reporter)
  let ending: Ending
  let problems: string[] = []
  try {
    const service = await openService({
      program: 'gateway',
      title: 'underpass-gateway',
      config,
      session: { sessionConfig: gatewaySessionConfig(config), listeners: { udp: config.udp, tcp: config.tcp } },
      network: (host) => new GatewayNetwork(config, host, ports.run),
      io,
      ports,
      reporter,
      foreground,
    })
    service.session.driver.onEvent((event) => reporter.event(event))
    service.session.driver.onFailure(({ code, isFatal, error }) => {
      if (foreground.isEnding) return
      reporter.error(`${code}: ${reasonOf(error)}`)
      if (isFatal || code === 'TUN_FAILED') foreground.end({ exitCode: EXIT.FAILURE, reason: reasonOf(error) })
    })
    const listening = listeningWords(service.session)
    reporter.headline(`gateway up: listening on ${listening.join(', ')}, device ${service.device.name}`, 'gateway-up', {
      listening,
      device: service.device.name,
    })
    await foreground.ended
    problems = await service.close()
    reporter.notice('down')
    ending = await foreground.ended
  } catch (error) {
    reporter.error(reasonOf(error))
    ending = { exitCode: exitCodeOf(error), reason: reasonOf(error) }
  }
  for (const problem of problems) reporter.error(`not undone: ${problem}`)
  foreground.release()
  reporter.summary({ exitCode: ending.exitCode, reason: ending.reason, problems })
  return ending.exitCode
}
