import { execFileSync } from 'node:child_process'
import { TunError } from './tun-device.ts'

/** Runs `ip` (iproute2) with `words` about the interface `subject`. @throws TunError `COMMAND_FAILED` with its words */
export function ip(subject: string, words: readonly string[]): void {
  try {
    execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' })
  } catch (cause) {
    const stderr = String((cause as { stderr?: unknown }).stderr ?? '').trim()
    const why = stderr === '' ? (cause as Error).message : stderr
    throw new TunError('COMMAND_FAILED', `ip ${words.join(' ')}: ${why}`, { interface: subject }, { cause })
  }
}
