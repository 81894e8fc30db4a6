import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../interop/lib/process.mjs'
import { root, runtimes } from '../../tools/runtimes.mjs'
import { GATEWAY } from '../lib/two-ends.mjs'
import { certificate } from './certificates.mjs'
import { hasTun } from './installed.mjs'
import { CPUS, keptName, withoutCores } from './kept-on-cores.mjs'

const PROGRAMS = { gateway: join(root, 'apps/gateway/dist/underpass-gateway.js'), client: join(root, 'apps/client/dist/underpass.js') }
const SECRET = 'a shared secret that only a benchmark has'
const TITLES = { node: 'Node', bun: 'Bun', deno: 'Deno' }

/**
 * The inner MTU. ESP adds SPI, sequence number, IV, padding to a multiple of 4, its two octets and a 16-octet ICV: 34 to 37 octets.
 * Standard over TCP and TLS: a frame of at most 1,400 octets, its Length field included (RFC 9329 §3); over UDP: an IPv4 packet of 1,400. Large:
 * the longest whose ESP packet fits the 65,533 octets of a frame. Jumbo: that of an Ethernet with jumbo frames, which anybody may set.
 */
const STREAM = { standard: 1362, large: 65_498, jumbo: 9_000 }
const MTU = { tcp: STREAM, tls: STREAM, udp: { standard: 1338 } }
const OUTER = { tcp: 'TCP', tls: 'TLS over TCP', udp: 'UDP' }
/** Of the gateway's certificate, and what a client expects in it. */
const SERVER = 'server'
const TLS_PORT = 443
const ESP = { aes: 'aes256gcm16', chacha: 'chacha20poly1305' }

/** Another pair in the same two ends has networks, names and a TCP port of its own. */
const LANES = {
  first: { inner: '10.30.0', pool: '10.31.0', names: {}, suffix: '', port: 4500 },
  second: { inner: '10.40.0', pool: '10.41.0', names: { gateway: 'underpass-gw1', client: 'underpass1' }, suffix: '-second', port: 4501 },
  third: { inner: '10.50.0', pool: '10.51.0', names: { gateway: 'underpass-gw2', client: 'underpass2' }, suffix: '-third', port: 4502 },
  fourth: { inner: '10.60.0', pool: '10.61.0', names: { gateway: 'underpass-gw3', client: 'underpass3' }, suffix: '-fourth', port: 4503 },
}

/**
 * Underpass's own client and gateway as processes of one runtime.
 * @param {{ runtime: 'node' | 'bun' | 'deno', transport: 'tcp' | 'tls' | 'udp', frames?: keyof STREAM, cipher?: 'aes' | 'chacha',
 *   lane?: 'first' | 'second' | 'third' | 'fourth', congestionControl?: string, thinAcks?: boolean, isKept?: boolean }} how `congestionControl`: of
 *   the outer connection, other than what the ends have; `isKept`: each end's event loop on a core
 */
export function underpass({
  runtime,
  transport,
  frames = 'standard',
  cipher = 'aes',
  lane = 'first',
  congestionControl,
  thinAcks = false,
  isKept = false,
}) {
  const { command, prefix } = runtimes().find(({ name }) => name === runtime)
  const mtu = MTU[transport][frames]
  const extras = [...(frames === 'standard' ? [] : [`${frames} MTU`]), ...(cipher === 'chacha' ? ['ChaCha20-Poly1305'] : [])]
  const name = ['Underpass', transport.toUpperCase(), ...extras, TITLES[runtime]].join(', ').replace('Underpass, ', 'Underpass ')
  return {
    name: isKept ? keptName(name) : name,
    group: 'ours',
    outer: OUTER[transport],
    labels: { runtime, transport, frames, cipher, mtu, isKept },
    isInstalled() {
      if (!command) return `not installed (no binary of ${TITLES[runtime]} for this platform came with npm ci)`
      if (isKept && withoutCores() !== undefined) return withoutCores()
      return Object.values(PROGRAMS).every(existsSync) ? undefined : 'not built: npm run build'
    },

    async start(ends) {
      const device = hasTun() ? 'tun' : 'packet'
      const how = { transport, device, mtu, cipher, congestionControl, thinAcks, isKept, ...LANES[lane] }
      if (transport === 'tls') Object.assign(how, { port: TLS_PORT, pems: await certificate(ends.folder(`tls${how.suffix}`), [SERVER]) })
      const gateway = program(
        ends,
        ends.gateway,
        `gateway${how.suffix}`,
        [command, ...prefix, PROGRAMS.gateway, 'run'],
        gatewaySettings(how),
      )
      await listening(ends, how, gateway)
      const client = program(ends, ends.client, `client${how.suffix}`, [command, ...prefix, PROGRAMS.client, 'up'], clientSettings(how))
      await client.waitForLine(/"tunnel-up"/, 20_000)
      return { address: `${how.inner}.1` }
    },
  }
}

function program(ends, namespace, label, argv, settings) {
  const file = join(ends.folder(label), 'config.toml')
  const control = join(tmpdir(), `${ends.prefix}-${label}.sock`)
  ends.defer(async () => rmSync(control, { force: true }))
  writeFileSync(file, `control = "${control}"\n${settings}`, { mode: 0o600 })
  return ends.backgroundIn(namespace, label, [...argv, '--config', file, '--json'], { env: { DENO_NO_UPDATE_CHECK: '1' } })
}

function listening(ends, how, gateway) {
  const [flag, port] = how.transport === 'udp' ? ['-Hlun', 500] : ['-Hltn', how.port]
  return until(
    'the gateway to listen',
    async () => {
      if (gateway.exitCode !== undefined)
        throw new Error(`the gateway ended with ${gateway.exitCode}: ${gateway.lines.slice(-5).join(' ')}`)
      return (await ends.in(ends.gateway, ['ss', flag, `sport = :${port}`])).stdout.includes(`:${port}`)
    },
    15_000,
    50,
  )
}

const gatewaySettings = ({ transport, port, device, mtu, cipher, inner, pool, names, isKept, pems, ...tcp }) => `
${isKept ? `cpus = [${CPUS[1]}]` : ''}
${tcpLines(tcp)}
[listen]
address = ["${GATEWAY}"]
udp = [${transport === 'udp' ? '500, 4500' : ''}]
tcp = [${transport === 'tcp' ? port : ''}]
${pems === undefined ? '' : `tls = [${port}]\n[tls]\ncert_file = "${pems.of(SERVER).certificate}"\nkey_file = "${pems.of(SERVER).key}"`}
[tun]
device = "${device}"
mtu = ${mtu}
address = ["${inner}.1/24"]
${nameLine(names.gateway)}
[[connection]]
name = "bench"
local_id = "@gateway"
remote_id = "@client"
psk = "${SECRET}"
local = ["${inner}.0/24"]
pool = { ranges = ["${pool}.10-${pool}.20"] }
esp = ["${ESP[cipher]}"]
`

const clientSettings = ({ transport, port, device, mtu, cipher, inner, names, isKept, pems, ...tcp }) => `
${isKept ? `cpus = [${CPUS[0]}]` : ''}
${tcpLines(tcp)}
[peer]
gateway = "${GATEWAY}"
transports = ["${transport === 'udp' ? 'udp' : `${transport}:${port}`}"]
${pems === undefined ? '' : `tls = { ca_file = "${pems.ca}", servername = "${SERVER}" }`}
local_id = "@client"
remote_id = "@gateway"
psk = "${SECRET}"
remote = ["${inner}.0/24"]
esp = ["${ESP[cipher]}"]
[tun]
device = "${device}"
mtu = ${mtu}
${nameLine(names.client)}
`

const tcpLines = ({ congestionControl, thinAcks }) =>
  [congestionControl === undefined ? '' : `tcp.congestion_control = "${congestionControl}"`, thinAcks ? 'tcp.thin_acks = true' : ''].join(
    '\n',
  )
const nameLine = (name) => (name === undefined ? '' : `name = "${name}"`)
