/** Asked of real devices, in a network namespace of their own. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const FIXTURE = fileURLToPath(new URL('../fixtures/tcp-offload.mjs', import.meta.url))
const TSC = fileURLToPath(new URL('../../../../node_modules/.bin/tsc', import.meta.url))

describe('hasTcpOffload', () => {
  // CI runs as root, and has it.
  it.skipIf(!canMakeDevices())(
    'is what the device was opened with, and unknown where there is none of the name',
    () => {
      // What runs in a process of its own is JavaScript, because Node 20 runs nothing else.
      execFileSync(TSC, ['-b', fileURLToPath(new URL('../..', import.meta.url))])
      const runtime = 'Deno' in globalThis ? [process.execPath, 'run', '-A'] : [process.execPath]
      const told = execFileSync('unshare', ['-n', '--', ...runtime, FIXTURE], { encoding: 'utf8', timeout: 30_000 })
      expect(JSON.parse(told)).toEqual({ 'tun, offload true': true, 'tun, offload false': false, packet: true, absent: 'unknown' })
    },
    60_000,
  )
})

/** Root, /dev/net/tun and iproute2. */
function canMakeDevices(): boolean {
  try {
    execFileSync('unshare', ['-n', 'ip', 'tuntap', 'add', 'dev', 'probe0', 'mode', 'tun'], { stdio: 'ignore', timeout: 5_000 })
    return process.getuid?.() === 0
  } catch {
    return false
  }
}
