import { homedir } from 'node:os'
import { join } from 'node:path'

/** A file in the state directory of the XDG Base Directory Specification; of root's, in /var/lib. */
export function statePath(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  isRoot: boolean = process.getuid?.() === 0,
): string {
  const file = join('underpass', name)
  const state = env['XDG_STATE_HOME']
  if (state?.startsWith('/')) return join(state, file)
  return isRoot ? join('/var/lib', file) : join(homedir(), '.local/state', file)
}
