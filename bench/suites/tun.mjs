// The devices alone: batches are written to one, forwarded by the kernel and read from another, in one thread and in a network
// namespace of its own (run.mjs starts this suite inside one).
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { createPacketDevicePair, openTun } from '@underpass/tun-device'
import { spread } from '../lib/measure.mjs'
import { batchOf, tcpPacket, udpPacket } from '../lib/packets.mjs'

const MTU = 1500
const BATCH = 128
/** With offloads, as the programs open it; without; and a packet socket on a veth pair, for where there is no /dev/net/tun. */
const KINDS = ['tun', 'tun without offloads', 'packet']
const SHAPES = [
  { shape: 'UDP 64 B', size: 64, make: () => udpPacket('10.0.0.2', '10.1.0.2', 64) },
  { shape: 'UDP 1,400 B', size: 1400, make: () => udpPacket('10.0.0.2', '10.1.0.2', 1400) },
  { shape: 'TCP 1,400 B, one flow', size: 1400, make: (i) => tcpPacket('10.0.0.2', '10.1.0.2', 1400, 1 + i * 1360) },
]

export async function run({ quick }) {
  const { rounds, milliseconds } = quick ? { rounds: 1, milliseconds: 250 } : { rounds: 5, milliseconds: 500 }
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
  const cases = KINDS.flatMap((device) => SHAPES.map((shape) => ({ device, ...shape, results: [] })))
  const notes = new Set()
  for (let i = 0; i < rounds; i++) {
    for (const each of cases) {
      const batch = batchOf(Array.from({ length: BATCH }, (_, at) => each.make(at)))
      try {
        each.results.push(await measure(each.device, batch, milliseconds))
      } catch (error) {
        notes.add(`${each.device}: ${error.message}`)
      }
    }
  }
  const rows = cases
    .filter(({ results }) => results.length > 0)
    .map(({ device, shape, size, results }) => ({
      device,
      shape,
      size,
      perSecond: spread(results.map((one) => one.received / one.seconds)),
      perCpuSecond: spread(results.map((one) => one.received / one.cpuSeconds)),
      lost: results.reduce((sum, one) => sum + one.lost, 0),
    }))
  return { rows, notes: [...notes] }
}

function open(kind, name) {
  if (kind !== 'packet') {
    const device = openTun({ name, mtu: MTU, offload: kind === 'tun' })
    return { device, close: () => device.close() }
  }
  const pair = createPacketDevicePair({ name, mtu: MTU })
  const device = pair.open()
  return {
    device,
    close() {
      device.close()
      pair.remove()
    },
  }
}

async function measure(kind, batch, milliseconds) {
  const opened = []
  try {
    for (const i of [0, 1]) {
      opened.push(open(kind, `bench${i}`))
      const { name } = opened[i].device
      execFileSync('ip', ['link', 'set', 'dev', name, 'addrgenmode', 'none'])
      execFileSync('ip', ['addr', 'add', `10.${i}.0.1/24`, 'dev', name])
      execFileSync('ip', ['link', 'set', 'dev', name, 'up'])
    }
    const [from, to] = opened.map(({ device }) => device)
    let received = 0
    to.start((packets) => {
      received += packets.count
    })
    let sent = 0
    let lost = 0
    const cpu = process.cpuUsage()
    const started = performance.now()
    let elapsed = 0
    while (elapsed < milliseconds) {
      from.write(batch)
      sent += batch.count
      // Three batches under way: an interface's queue holds 500 packets.
      const deadline = performance.now() + 200
      while (sent - lost - received > 2 * BATCH && performance.now() < deadline) await setImmediate()
      if (performance.now() >= deadline) lost = sent - received
      elapsed = performance.now() - started
    }
    const { user, system } = process.cpuUsage(cpu)
    const seconds = elapsed / 1e3
    const figures = { received, seconds, cpuSeconds: (user + system) / 1e6 }
    await setTimeout(20)
    return { ...figures, lost: sent - received }
  } finally {
    for (const { close } of opened) close()
  }
}
