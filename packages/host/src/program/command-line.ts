/** The command line that both programs have: a main command in the foreground; status, rekey, down and check-config beside it. */
import type { ClientConfig } from '../config/client-config.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import { controlPathIn, defaultControlPath } from '../control/socket-path.ts'
import { LEVELS, type Level } from '../report/event-words.ts'
import { EXIT } from '../report/exit-codes.ts'
import { Reporter } from '../report/reporter.ts'
import { checkConfig, loadOrTell } from './check-config.ts'
import { downCommand, rekeyCommand, statusCommand } from './control-commands.ts'
import { type ProgramPorts, systemPorts } from './ports.ts'
import { type ProcessIo, processIo } from './process-io.ts'
import { unresolvedNames } from './unresolved-names.ts'

/** What one program does not share with the other. */
export interface ProgramDefinition<C extends ClientConfig | GatewayConfig> {
  readonly program: 'client' | 'gateway'
  readonly description: string
  readonly version: string
  readonly main: MainCommand<C>
  /** What --help says of them. */
  readonly status: string
  readonly down: string
  /** '0 fine, 1 failure': for --help. */
  readonly exitCodes: string
  readonly load: (file: string) => C
  /** Without `ports` nothing is looked up. */
  readonly plan: (config: C, ports?: ProgramPorts) => readonly string[] | Promise<readonly string[]>
}

export interface MainCommand<C> {
  readonly name: string
  readonly description: string
  /** Flags of its own ('--keep-retrying'), with what --help says of each. */
  readonly flags?: readonly (readonly [flag: string, description: string])[]
  /** Answers the exit code. */
  readonly run: (options: MainOptions<C>) => Promise<number>
}

export interface MainOptions<C> {
  readonly config: C
  /** A flag of its own that was given is true, by its name in camelCase. */
  readonly written: WrittenOptions
  readonly io: ProcessIo
  readonly ports: ProgramPorts
  readonly reporter: Reporter
}

/** As much as is used here of commander's `Command`, which the programs bring: this package does without. */
export interface CommandParser {
  readonly args: readonly string[]
  readonly commands: readonly CommandParser[]
  command(name: string): CommandParser
  description(text: string): this
  version(text: string, flags: string): this
  option(flags: string, description: string, defaultValue?: string): this
  createOption(flags: string, description: string): OptionParser
  addOption(option: OptionParser): this
  action(act: (options: WrittenOptions) => Promise<void>): this
  exitOverride(): this
  configureOutput(output: { readonly writeOut: (text: string) => void; readonly writeErr: (text: string) => void }): this
  addHelpText(position: 'after', text: string): this
  parseAsync(argv: readonly string[], from: { readonly from: 'user' }): Promise<unknown>
}

export interface OptionParser {
  choices(values: readonly string[]): this
  default(value: unknown): this
}

export interface WrittenOptions {
  readonly config: string
  readonly json?: boolean
  readonly control?: string
  readonly dryRun?: boolean
  readonly logLevel: Level
  readonly [flag: string]: unknown
}

/** Runs one command line, without the two words in front, and answers the exit code. `parser`: `new Command(name)`. */
export async function runCommandLine<C extends ClientConfig | GatewayConfig>(
  parser: CommandParser,
  definition: ProgramDefinition<C>,
  argv: readonly string[],
  io: ProcessIo = processIo,
  ports: ProgramPorts = systemPorts,
): Promise<number> {
  let exitCode: number = EXIT.OK
  const { out, err } = io
  const { program, main } = definition
  const command = (name: string, description: string): CommandParser =>
    parser
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'the configuration', `/etc/underpass/${program}.toml`)
      .option('--json', 'JSON lines instead of words')
  const controlPath = ({ control, config }: WrittenOptions): string =>
    control ?? controlPathIn(config) ?? defaultControlPath(program, io.env)

  parser
    .description(definition.description)
    .version(definition.version, '--version')
    .exitOverride()
    .configureOutput({ writeOut: (text) => out.write(text), writeErr: (text) => err.write(text) })
    .addHelpText('after', `\nExit codes: ${definition.exitCodes}.`)
  const mainParser = command(main.name, main.description).option('--dry-run', 'print what would be done, and do nothing')
  for (const [flag, description] of main.flags ?? []) mainParser.option(flag, description)
  mainParser
    .addOption(mainParser.createOption('--log-level <level>', 'what to print').choices(LEVELS).default('info'))
    .action(async (written) => {
      exitCode = await runMain(definition, { written, io, ports })
    })
  command('status', definition.status)
    .option('--control <path>', 'its control socket')
    .action(async (options) => {
      exitCode = await statusCommand({ controlPath: controlPath(options), json: options.json ?? false, out, err })
    })
  const rekey = command('rekey', 'new keys now, not only when their lifetime is almost over').option(
    '--control <path>',
    'its control socket',
  )
  rekey.addOption(rekey.createOption('--sa <which>', 'of what').choices(['ike', 'child']).default('child')).action(async (options) => {
    const what = options['sa'] === 'ike' ? 'ike-sa' : 'child-sa'
    exitCode = await rekeyCommand({ controlPath: controlPath(options), json: options.json ?? false, out, err, what })
  })
  command('down', definition.down)
    .option('--control <path>', 'its control socket')
    .action(async (options) => {
      exitCode = await downCommand({ controlPath: controlPath(options), json: options.json ?? false, out, err, run: ports.run })
    })
  command('check-config', 'check the configuration and print what it would do').action(async ({ config, json = false }) => {
    exitCode = await checkConfig(
      () => definition.load(config),
      (loaded) => definition.plan(loaded),
      { json, out, err, warnAbout: (loaded) => unresolvedNames(loaded, ports) },
    )
  })

  try {
    await parser.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (!isParserError(error)) throw error
    const file = parser.commands.flatMap(({ args }) => args).find((word) => /\.toml$|\//.test(word))
    if (error.code === 'commander.excessArguments' && file !== undefined) err.write(`did you mean --config ${file}?\n`)
    return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE
  }
  return exitCode
}

async function runMain<C extends ClientConfig | GatewayConfig>(
  { main, load, plan }: ProgramDefinition<C>,
  { written, io, ports }: Pick<MainOptions<C>, 'written' | 'io' | 'ports'>,
): Promise<number> {
  const { json = false, logLevel: level } = written
  const { out, err, env } = io
  const loadIt = (): C => load(written.config)
  if (written.dryRun) {
    const heading = `Nothing is done now. With ${written.config}, without --dry-run, "${main.name}" would:\n`
    return await checkConfig(loadIt, (config) => plan(config, ports), { json, out, err, heading })
  }
  const config = loadOrTell(loadIt, { json, out, err })
  if (typeof config === 'number') return config
  const colour = out.isTTY === true && (env['NO_COLOR'] ?? '') === ''
  return await main.run({ config, written, io, ports, reporter: new Reporter({ out, err, json, level, colour }) })
}

/** commander's `CommanderError`: also what ends --help. */
function isParserError(error: unknown): error is { readonly code: string; readonly exitCode: number } {
  return error instanceof Error && 'exitCode' in error && 'code' in error && String(error.code).startsWith('commander.')
}
