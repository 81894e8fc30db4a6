// Packets per second through the devices: batches are written to one, forwarded by the kernel, and read from another, all in one thread
// and in a network namespace of its own. Runs as it is on Bun, Deno and Node 22.18 or later; needs root, or `unshare -Urnm` as anybody.
import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createPacketDevicePair, openTun, type PacketBatch, type TunDevice } from '../src/index.ts'
import { batchOf } from '../src/packet-batch.ts'
import { tcpPacket, udpPacket } from '../test/packets.ts'

const INSIDE = 'UNDERPASS_BENCH_NAMESPACE'
const MTU = 1500
const BATCH = 128
const MILLISECONDS = 1500
const KINDS = ['tun-plain', 'tun', 'packet'] as const
const SHAPES = [
  { name: 'UDP 64 B', make: (_: number) => udpPacket({ source: 2, destination: 2 }, new Uint8Array(36)), size: 64 },
  { name: 'UDP 1400 B', make: (_: number) => udpPacket({ source: 2, destination: 2 }, new Uint8Array(1372)), size: 1400 },
  {
    name: 'TCP 1400 B, one flow',
    make: (i: number) => tcpPacket({ source: 2, destination: 2, sequence: 1 + i * 1360 }, new Uint8Array(1360)),
    size: 1400,
  },
]

if (process.env[INSIDE] === undefined) reExecute()
else await measureAll()

function reExecute(): void {
  const script = fileURLToPath(import.meta.url)
  const words = process.getuid?.() === 0 ? ['-n'] : ['-Urnm']
  const runtime = process.versions['deno'] === undefined ? [process.execPath, ...process.execArgv] : [process.execPath, 'run', '-A']
  const { status } = spawnSync('unshare', [...words, '--', ...runtime, script], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  })
  process.exitCode = status ?? 1
}

async function measureAll(): Promise<void> {
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
  for (const kind of KINDS) {
    for (const shape of SHAPES) {
      const packets = Array.from({ length: BATCH }, (_, i) => forwarded(shape.make(i)))
      try {
        const { perSecond, microseconds, lost } = await measure(kind, batchOf(packets))
        const gigabits = (perSecond * shape.size * 8) / 1e9
        console.log(
          `${kind.padEnd(10)} ${shape.name.padEnd(22)} ${(perSecond / 1000).toFixed(0).padStart(6)} k packets/s ${gigabits.toFixed(2).padStart(6)} Gbit/s ${microseconds.toFixed(2).padStart(6)} µs of CPU a packet, ${lost} lost`,
        )
      } catch (error) {
        console.log(`${kind.padEnd(10)} ${shape.name.padEnd(22)} not here: ${(error as Error).message}`)
      }
    }
  }
}

/** From 10.0.0.2 behind one device to 10.1.0.2 behind the other; checksums are adjusted for the one octet (RFC 1624). */
function forwarded(packet: Uint8Array): Uint8Array {
  packet[17] += 1
  const transport = packet[9] === 6 ? 36 : 26
  for (const at of [10, transport]) {
    const view = new DataView(packet.buffer, at)
    const sum = view.getUint16(0) - 1
    view.setUint16(0, sum < 0 ? 0xfffe : sum)
  }
  return packet
}

function open(kind: (typeof KINDS)[number], name: string): { device: TunDevice; close: () => void } {
  if (kind === 'packet') {
    const pair = createPacketDevicePair({ name, mtu: MTU })
    const device = pair.open()
    return {
      device,
      close: () => {
        device.close()
        pair.remove()
      },
    }
  }
  const device = openTun({ name, mtu: MTU, offload: kind === 'tun' })
  return { device, close: () => device.close() }
}

async function measure(
  kind: (typeof KINDS)[number],
  batch: PacketBatch,
): Promise<{ perSecond: number; microseconds: number; lost: number }> {
  const opened: ReturnType<typeof open>[] = []
  try {
    const from = open(kind, 'bench0')
    opened.push(from)
    const to = open(kind, 'bench1')
    opened.push(to)
    for (const [i, { device }] of opened.entries()) {
      execFileSync('ip', ['link', 'set', 'dev', device.name, 'addrgenmode', 'none'])
      execFileSync('ip', ['addr', 'add', `10.${i}.0.1/24`, 'dev', device.name])
      execFileSync('ip', ['link', 'set', 'dev', device.name, 'up'])
    }
    let received = 0
    to.device.start((packets) => {
      received += packets.count
    })
    let sent = 0
    let lost = 0
    const started = performance.now()
    const cpu = process.cpuUsage()
    let elapsed = 0
    while (elapsed < MILLISECONDS) {
      from.device.write(batch)
      sent += batch.count
      // Three batches under way: an interface's queue holds 500 packets.
      const deadline = performance.now() + 200
      while (sent - lost - received > 2 * BATCH && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve))
      if (performance.now() >= deadline) lost = sent - received
      elapsed = performance.now() - started
    }
    const { user, system } = process.cpuUsage(cpu)
    await new Promise((resolve) => setTimeout(resolve, 20))
    return { microseconds: (user + system) / received, perSecond: received / (elapsed / 1000), lost: sent - received }
  } finally {
    for (const { close } of opened) close()
  }
}
