/** `check-config`: is the file right, and what would it do. */
import { hasNullCipher } from '@underpass/tls-transport'
import type { ClientConfig } from '../config/client-config.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import { invalidAt } from '../config/load.ts'
import type { SharedConfig } from '../config/shared-schema.ts'
import { HostError } from '../host-error.ts'
import { configAsJson } from '../report/config-words.ts'
import { EXIT, type ExitCode, exitCodeOf } from '../report/exit-codes.ts'
import type { Output } from '../report/reporter.ts'
import { refusedCongestionControl } from '../run/congestion-control.ts'
import { refusedCpu } from '../run/cpus.ts'

export interface CheckConfigOptions {
  readonly json: boolean
  readonly out: Output
  readonly err: Output
  /** Above the words of the plan. */
  readonly heading?: string
  /** What the file does not show by itself, and is no error. */
  readonly warnAbout?: (config: ClientConfig | GatewayConfig) => Promise<readonly string[]>
}

export async function checkConfig<C extends ClientConfig | GatewayConfig>(
  load: () => C,
  plan: (config: C) => readonly string[] | Promise<readonly string[]>,
  { json, out, err, heading, warnAbout }: CheckConfigOptions,
): Promise<ExitCode> {
  const config = loadOrTell(load, { json, out, err })
  if (typeof config === 'number') return config
  const lines = await plan(config)
  const warnings = [...config.warnings, ...((await warnAbout?.(config)) ?? [])]
  if (json) out.write(`${JSON.stringify({ kind: 'config', ok: true, warnings, plan: lines, config: configAsJson(config) })}\n`)
  else {
    for (const warning of warnings) err.write(`warning: ${warning}\n`)
    out.write(`${[...(heading === undefined ? [] : [heading]), ...lines].join('\n')}\n`)
  }
  return EXIT.OK
}

/** The configuration, or the exit code when there is none; why is told then, one line for each thing wrong. */
export function loadOrTell<C extends SharedConfig>(load: () => C, { json, out, err }: CheckConfigOptions): C | ExitCode {
  try {
    const config = load()
    checkOnThisMachine(config)
    return config
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    if (json) out.write(`${JSON.stringify({ kind: 'config', ok: false, ...error.context })}\n`)
    err.write(`${error.message}\n`)
    return exitCodeOf(error)
  }
}

/** What no file shows by itself. Throws `HostError` CONFIG_INVALID. */
function checkOnThisMachine({
  file,
  congestionControl,
  cpus,
  tls,
}: SharedConfig & Partial<Pick<ClientConfig | GatewayConfig, 'tls'>>): void {
  if (tls?.nullCipher && !hasNullCipher())
    throw invalidAt(
      file,
      ['files' in tls ? [] : ['peer'], 'tls', 'null_cipher'].flat(),
      'is of OpenSSL: Node has it; for Bun and Deno install OpenSSL 3 (libssl.so.3), which cannot be loaded here',
    )
  const refusal = congestionControl === undefined ? undefined : refusedCongestionControl(congestionControl)
  if (refusal !== undefined) throw invalidAt(file, ['tcp', 'congestion_control'], refusal.reason)
  for (const [i, cpu] of cpus.entries()) {
    const reason = refusedCpu(cpu)
    if (reason !== undefined) throw invalidAt(file, ['cpus', i], reason)
  }
}
