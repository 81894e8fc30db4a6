/** The command line of `underpass-gateway`. */
import {
  type GatewayConfig,
  gatewayPlan,
  gatewayRun,
  loadGatewayConfig,
  type ProcessIo,
  type ProgramDefinition,
  type ProgramPorts,
  runCommandLine,
} from '@underpass/host'
import { Command } from 'commander'

/** Runs one command line, without the two words in front, and answers the exit code. */
export function main(argv: readonly string[], io?: ProcessIo, ports?: ProgramPorts): Promise<number> {
  return runCommandLine(new Command('underpass-gateway'), UNDERPASS_GATEWAY, argv, io, ports)
}

const UNDERPASS_GATEWAY: ProgramDefinition<GatewayConfig> = {
  program: 'gateway',
  description: 'Serves IKEv2 tunnels over UDP and TCP.',
  version: '0.1.0',
  main: { name: 'run', description: 'serve until Ctrl-C or "underpass-gateway down"', run: gatewayRun },
  status: 'show the running gateway',
  down: 'stop the running gateway; after a crash, undo what it left behind',
  exitCodes: '0 fine, 1 failure, 2 wrong usage or configuration',
  load: loadGatewayConfig,
  plan: gatewayPlan,
}
