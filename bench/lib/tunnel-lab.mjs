// Two namespaces, a veth pair between them, and in them our gateway and client as processes of their own.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Lab } from '../../interop/lib/lab.mjs'
import { root } from '../../tools/runtimes.mjs'

const GATEWAY = join(root, 'apps/gateway/dist/underpass-gateway.js')
const CLIENT = join(root, 'apps/client/dist/underpass.js')

/** Outer 172.30.0.1 and .2; behind the gateway 10.30.0.1, on its device. */
export class TunnelLab extends Lab {
  constructor() {
    super('bench')
    this.prefix = `up-bench-${process.pid}`
  }

  /** A link of its own for each contender. Answers with the two namespaces. */
  async twoEnds(label) {
    const gateway = await this.namespace(`${label}-g`)
    const client = await this.namespace(`${label}-c`)
    await this.link(
      { namespace: gateway, device: 'outer', address: '172.30.0.1/24' },
      { namespace: client, device: 'outer', address: '172.30.0.2/24' },
    )
    return { gateway, client }
  }

  /**
   * A tunnel over `transport`, up. `runtime` is one of tools/runtimes.mjs; `gatewayFlags` and `clientFlags` go to it in front of the program.
   * @returns {Promise<{ gateway: string, client: string, processes: { gateway: number, client: number }, device: string }>}
   */
  async tunnel(label, { transport, runtime, mtu = 1400, gatewayFlags = [], clientFlags = [] }) {
    for (const program of [GATEWAY, CLIENT]) if (!existsSync(program)) throw new Error(`${program} is not built: npm run build`)
    const ends = await this.twoEnds(label)
    const device = existsSync('/dev/net/tun') ? 'tun' : 'packet'
    const psk = 'a shared secret that only a benchmark has'
    const gateway = this.#program(
      ends.gateway,
      `${label}-gateway`,
      [runtime.command, ...runtime.prefix, ...gatewayFlags, GATEWAY, 'run'],
      `
[listen]
address = ["172.30.0.1"]
udp = [${transport === 'udp' ? '500, 4500' : ''}]
tcp = [${transport === 'tcp' ? '4500' : ''}]
[tun]
device = "${device}"
mtu = ${mtu}
address = ["10.30.0.1/24"]
[[connection]]
name = "bench"
local_id = "@gateway"
remote_id = "@client"
psk = "${psk}"
local = ["10.30.0.0/24"]
pool = { ranges = ["10.31.0.10-10.31.0.20"] }
esp = ["aes256gcm16"]
`,
    )
    await this.#listening(ends.gateway, transport, gateway)
    const client = this.#program(
      ends.client,
      `${label}-client`,
      [runtime.command, ...runtime.prefix, ...clientFlags, CLIENT, 'up'],
      `
[peer]
gateway = "172.30.0.1"
transports = ["${transport === 'tcp' ? 'tcp:4500' : 'udp'}"]
local_id = "@client"
remote_id = "@gateway"
psk = "${psk}"
remote = ["10.30.0.0/24"]
esp = ["aes256gcm16"]
[tun]
device = "${device}"
mtu = ${mtu}
`,
    )
    await client.waitForLine(/"tunnel-up"/, 20_000)
    return { ...ends, processes: { gateway: gateway.pid, client: client.pid }, programs: { gateway, client }, device }
  }

  #program(namespace, label, argv, settings) {
    const file = join(this.folder(label), 'config.toml')
    const control = join(tmpdir(), `${this.prefix}-${label}.sock`)
    this.defer(async () => rmSync(control, { force: true }))
    writeFileSync(file, `control = "${control}"\n${settings}`, { mode: 0o600 })
    return this.backgroundIn(namespace, label, [...argv, '--config', file, '--json'], { env: { DENO_NO_UPDATE_CHECK: '1' } })
  }

  async #listening(namespace, transport, { lines, exitCode }) {
    const [flag, port] = transport === 'tcp' ? ['-Hltn', 4500] : ['-Hlun', 500]
    for (let tries = 0; tries < 100; tries++) {
      if (exitCode !== undefined) break
      if ((await this.in(namespace, ['ss', flag, `sport = :${port}`])).stdout.includes(`:${port}`)) return
      await sleep(100)
    }
    throw new Error(`the gateway does not listen: ${lines.slice(-5).join(' ')}`)
  }
}

/** CPU seconds that a process has used so far, all threads of it (proc(5): fields 14 and 15 of stat, in ticks of 1/100 s). */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
