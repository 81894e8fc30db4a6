/** Where a program's control socket and journal are. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'smol-toml'

/** `$XDG_RUNTIME_DIR/underpass/<program>.sock`, or /run/underpass without one. */
export function defaultControlPath(program: 'client' | 'gateway', env: Readonly<Record<string, string | undefined>>): string {
  const runtime = env['XDG_RUNTIME_DIR']
  return join(runtime === undefined || runtime === '' ? '/run' : runtime, 'underpass', `${program}.sock`)
}

/** Beside the socket: both are of this boot. */
export function journalPath(controlPath: string): string {
  return `${controlPath}.journal`
}

/** The `control` key of a file that need not be right otherwise, nor readable: `status` asks no more of it. */
export function controlPathIn(configFile: string): string | undefined {
  try {
    const { control } = parse(readFileSync(configFile, 'utf8'))
    return typeof control === 'string' ? control : undefined
  } catch {
    return undefined
  }
}
