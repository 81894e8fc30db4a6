// The one place that knows how Underpass's client and gateway are started, configured and read.
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repository } from './lab.mjs'
import { CLIENT_ID, GATEWAY_ID, SECRET } from './peer-configs.mjs'
import { until } from './process.mjs'

const CLIENT = join(repository, 'apps/client/dist/underpass.js')
const GATEWAY = join(repository, 'apps/gateway/dist/underpass-gateway.js')

/**
 * `underpass up` in a namespace. `auth`: keys of [peer] in the place of the shared secret's and the identities'. `transports` as its configuration writes them: ['tcp:4500'], ['udp'].
 * @param {{gateway: string, transports: (string | object)[], remote: string[], id?: string, tls?: object, ike?: string, esp?: string, timers?: Record<string, string>}} settings
 */
export function startClient(
  lab,
  namespace,
  { label = 'client', gateway, transports, remote, id = CLIENT_ID, auth, tls, ike, esp, timers = {}, limits, ppk },
) {
  return start(
    lab,
    namespace,
    { program: CLIENT, command: 'up', label },
    {
      peer: {
        gateway,
        transports,
        local_id: id,
        remote_id: GATEWAY_ID,
        psk: SECRET,
        remote,
        ...(tls && { tls }),
        ...(ppk && { ppk }),
        ...suites(ike, esp),
        ...auth,
      },
      timers: { liveness: '30s', ...timers },
      ...(limits && { limits }),
    },
  )
}

/**
 * `underpass-gateway run` in a namespace, until it listens: one connection for one client; its TUN has the first address of 10.1.0.0/24.
 * `proxies`: whose PROXY headers are believed. `radius`: servers, as the configuration writes them.
 * @param {{address: string, udp?: number[], tcp?: (number | object)[], tls?: {ports: (number | object)[], cert_file: string, key_file: string}, proxies?: string[], workers?: number, ids?: string[], ike?: string, esp?: string, timers?: Record<string, string>}} settings
 */
export async function startGateway(
  lab,
  namespace,
  { label = 'gateway', address, udp = [], tcp = [], tls, proxies, workers, ids, auth, ike, esp, timers = {}, limits, ppk, radius },
) {
  const gateway = start(
    lab,
    namespace,
    { program: GATEWAY, command: 'run', label },
    {
      ...(workers && { workers }),
      listen: { address: [address], udp, tcp, ...(tls && { tls: tls.ports }), ...(proxies && { proxy_protocol: proxies }) },
      ...(tls && { tls: { cert_file: tls.cert_file, key_file: tls.key_file } }),
      tun: { address: ['10.1.0.1/24'] },
      timers: { liveness: '30s', ...timers },
      ...(limits && { limits }),
      ...(radius && { radius }),
      connection: [
        {
          name: 'road',
          local_id: GATEWAY_ID,
          remote_id: ids ?? CLIENT_ID,
          psk: SECRET,
          local: ['10.1.0.0/24'],
          pool: { ranges: ['10.9.0.10-10.9.0.100'] },
          ...(ppk && { ppk }),
          ...suites(ike, esp),
          ...auth,
        },
      ],
    },
  )
  const [flag, port] = tcp.length > 0 ? ['-Hltn', tcp[0].port ?? tcp[0]] : ['-Hlun', udp[0]]
  await until('our gateway to listen', async () => {
    const { exitCode, lines } = gateway.background
    if (exitCode !== undefined) throw new Error(`our gateway ended with ${exitCode}: ${lines.slice(-8).join(' ')}`)
    return (await lab.in(namespace, ['ss', flag, `sport = :${port}`])).stdout.includes(`:${port}`)
  })
  return gateway
}

const suites = (ike, esp) => ({ ...(ike === undefined ? {} : { ike: [ike].flat() }), ...(esp === undefined ? {} : { esp: [esp].flat() }) })

function start(lab, namespace, { program, command, label }, config) {
  if (!existsSync(program)) throw new Error(`${program} is not built: npm run build`)
  const dir = lab.folder(label)
  const file = join(dir, 'config.toml')
  // A socket's path has room for about a hundred octets; the laboratory's folder may be deeper.
  const control = join(tmpdir(), `${lab.prefix}-${label.slice(0, 20)}.sock`)
  lab.defer(async () => rmSync(control, { force: true }))
  writeFileSync(file, toml({ control, ...config }), { mode: 0o600 })
  const environment = ['env', `XDG_STATE_HOME=${dir}`]
  const background = lab.backgroundIn(namespace, label, [...environment, process.execPath, program, command, '--config', file, '--json'])
  const ask = (...words) => lab.mustIn(namespace, [process.execPath, program, ...words, '--config', file, '--json'])
  return new App(background, command === 'up', ask)
}

/** A running client or gateway. Its --json output is an event a line: {kind, …}. */
export class App {
  #ask

  constructor(background, isClient, ask) {
    this.background = background
    this.isClient = isClient
    this.#ask = ask
  }

  /** What its `status --json` says. */
  async status() {
    return JSON.parse(await this.#ask('status'))
  }

  /** New keys now: 'ike' or 'child'. What comes of it is an event. */
  async rekey(which) {
    await this.#ask('rekey', '--sa', which)
  }

  /** Where in its output a later wait begins. */
  get mark() {
    return this.background.lines.length
  }

  /** The next event of this kind (and for which `matches` holds); other output is passed over. */
  async waitFor(kind, { timeout = 20_000, since = 0, matches = () => true } = {}) {
    const wanted = { test: (line) => eventOf(line)?.kind === kind && matches(eventOf(line)), toString: () => `event ${kind}` }
    return eventOf(await this.background.waitForLine(wanted, timeout, since))
  }

  /** Events of a kind, so far. */
  events(kind, since = 0) {
    return this.background.lines
      .slice(since)
      .map(eventOf)
      .filter((event) => event?.kind === kind)
  }

  /**
   * Until the Child SA is installed, and a client has its address and routes: the events put together. `address` is the inner
   * one a client was assigned, or a gateway gave.
   */
  async established(options) {
    const child = await this.waitFor('child-sa-installed', options)
    if (this.isClient) await this.waitFor('tunnel-up', options)
    const assigned = this.events('addresses-assigned', options?.since).at(-1)
    return {
      child,
      address: assigned?.addresses[0]?.address ?? (this.isClient ? child.localTs : child.remoteTs)[0]?.split(/[-/]/)[0],
      ike: this.events('ike-sa-established', options?.since).at(-1),
    }
  }

  closed(options) {
    return this.waitFor('ike-sa-closed', options)
  }

  /** SIGTERM: it deletes its SAs and ends. */
  stop() {
    return this.background.stop(8_000)
  }
}

/** An event may stand alone on its line or inside an envelope with a time. */
function eventOf(line) {
  if (!line.startsWith('{') || !line.endsWith('}')) return undefined
  try {
    const value = JSON.parse(line)
    return typeof value.event === 'object' && value.event !== null ? value.event : value
  } catch {
    return undefined
  }
}

/** Plain values and arrays first, then tables, then arrays of tables; a table inside one of those is written inline. */
function toml(document) {
  const isTable = (value) => typeof value === 'object' && !Array.isArray(value)
  const isTables = (value) => Array.isArray(value) && value.some(isTable)
  const entries = Object.entries(document)
  const rows = (table) =>
    Object.entries(table)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key} = ${inline(value)}\n`)
      .join('')
  return [
    rows(Object.fromEntries(entries.filter(([, value]) => !isTable(value) && !isTables(value)))),
    ...entries.filter(([, value]) => isTable(value)).map(([name, table]) => `[${name}]\n${rows(table)}`),
    ...entries.filter(([, value]) => isTables(value)).flatMap(([name, tables]) => tables.map((table) => `[[${name}]]\n${rows(table)}`)),
  ].join('\n')
}

function inline(value) {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`
  if (typeof value === 'object')
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${key} = ${inline(inner)}`)
      .join(', ')} }`
  return JSON.stringify(value)
}
