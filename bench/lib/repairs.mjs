// Tunnels that are cut while an inner TCP connection uses them, and what that connection sees.
import { setTimeout as sleep } from 'node:timers/promises'
import { startClient, startGateway } from '../../interop/lib/underpass.mjs'
import { certificate } from '../contenders/certificates.mjs'
import { openvpn } from '../contenders/openvpn.mjs'
import { INNER as BEHIND_OPENVPN, serveOpenvpn } from '../contenders/openvpn-fallback.mjs'
import { prepare, undo } from './cuts.mjs'
import { GATEWAY } from './two-ends.mjs'

const PORT = 6200
/** Milliseconds of the stream before the cut, and behind the repair. */
const STEADY = 1_500
const SERVER = 'server'
const UP = /"tunnel-up"/

/**
 * @typedef {{ name: string, group: 'ours' | 'peer', address: string, patience: number, isInstalled?: () => string | undefined, version?: () => string | undefined,
 *   begin: (ends: object) => Promise<(cut: object) => Promise<{ ports: number[], stop: () => Promise<void> }>> }} Repairer
 *   `address`: of the gateway inside; `patience`: milliseconds; `begin` starts the gateway and answers what brings up a client
 * @type {Repairer[]}
 */
export const REPAIRERS = [
  {
    name: 'Underpass',
    group: 'ours',
    address: '10.1.0.1',
    patience: 180_000,
    isInstalled: () => undefined,
    async begin(ends) {
      const { ca, of } = await certificate(ends.folder('tls'), [SERVER])
      const { certificate: cert_file, key: key_file } = of(SERVER)
      const tls = { ports: [443], cert_file, key_file }
      await startGateway(ends, ends.gateway, { address: GATEWAY, udp: [500, 4500], tcp: [4500], tls })
      let count = 0
      return async () => {
        const transports = ['udp', 'tcp:4500', 'tls:443']
        const how = { gateway: GATEWAY, transports, remote: ['10.1.0.0/24'], tls: { ca_file: ca, servername: SERVER } }
        // Each in a folder of its own: what one learns of the network is not for the next.
        const client = startClient(ends, ends.client, { label: `client-${++count}`, ...how })
        await client.background.waitForLine(UP, 30_000)
        return { ports: [4500, 443], stop: () => client.stop() }
      }
    },
  },
  {
    name: 'OpenVPN, keepalive 10 60',
    group: 'peer',
    address: BEHIND_OPENVPN,
    patience: 180_000,
    isInstalled: openvpn.isInstalled,
    version: openvpn.version,
    async begin(ends) {
      const connect = await serveOpenvpn(ends)
      return async () => {
        const client = connect({ connectTimeout: 5 })
        await client.waitForLine(/Initialization Sequence Completed/, 60_000)
        return { ports: [1194], stop: () => client.stop() }
      }
    },
  },
]

/**
 * One tunnel, one cut. Milliseconds: `gap`, the longest time without an octet, and `back`, from the cut to the octet that ended it, each the longer
 * of both ways, `back` only of a gap that the stream would not have by itself; `lost`: why the inner connection did not outlive it.
 */
export async function cutOnce({ ends, firewall, repairer, connect, cut, number }) {
  await prepare({ firewall }, cut)
  const tunnel = await connect(cut)
  const inner = { address: repairer.address, port: PORT + number }
  const far = ends.helper(ends.gateway, `far-${number}`, 'steady-stream.mjs')
  const near = ends.helper(ends.client, `near-${number}`, 'steady-stream.mjs')
  try {
    await far.does('listen', inner)
    await near.does('connect', inner)
    await sleep(STEADY)
    const since = await near.does('now')
    await cut.apply({ ends, firewall, port: () => outerPort(ends, tunnel.ports) })
    return await watch([near, far], since, repairer.patience)
  } finally {
    await Promise.all([near.stop(), far.stop()])
    await tunnel.stop()
    await undo({ ends })
  }
}

/** Until octets have come both ways for a while, after a time in which they did not. */
async function watch(streams, since, patience) {
  for (;;) {
    await sleep(200)
    const views = await Promise.all(streams.map((stream) => stream.does('view', { since })))
    const ended = views.find(({ end }) => end !== undefined)
    if (ended !== undefined) return { lost: ended.end }
    const isFlowing = views.every(({ last, now }) => now - last < 200)
    const sinceBack = Math.min(...views.map(({ until, now }) => (until === undefined ? 0 : now - since - until)))
    const age = views[0].now - since
    const gap = Math.max(...views.map(({ longest }) => longest))
    if (isFlowing && sinceBack > STEADY && (age > SETTLED || gap > NOTICED))
      return { gap, ...(gap > NOTICED ? { back: Math.max(...views.map(({ until }) => until)) } : {}) }
    if (age > patience) return { lost: `nothing for ${Math.round(Math.max(...views.map(({ longest }) => longest)) / 1000)} s` }
  }
}

/** Milliseconds without octets that no stream has by itself. */
const NOTICED = 150
/** After so many without one a cut is one that nobody noticed. */
const SETTLED = 5_000

async function outerPort(ends, ports) {
  const text = await ends.mustIn(ends.client, ['ss', '-Htn', 'state', 'established', `dst ${GATEWAY}`])
  const found = text.split('\n').flatMap((line) => {
    const [, local, remote] = /(\S+:\d+)\s+(\S+:\d+)/.exec(line) ?? []
    return remote !== undefined && ports.includes(Number(remote.split(':').at(-1))) ? [Number(local.split(':').at(-1))] : []
  })
  if (found.length !== 1) throw new Error(`expected one outer connection, saw ${found.length}: ${text.trim()}`)
  return found[0]
}
