/** The command line of `underpass`. */
import {
  checkConfig,
  clientPlan,
  clientUp,
  controlPathIn,
  defaultControlPath,
  downCommand,
  EXIT,
  LEVELS,
  type Level,
  loadClientConfig,
  loadOrTell,
  type ProcessIo,
  type ProgramPorts,
  processIo,
  Reporter,
  statusCommand,
  systemPorts,
} from '@underpass/host'
import { Command, CommanderError, Option } from 'commander'

/** Runs one command line, without the two words in front, and answers the exit code. */
export async function main(argv: readonly string[], io: ProcessIo = processIo, ports: ProgramPorts = systemPorts): Promise<number> {
  let exitCode: number = EXIT.OK
  const { out, err } = io
  const program = new Command('underpass')
    .description('An IKEv2 tunnel over UDP or TCP.')
    .version(VERSION, '--version')
    .exitOverride()
    .configureOutput({ writeOut: (text) => out.write(text), writeErr: (text) => err.write(text) })
    .addHelpText('after', EXIT_CODES)

  withConfig(program.command('up'))
    .description('bring the tunnel up and hold it until Ctrl-C or "underpass down"')
    .option('--dry-run', 'print what would be done, and do nothing')
    .option('--keep-retrying', 'go on when the first attempt fails for anything but authentication')
    .addOption(new Option('--log-level <level>', 'what to print').choices([...LEVELS]).default('info'))
    .action(async (options: UpOptions) => {
      exitCode = await up(options, io, ports)
    })
  withConfig(program.command('status'))
    .description('show the running tunnel')
    .option('--control <path>', 'its control socket')
    .action(async (options: ControlOptions) => {
      exitCode = await statusCommand({ controlPath: controlPath(options, io), json: options.json ?? false, out, err })
    })
  withConfig(program.command('down'))
    .description('take the running tunnel down; after a crash, undo what it left behind')
    .option('--control <path>', 'its control socket')
    .action(async (options: ControlOptions) => {
      exitCode = await downCommand({ controlPath: controlPath(options, io), json: options.json ?? false, out, err, run: ports.run })
    })
  withConfig(program.command('check-config'))
    .description('check the configuration and print what it would do')
    .action(async (options: ConfigOptions) => {
      exitCode = await checkConfig(
        () => loadClientConfig(options.config),
        (config) => clientPlan(config),
        { json: options.json ?? false, out, err },
      )
    })

  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    const file = program.commands.flatMap(({ args }) => args).find((word) => /\.toml$|\//.test(word))
    if (error.code === 'commander.excessArguments' && file !== undefined) err.write(`did you mean --config ${file}?\n`)
    return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE
  }
  return exitCode
}

interface ConfigOptions {
  readonly config: string
  readonly json?: boolean
}

interface UpOptions extends ConfigOptions {
  readonly dryRun?: boolean
  readonly keepRetrying?: boolean
  readonly logLevel: Level
}

interface ControlOptions extends ConfigOptions {
  readonly control?: string
}

const VERSION = '0.1.0'

const EXIT_CODES = `
Exit codes: 0 fine, 1 failure, 2 wrong usage or configuration, 3 authentication failed, 4 gateway unreachable.`

function withConfig(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration', '/etc/underpass/client.toml')
    .option('--json', 'JSON lines instead of words')
}

async function up(options: UpOptions, io: ProcessIo, ports: ProgramPorts): Promise<number> {
  const json = options.json ?? false
  const { out, err, env } = io
  if (options.dryRun) {
    return await checkConfig(
      () => loadClientConfig(options.config),
      (config) => clientPlan(config, ports),
      { json, out, err },
    )
  }
  const config = loadOrTell(() => loadClientConfig(options.config), { json, out, err })
  if (typeof config === 'number') return config
  const colour = out.isTTY === true && (env['NO_COLOR'] ?? '') === ''
  const reporter = new Reporter({ out, err, json, level: options.logLevel, colour })
  return await clientUp({ config, keepRetrying: options.keepRetrying ?? config.keepRetrying, io, ports, reporter })
}

function controlPath({ control, config }: ControlOptions, io: ProcessIo): string {
  return control ?? controlPathIn(config) ?? defaultControlPath('client', io.env)
}
