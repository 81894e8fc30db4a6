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
export async function startScaleGateway(ends, { clients, livenessSeconds, flags, isAgain = false }) {
  const limits = clients > 18_000 ? [`max_ike_sas = ${2 * clients}`, `max_connections = ${2 * clients}`] : []
  if (!isAgain) await addresses(ends)
  return { ...(await startGateway(ends, { limits, livenessSeconds, flags })), limits }
}

/**
 * The program with one connection for everybody. `top`: lines in front of all tables; `udp`: ports beside TCP's; `tun`: lines of [tun]; `flags`: Node's. A second
 * one may be started when the first has ended.
 */
export async function startGateway(ends, { top = [], udp = [], tun = [], limits = [], livenessSeconds, flags = [] }) {
  const file = join(ends.folder('gateway'), 'config.toml')
  const control = join(tmpdir(), `${ends.prefix}-gateway.sock`)
  ends.defer(async () => rmSync(control, { force: true }))
  writeFileSync(file, settings({ control, top, udp, tun, limits, livenessSeconds }), { mode: 0o600 })
  // `BENCH_GATEWAY_FLAGS="--cpu-prof --cpu-prof-dir=DIR" npm run bench -- scale`: where its time goes, for hot-spots.mjs.
  const more = (process.env.BENCH_GATEWAY_FLAGS ?? '').split(' ').filter((word) => word !== '')
  const argv = [execPath, ...flags, ...more, PROGRAM, 'run', '--config', file, '--json']
  // To a file, as a service's output goes: what reads a pipe would take CPU from what is measured.
  const log = join(ends.dir, 'gateway-output.log')
  const gateway = ends.backgroundIn(ends.gateway, 'gateway', ['sh', '-c', `exec "$@" >'${log}' 2>&1`, 'sh', ...argv])
  const isListening = async () => {
    if (gateway.exitCode !== undefined)
      throw new Error(`the gateway ended with ${gateway.exitCode}: ${readFileSync(log, 'utf8').slice(-600)}`)
    return (await ends.in(ends.gateway, ['ss', '-Hltn', 'sport = :4500'])).stdout.includes(':4500')
  }
  await until('the gateway to listen', isListening, 15_000, 50)
  return { pid: gateway.pid, process: gateway }
}

async function addresses(ends) {
  const lines = SOURCES.map((address) => `addr add ${address}/32 dev outer`)
  await ends.mustIn(ends.client, ['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
  await ends.mustIn(ends.gateway, ['ip', 'route', 'add', '172.30.1.0/24', 'via', CLIENT])
  await ends.mustIn(ends.gateway, ['ip', 'route', 'add', 'local', '10.2.0.0/16', 'dev', 'lo'])
}

const settings = ({ control, top, udp, tun, limits, livenessSeconds }) => `
control = "${control}"
${top.join('\n')}
[listen]
address = ["${GATEWAY}"]
udp = [${udp.join(', ')}]
tcp = [4500]
[tun]
device = "${hasTun() ? 'tun' : 'packet'}"
${tun.join('\n')}
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
