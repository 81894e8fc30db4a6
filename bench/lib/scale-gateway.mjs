// The gateway of `scale`: the program as it is, with everybody's secret one and the same, and addresses behind it that its kernel answers for.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { until } from '../../interop/lib/process.mjs'
import { root } from '../../tools/runtimes.mjs'
import { hasTun } from '../contenders/installed.mjs'
import { CLIENT, GATEWAY } from './two-ends.mjs'

const PROGRAM = join(root, 'apps/gateway/dist/underpass-gateway.js')

export const SCALE = { ike: 'aes256gcm16-prfsha256-x25519', esp: 'aes256gcm16', psk: 'a shared secret that only a benchmark has' }

/** The clients' outer addresses: 64 of them, so that the gateway's limits of one address may stay as they are. */
export const SOURCES = Array.from({ length: 64 }, (_, i) => `172.30.1.${i + 1}`)

/** The address behind the gateway that a client has for itself. */
export const hostOf = (number) => `10.2.${number >> 8}.${number & 0xff}`

/** @returns {Promise<{ pid: number, limits: string[] }>} the gateway, listening; `limits`: what of [limits] is not the default */
export async function startScaleGateway(ends, { clients, livenessSeconds }) {
  const limits = clients > 18_000 ? [`max_ike_sas = ${2 * clients}`, `max_connections = ${2 * clients}`] : []
  const file = join(ends.folder('gateway'), 'config.toml')
  const control = join(tmpdir(), `${ends.prefix}-gateway.sock`)
  ends.defer(async () => rmSync(control, { force: true }))
  writeFileSync(file, settings({ control, limits, livenessSeconds }), { mode: 0o600 })
  await addresses(ends)
  // `BENCH_GATEWAY_FLAGS="--cpu-prof --cpu-prof-dir=DIR" npm run bench -- scale`: where its time goes, for hot-spots.mjs.
  const flags = (process.env.BENCH_GATEWAY_FLAGS ?? '').split(' ').filter((word) => word !== '')
  const argv = [execPath, ...flags, PROGRAM, 'run', '--config', file, '--json']
  // To a file, as a service's output goes: what reads a pipe would take CPU from what is measured.
  const log = join(ends.dir, 'gateway-output.log')
  const gateway = ends.backgroundIn(ends.gateway, 'gateway', ['sh', '-c', `exec "$@" >'${log}' 2>&1`, 'sh', ...argv])
  const isListening = async () => {
    if (gateway.exitCode !== undefined)
      throw new Error(`the gateway ended with ${gateway.exitCode}: ${readFileSync(log, 'utf8').slice(-600)}`)
    return (await ends.in(ends.gateway, ['ss', '-Hltn', 'sport = :4500'])).stdout.includes(':4500')
  }
  await until('the gateway to listen', isListening, 15_000, 50)
  return { pid: gateway.pid, limits }
}

async function addresses(ends) {
  const lines = SOURCES.map((address) => `addr add ${address}/32 dev outer`)
  await ends.mustIn(ends.client, ['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
  await ends.mustIn(ends.gateway, ['ip', 'route', 'add', '172.30.1.0/24', 'via', CLIENT])
  await ends.mustIn(ends.gateway, ['ip', 'route', 'add', 'local', '10.2.0.0/16', 'dev', 'lo'])
}

const settings = ({ control, limits, livenessSeconds }) => `
control = "${control}"
[listen]
address = ["${GATEWAY}"]
udp = []
tcp = [4500]
[tun]
device = "${hasTun() ? 'tun' : 'packet'}"
[[connection]]
name = "scale"
local_id = "@gateway"
remote_id = "any"
psk = "${SCALE.psk}"
local = ["10.2.0.0/16"]
pool = { ranges = ["10.64.0.0/16"] }
ike = ["${SCALE.ike}"]
esp = ["${SCALE.esp}"]
[limits]
${limits.join('\n')}
[timers]
liveness = "${livenessSeconds}s"
`
