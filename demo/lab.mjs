// What the two places share: the two programs of ours, their configuration files, their status.
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { spawnTracked } from './processes.mjs'

/** This place is not to be had here; nothing was begun. */
export class Impossible extends Error {}

/** The gateway's address inside the tunnel, and those it gives away. */
export const GATEWAY_INNER = '10.99.0.1'
const INNER = '10.99.0.0/24'
const POOL = '10.99.0.2-10.99.0.254'
const GATEWAY_ID = '@gateway.example'
const CLIENT_ID = 'you@client.example'

/** The programs' entry points, as anybody would run them. */
export const APPS = { client: path('../apps/client/dist/underpass.js'), gateway: path('../apps/gateway/dist/underpass-gateway.js') }

export const programFile = (name) => path(`./programs/${name}`)

export class Lab {
  /** Our client and gateway, running: newest last. */
  apps = []
  services = []
  dir
  without

  constructor({ dir, without }) {
    this.dir = dir
    this.without = without
  }

  /** Where a program's configuration is; mode 0600, for it holds the secret. */
  configFile(role) {
    return join(this.dir, `${role}.toml`)
  }

  writeGatewayConfig({ psk, device, udp, tcp, address }) {
    this.#write('gateway', [
      `control = ${text(join(this.dir, 'gateway.sock'))}`,
      '[listen]',
      ...(address === undefined ? [] : [`address = [${text(address)}]`]),
      `udp = ${JSON.stringify(udp)}`,
      `tcp = ${JSON.stringify(tcp)}`,
      '[[connection]]',
      'name = "demo"',
      `local_id = ${text(GATEWAY_ID)}`,
      `remote_id = ${text(CLIENT_ID)}`,
      `psk = ${text(psk)}`,
      `local = [${text(INNER)}]`,
      `pool = { ranges = [${text(POOL)}] }`,
      '[tun]',
      `device = ${text(device)}`,
      `address = [${text(`${GATEWAY_INNER}/24`)}]`,
    ])
  }

  writeClientConfig({ psk, device, gateway, transports }) {
    this.#write('client', [
      `control = ${text(join(this.dir, 'client.sock'))}`,
      '[peer]',
      'name = "gateway"',
      `gateway = ${text(gateway)}`,
      `transports = ${JSON.stringify(transports)}`,
      `local_id = ${text(CLIENT_ID)}`,
      `remote_id = ${text(GATEWAY_ID)}`,
      `psk = ${text(psk)}`,
      `remote = [${text(INNER)}]`,
      // Each run shows what is found out of the network.
      '[network]',
      'remember = false',
      '[tun]',
      `device = ${text(device)}`,
    ])
  }

  /** `status --json` of a running program, asked as anybody would ask. */
  async status(role) {
    const { code, stdout, output } = await spawnTracked(execPath, [APPS[role], 'status', '--json', '--config', this.configFile(role)], {
      timeout: 10_000,
    })
    if (code !== 0) throw new Error(`${role} status ended with ${code}: ${output.trim()}`)
    return JSON.parse(stdout)
  }

  /** The same as a line to copy. */
  statusCommand(role) {
    return [execPath, APPS[role], 'status', '--config', this.configFile(role)].map(quoted).join(' ')
  }

  /** Never rejects. The client first: its Deletes want an answer. */
  async close() {
    for (const one of [...this.apps.toReversed(), ...this.services]) await one.stop()
  }

  /** Leaves the logs. */
  removeAllButLogs() {
    for (const name of readdirSync(this.dir)) if (!name.endsWith('.log')) rmSync(join(this.dir, name), { recursive: true, force: true })
  }

  #write(role, lines) {
    writeFileSync(this.configFile(role), `${lines.join('\n')}\n`, { mode: 0o600 })
  }
}

/** A program of demo/programs ends with one line of JSON. */
export function resultOf(name, { code, stdout, output }) {
  const last = stdout.trim().split('\n').at(-1)
  if (code === 0 && last.startsWith('{')) return JSON.parse(last)
  throw new Error(`${name}: ${output.trim().split('\n').at(-1) || 'said nothing'} (status ${code})`)
}

/** For a shell. */
export function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

function path(relative) {
  return fileURLToPath(new URL(relative, import.meta.url))
}

/** A TOML basic string is written like a JSON one. */
function text(value) {
  return JSON.stringify(value)
}
