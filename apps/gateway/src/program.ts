/** The command line of `underpass-gateway`. */
import {
  checkConfig,
  controlPathIn,
  defaultControlPath,
  downCommand,
  EXIT,
  gatewayPlan,
  gatewayRun,
  LEVELS,
  type Level,
  loadGatewayConfig,
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
  const program = new Command('underpass-gateway')
    .description('Serves IKEv2 tunnels over UDP and TCP.')
    .version(VERSION, '--version')
    .exitOverride()
    .configureOutput({ writeOut: (text) => out.write(text), writeErr: (text) => err.write(text) })
    .addHelpText('after', EXIT_CODES)

  withConfig(program.command('run'))
    .description('serve until Ctrl-C or "underpass-gateway down"')
    .option('--dry-run', 'print what would be done, and do nothing')
    .addOption(new Option('--log-level <level>', 'what to print').choices([...LEVELS]).default('info'))
    .action(async (options: RunOptions) => {
      exitCode = await run(options, io, ports)
    })
  withConfig(program.command('status'))
    .description('show the running gateway')
    .option('--control <path>', 'its control socket')
    .action(async (options: ControlOptions) => {
      exitCode = await statusCommand({ controlPath: controlPath(options, io), json: options.json ?? false, out, err })
    })
  withConfig(program.command('down'))
    .description('stop the running gateway; after a crash, undo what it left behind')
    .option('--control <path>', 'its control socket')
    .action(async (options: ControlOptions) => {
      exitCode = await downCommand({ controlPath: controlPath(options, io), json: options.json ?? false, out, err, run: ports.run })
    })
  withConfig(program.command('check-config'))
    .description('check the configuration and print what it would do')
    .action(async (options: ConfigOptions) => {
      exitCode = await checkConfig(() => loadGatewayConfig(options.config), gatewayPlan, { json: options.json ?? false, out, err })
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

interface RunOptions extends ConfigOptions {
  readonly dryRun?: boolean
  readonly logLevel: Level
}

interface ControlOptions extends ConfigOptions {
  readonly control?: string
}

const VERSION = '0.1.0'

const EXIT_CODES = `
Exit codes: 0 fine, 1 failure, 2 wrong usage or configuration.`

function withConfig(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration', '/etc/underpass/gateway.toml')
    .option('--json', 'JSON lines instead of words')
}

async function run(options: RunOptions, io: ProcessIo, ports: ProgramPorts): Promise<number> {
  const json = options.json ?? false
  const { out, err, env } = io
  if (options.dryRun) return await checkConfig(() => loadGatewayConfig(options.config), gatewayPlan, { json, out, err })
  const config = loadOrTell(() => loadGatewayConfig(options.config), { json, out, err })
  if (typeof config === 'number') return config
  const colour = out.isTTY === true && (env['NO_COLOR'] ?? '') === ''
  const reporter = new Reporter({ out, err, json, level: options.logLevel, colour })
  return await gatewayRun({ config, io, ports, reporter })
}

function controlPath({ control, config }: ControlOptions, io: ProcessIo): string {
  return control ?? controlPathIn(config) ?? defaultControlPath('gateway', io.env)
}
