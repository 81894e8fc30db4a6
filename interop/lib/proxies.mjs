// Proxies that others wrote, each with a log that says what it was asked for.
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './process.mjs'

const USER = 'lab'
const PASSWORD = 'p@ss-of-the-lab'
/** As a URL has them. */
export const LOGIN = `${USER}:${encodeURIComponent(PASSWORD)}`

/** squid, which asks by Digest. `hosts`: what it resolves, as /etc/hosts has it. */
export function startSquid(lab, namespace, { label = 'squid', address, port, hosts = '' }) {
  // It will not run as root, and the laboratory's folder may be where nobody else gets.
  const dir = mkdtempSync(join(tmpdir(), `${lab.prefix}-`))
  lab.defer(async () => rmSync(dir, { recursive: true, force: true }))
  chmodSync(dir, 0o777)
  const file = (name, content) => {
    writeFileSync(join(dir, name), content)
    chmodSync(join(dir, name), 0o666)
    return join(dir, name)
  }
  const log = file('access.log', '')
  // Its shared memory is named after it; one that was killed leaves its own behind.
  const name = lab.prefix.replaceAll(/[^a-z0-9]/g, '')
  lab.defer(async () => {
    for (const left of readdirSync('/dev/shm')) if (left.startsWith(`${name}-`)) rmSync(join('/dev/shm', left), { force: true })
  })
  const conf = file(
    'squid.conf',
    [
      `http_port ${address}:${port}`,
      'pid_filename none',
      `hosts_file ${file('hosts', hosts)}`,
      `coredump_dir ${dir}`,
      'cache deny all',
      `access_log stdio:${log}`,
      `cache_log ${file('cache.log', '')}`,
      'netdb_filename none',
      'pinger_enable off',
      'shutdown_lifetime 0 seconds',
      `auth_param digest program /usr/lib/squid/digest_file_auth ${file('users', `${USER}:${PASSWORD}\n`)}`,
      'auth_param digest realm lab',
      'auth_param digest children 1 startup=1',
      'acl known proxy_auth REQUIRED',
      'acl connect method CONNECT',
      'http_access allow connect known',
      'http_access deny all',
      '',
    ].join('\n'),
  )
  return new RunningProxy(lab, namespace, { label, argv: ['squid', '-N', '-n', name, '-f', conf], log, port }).start()
}

/** Of tinyproxy, whose configuration has room for fewer characters. */
const PLAIN_PASSWORD = 'pass-of-the-lab'
export const PLAIN_LOGIN = `${USER}:${PLAIN_PASSWORD}`

/** tinyproxy, which asks by Basic. */
export function startTinyproxy(lab, namespace, { label = 'tinyproxy', address, port }) {
  const dir = lab.folder(label)
  const log = join(dir, 'access.log')
  const conf = join(dir, 'tinyproxy.conf')
  const lines = [
    `Port ${port}`,
    `Listen ${address}`,
    'Timeout 600',
    `LogFile "${log}"`,
    'LogLevel Connect',
    `BasicAuth ${USER} ${PLAIN_PASSWORD}`,
  ]
  writeFileSync(conf, [...lines, 'ConnectPort 443', 'ConnectPort 4500', ''].join('\n'))
  return new RunningProxy(lab, namespace, { label, argv: ['tinyproxy', '-d', '-c', conf], log, port }).start()
}

/** microsocks, SOCKS 5 with a user and a password; its log is what it prints. */
export function startMicrosocks(lab, namespace, { label = 'microsocks', address, port }) {
  const argv = ['microsocks', '-i', address, '-p', String(port), '-u', USER, '-P', PASSWORD]
  return new RunningProxy(lab, namespace, { label, argv, port }).start()
}

/** A program that stands between, and can be stopped and started again. `how`: {label, argv, port, log?} */
export class RunningProxy {
  #lab
  #namespace
  #how
  #starts = 0

  constructor(lab, namespace, how) {
    this.#lab = lab
    this.#namespace = namespace
    this.#how = how
  }

  /** Until it listens. */
  async start() {
    const { label, argv, port } = this.#how
    this.background = this.#lab.backgroundIn(this.#namespace, `${label}-${++this.#starts}`, argv)
    await until(`${label} to listen`, async () => {
      if (this.background.exitCode !== undefined) throw new Error(`${label} ended: ${this.background.lines.slice(-5).join(' ')}`)
      return (await this.#lab.in(this.#namespace, ['ss', '-Hltn', `sport = :${port}`])).stdout.includes(`:${port}`)
    })
    return this
  }

  /** Its connections are gone with it. */
  stop() {
    return this.background.stop(4_000)
  }

  /** What its log says so far. */
  get log() {
    const { log } = this.#how
    return log !== undefined && existsSync(log) ? readFileSync(log, 'utf8') : this.background.lines.join('\n')
  }
}
