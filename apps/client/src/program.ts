/** The command line of `underpass`. */
import {
  type ClientConfig,
  clientPlan,
  clientUp,
  loadClientConfig,
  type ProcessIo,
  type ProgramDefinition,
  type ProgramPorts,
  runCommandLine,
} from '@underpass/host'
import { Command } from 'commander'

/** Runs one command line, without the two words in front, and answers the exit code. */
export function main(argv: readonly string[], io?: ProcessIo, ports?: ProgramPorts): Promise<number> {
  return runCommandLine(new Command('underpass'), UNDERPASS, argv, io, ports)
}

const UNDERPASS: ProgramDefinition<ClientConfig> = {
  program: 'client',
  description: 'An IKEv2 tunnel over UDP or TCP.',
  version: '0.1.0',
  main: {
    name: 'up',
    description: 'bring the tunnel up and hold it until Ctrl-C or "underpass down"',
    flags: [['--keep-retrying', 'go on when the first attempt fails for anything but authentication']],
    run: ({ config, written, ...outside }) =>
      clientUp({ config, keepRetrying: written['keepRetrying'] === true || config.keepRetrying, ...outside }),
  },
  status: 'show the running tunnel',
  down: 'take the running tunnel down; after a crash, undo what it left behind',
  exitCodes:
    '0 fine, 1 failure, 2 wrong usage or configuration, 3 authentication failed, 4 gateway unreachable, 130 Ctrl-C before it was up',
  load: loadClientConfig,
  plan: clientPlan,
}
