// Whether a contender can run here at all, and why not.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { env } from 'node:process'

/** Debian keeps daemons where a user's PATH does not lead. */
const FOLDERS = [...(env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']

/** A need of its own: a TUN device that the kernel makes. */
export const TUN = Symbol('a TUN device')

/**
 * @param {Record<string, string>} programs program to the Debian package that has it
 * @returns {string | undefined} what is missing, in words; undefined where nothing is
 */
export function needs(programs, ...others) {
  const packages = new Set(Object.entries(programs).flatMap(([program, name]) => (isThere(program) ? [] : [name])))
  if (packages.size > 0) return `not installed (Debian: apt-get install ${[...packages].join(' ')})`
  if (others.includes(TUN) && !hasTun()) return 'not possible: this machine has no /dev/net/tun'
  return undefined
}

/** The first group of `pattern` in what a command says. */
export function firstLine(argv, pattern) {
  const { stdout, stderr } = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8', timeout: 5_000 })
  return pattern.exec(`${stdout}${stderr}`)?.[1]
}

function isThere(program) {
  return FOLDERS.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** The device's node is made where only that is missing, as udev would. */
export function hasTun() {
  if (existsSync('/dev/net/tun')) return true
  if (!existsSync('/sys/class/misc/tun') || process.getuid?.() !== 0) return false
  mkdirSync('/dev/net', { recursive: true })
  return spawnSync('mknod', ['-m', '0600', '/dev/net/tun', 'c', '10', '200']).status === 0
}
