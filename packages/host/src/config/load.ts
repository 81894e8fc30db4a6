/** From a file to a checked configuration: read, parse TOML, check against the schema, then what no schema can see. */
import { readFileSync } from 'node:fs'
import { type CheckedConfig, checkConfig, SessionError } from '@underpass/session-manager'
import { parse, TomlError } from 'smol-toml'
import type * as z from 'zod'
import { HostError, reasonOf } from '../host-error.ts'
import { formatIpPrefix, parseIpPrefix, parseIpRange, prefixesOf } from '../ip-prefix.ts'
import { type ConfigIssue, formatIssue, issueAt, issuesOf, wordIssue } from './issues.ts'
import { type ReadSecret, readSecret, type WrittenSecret } from './secrets.ts'
import { type KeyPath, locateKeys } from './toml-locator.ts'
import { snakeCase } from './tunables.ts'

/** Collects what is wrong and what is doubtful while a checked file is turned into a configuration. */
export class Findings {
  readonly issues: ConfigIssue[] = []
  readonly warnings: string[] = []
  readonly file: string
  readonly #at: (path: KeyPath, message: string) => ConfigIssue

  constructor(file: string, at: (path: KeyPath, message: string) => ConfigIssue) {
    this.file = file
    this.#at = at
  }

  issue(path: KeyPath, message: string): void {
    this.issues.push(this.#at(path, message))
  }

  /** 'client.toml:7': where the key stands. */
  placeOf(path: KeyPath): string {
    return `${this.file}:${this.#at(path, '').line}`
  }

  warn(path: KeyPath, message: string): void {
    this.warnings.push(formatIssue(this.file, this.#at(path, message)))
  }

  /** What subnets mean, where they say more, such as an interface's address in the place of its network. */
  subnets(path: KeyPath, written: readonly string[]): string[] {
    return written.map((text, i) => {
      const prefix = text.includes('/') ? parseIpPrefix(text) : undefined
      const meant = prefix && prefixesOf(parseIpRange(text)!)[0]!
      if (!prefix || !meant || prefix.value === meant.value) return text
      const taken = formatIpPrefix(meant)
      this.warn([...path, i], `${JSON.stringify(text)} has bits beyond its prefix; ${taken} is taken`)
      return taken
    })
  }

  /** What the core would refuse at the start, where nothing is known to be wrong before. */
  ofCore(config: CheckedConfig): void {
    if (this.issues.length > 0) return
    try {
      checkConfig(config)
    } catch (error) {
      if (!(error instanceof SessionError) || error.code !== 'INVALID_CONFIG') throw error
      const message = error.message.replace(/\b(limits|timers)\.(\w+)/g, (_, table: string, name: string) => `${table}.${snakeCase(name)}`)
      const [key = '', table = '', name = ''] = /^(limits|timers)\.(\w+) /.exec(message) ?? []
      this.issue(key === '' ? [] : [table, name], message.slice(key.length))
    }
  }

  /** The octets of the secret that the table at `path` names; an issue and no octets where it names none. */
  secret(path: KeyPath, written: WrittenSecret): Uint8Array {
    const read: ReadSecret = readSecret(written, this.file)
    if (read.kind === 'refused') {
      this.issue([...path, read.key], read.message)
      return new Uint8Array(0)
    }
    for (const { key, message } of read.warnings) this.warn([...path, key], message)
    return read.octets
  }
}

/** What is wrong with a file as a whole: told alone, as all else would be wrong because of it. */
export interface Mistake {
  readonly path: KeyPath
  readonly message: string
}

/** Keys that belong below `table`, where the file has no such table: its heading was forgotten. */
export function withoutHeading(
  parsed: Readonly<Record<string, unknown>>,
  heading: string,
  keysOfIt: readonly string[],
): Mistake | undefined {
  const first = Object.keys(parsed).find((key) => keysOfIt.includes(key))
  return first === undefined ? undefined : { path: [first], message: `belongs below ${heading}; that line is missing above it` }
}

/** Throws `HostError` CONFIG_UNREADABLE, or CONFIG_INVALID whose message has one line for each thing wrong. */
export function loadConfig<Written, Config>(
  file: string,
  schema: z.ZodType<Written>,
  build: (written: Written, findings: Findings) => Config,
  mistaken: (parsed: Readonly<Record<string, unknown>>) => Mistake | undefined,
): Config {
  const text = readText(file)
  // First, as it bounds the depth that the locator follows.
  const parsed = parseToml(file, text)
  const locator = locateKeys(text)
  const mistake = mistaken(parsed)
  if (mistake) throw invalid(file, [issueAt(locator, mistake.path, mistake.message)])
  const checked = schema.safeParse(parsed, { error: wordIssue })
  if (!checked.success) throw invalid(file, issuesOf(checked.error, locator, parsed))
  const findings = new Findings(file, (path, message) => issueAt(locator, path, message))
  const config = build(checked.data, findings)
  if (findings.issues.length > 0) throw invalid(file, findings.issues)
  return config
}

/** An error of a key in a file that was loaded. */
export function invalidAt(file: string, path: KeyPath, message: string): HostError<'CONFIG_INVALID'> {
  return invalid(file, [issueAt(locateKeys(readText(file)), path, message)])
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new HostError('CONFIG_UNREADABLE', `${file}: cannot be read: ${reasonOf(error)}`, { file, reason: reasonOf(error) })
  }
}

function parseToml(file: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // Only the first line: below it smol-toml quotes the file, which may hold a secret.
    const { line, column } = error
    const isLineEnd = column > (text.split('\n')[line - 1] ?? '').trimEnd().length
    const isOpen = /unfinished string/.test(error.message) || (isLineEnd && /control characters/.test(error.message))
    const reason = isOpen ? 'a text is not closed: its second quote is missing' : reasonOf(error).replace('Invalid TOML document: ', '')
    throw invalid(file, [{ line, column, key: '', message: `is not TOML: ${reason}` }])
  }
}

function invalid(file: string, issues: readonly ConfigIssue[]): HostError<'CONFIG_INVALID'> {
  return new HostError('CONFIG_INVALID', issues.map((issue) => formatIssue(file, issue)).join('\n'), { file, issues })
}
