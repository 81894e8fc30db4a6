// A gateway with two workers beside one with one, on a machine whose cores the load takes part in: clients that have sealed all their packets
// beforehand, and what they cost is measured and accounted for. Client to gateway, over TCP and UDP. Needs root.
import { availableParallelism } from 'node:os'
import { execPath } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasTun } from '../contenders/installed.mjs'
import { spread } from '../lib/measure.mjs'
import { progress } from '../lib/progress.mjs'
import { notRoot, openLab } from '../lib/rounds.mjs'
import { startGateway } from '../lib/scale-gateway.mjs'
import { GATEWAY } from '../lib/two-ends.mjs'

const SIZE = 1_400
const CLIENTS = 8
const DEVICE = 'upbworkers'
/** Octets of inner packets in one blast: they and their sealed form lie in memory. */
const FULL = { rounds: 5, octets: 3e9 }
const QUICK = { rounds: 1, octets: 1e9 }

/** `cores`: where the gateway and the load may run; all of them where it is left out. */
const CASES = [
  { name: 'one worker, one core for gateway and load', workers: 1, cores: '0' },
  { name: 'one worker', workers: 1 },
  { name: 'two workers', workers: 2 },
]

export async function run({ quick, rounds, only }) {
  const reason = notRoot() ?? withoutCores() ?? (hasTun() ? undefined : 'There is no /dev/net/tun here; there are no figures.')
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const { octets, rounds: count } = { ...(quick ? QUICK : FULL), ...(rounds === undefined ? {} : { rounds }) }
  const isWanted = (transport) => only === undefined || only.toLowerCase().split(',').includes(transport)
  const entries = ['tcp', 'udp'].filter(isWanted).flatMap((transport) => CASES.map((how) => ({ ...how, transport, blasts: [] })))
  const notes = []
  const lab = openLab()
  for (let round = 1; round <= count; round++) {
    for (const entry of entries) {
      progress(`round ${round} of ${count}: ${entry.transport.toUpperCase()}, ${entry.name}`)
      try {
        entry.blasts.push(await lab.in({}, (ends) => measure(ends, { ...entry, octets })))
      } catch (error) {
        notes.push(`${entry.transport.toUpperCase()}, ${entry.name}, round ${round}: ${error.message.split('\n')[0]}`)
      }
    }
  }
  const rows = entries.filter(({ blasts }) => blasts.length > 0).map(row)
  return { rounds: count, clients: CLIENTS, size: SIZE, octets, cores: availableParallelism(), rows, notes }
}

const withoutCores = () => (availableParallelism() < 2 ? 'Two workers need two cores; there are no figures.' : undefined)

async function measure(ends, { transport, workers, cores, octets }) {
  await sink(ends)
  const top = workers === 1 ? [] : [`workers = ${workers}`]
  const gateway = await startGateway(ends, {
    top,
    udp: transport === 'udp' ? [500, 4500] : [],
    tun: [`name = "${DEVICE}"`, 'mtu = 1500'],
    livenessSeconds: 3_600,
  })
  const how = { gateway: GATEWAY, gatewayPid: gateway.pid, device: DEVICE, transport, workers, clients: CLIENTS, size: SIZE }
  const clients = ends.helper(ends.client, 'clients', 'sealed-clients.mjs', [JSON.stringify(how)])
  if ((await clients.find((line) => (line === 'ready' ? line : undefined), 30_000)) === undefined)
    throw new Error(`the clients did not start: ${clients.lines.slice(-5).join(' ')}`)
  await clients.does('connect', {}, 60_000)
  // Code that runs for the first time is slow.
  await clients.does('seal', { octets: octets / 4 }, 120_000)
  await clients.does('blast', {}, 90_000).catch((error) => {
    if (!error.message.includes('too little')) throw error
  })
  const sealed = await clients.does('seal', { octets }, 120_000)
  if (cores !== undefined)
    for (const pid of [gateway.pid, clients.pid]) await ends.mustIn(ends.gateway, ['taskset', '-acp', cores, String(pid)])
  await sleep(300)
  const { window, all } = await clients.does('blast', {}, 90_000)
  const lost = 1 - all.packets / sealed.packets
  if (lost !== 0 && transport === 'tcp') throw new Error(`${sealed.packets} packets went in and ${all.packets} came out`)
  return { ...window, lost }
}

/** 10.2.0.0/16 is forwarded into a veth pair whose other end takes every frame for somebody else's: what comes out is gone at little cost. */
async function sink(ends) {
  const lines = [
    'link add sink type veth peer name drain',
    ...['link set sink up', 'link set drain up', 'addr add 10.3.0.1/24 dev sink'],
    'neigh add 10.3.0.2 lladdr 02:00:00:00:00:99 nud permanent dev sink',
    'route add 10.2.0.0/16 via 10.3.0.2',
  ]
  await ends.mustIn(ends.gateway, ['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
  const settings = { 'ipv4/ip_forward': 1, 'ipv4/conf/all/rp_filter': 0, 'ipv4/conf/default/rp_filter': 0 }
  const script = `for (const [key, value] of ${JSON.stringify(Object.entries(settings))}) require('fs').writeFileSync('/proc/sys/net/' + key, String(value))`
  await ends.mustIn(ends.gateway, [execPath, '-e', script])
}

function row({ name, transport, workers, cores, blasts }) {
  const of = (figure) => spread(blasts.map(figure))
  const gateway = ({ threads }) => threads.reduce((sum, seconds) => sum + seconds, 0)
  return {
    ...{ name, transport, workers, cores: cores === undefined ? availableParallelism() : 1 },
    gigabits: of((one) => (8 * one.octets) / one.seconds / 1e9),
    packetsPerSecond: of((one) => one.packets / one.seconds),
    /** CPU seconds a gigabyte of inner packets. */
    gatewayCpu: of((one) => gateway(one) / (one.octets / 1e9)),
    generatorCpu: of((one) => one.generator / (one.octets / 1e9)),
    /** Of one core. */
    gatewayShare: of((one) => gateway(one) / one.seconds),
    generatorShare: of((one) => one.generator / one.seconds),
    threadShares: blasts.at(-1).threads.map((seconds) => Number((seconds / blasts.at(-1).seconds).toPrecision(3))),
    seconds: of((one) => one.seconds),
    lost: Math.max(...blasts.map(({ lost }) => lost)),
  }
}
