/** A gateway of two workers as it is installed, and its clients, each in a network namespace of its own: only as root on Linux, and built. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../../../packages/host/test/temporary.ts'
import { type Client, eventually, Lab, obstacle } from './lab.ts'

const reason = obstacle()
if (reason !== undefined) console.warn(`SKIPPED: a gateway of two workers: ${reason}`)

describe.skipIf(reason !== undefined)('a gateway of two workers', () => {
  it('both have IKE SAs, and packets pass both ways for all, over UDP and TCP', async () => {
    const lab = await startLab()
    await clientsInBothWorkers(lab)
    const { session } = await lab.status()
    for (const client of lab.clients) {
      expect(await client.pings('10.99.0.1')).toBe(true)
      expect(await lab.gatewayPings(await client.innerAddress())).toBe(true)
    }
    expect(new Set(session.ikeSas.map(({ addresses }) => addresses[0]?.address)).size).toBe(lab.clients.length)
    expect(session.connections).toHaveLength(lab.clients.filter(({ transport }) => transport === 'tcp').length)
    await eventually(async () => {
      // Each datagram is a flow that begins at the gateway: the kernel chooses its queue by a hash, and every second one is the wrong one.
      for (const client of lab.clients)
        await lab.gatewayRuns('bash', '-c', `for i in {1..9}; do echo > /dev/udp/${await client.innerAddress()}/9; done`)
      return ((await lab.status()).session.counters['worker.packetsHandedOver'] ?? 0) > 0
    })
  }, 120_000)

  it('and so do eight workers, which are more than most machines have cores', async () => {
    const lab = await startLab({ workers: 8 })
    for (let i = 0; i < 8; i++) await lab.addClient(i % 2 === 0 ? 'tcp' : 'udp')
    for (const client of lab.clients) {
      expect(await client.pings('10.99.0.1')).toBe(true)
      expect(await lab.gatewayPings(await client.innerAddress())).toBe(true)
    }
    expect(new Set(Object.values(await lab.workersOfIkeSas())).size).toBeGreaterThan(1)
    expect(await lab.stopGateway()).toBe(0)
  }, 120_000)

  const cpusOf = (task: string): string | undefined => /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync(`${task}/status`, 'latin1'))?.[1]
  // Two workers need two CPUs, here 0 and 1. CI's machine has them, and runs it.
  it.runIf(/^0-/.test(cpusOf('/proc/self') ?? ''))('each stays on the CPU that is its own', async () => {
    const lab = new Lab()
    onTestFinished(() => lab.close())
    await lab.startGateway('workers = 2\ncpus = [1, 0]\n')
    const { pid, cpus } = await lab.status()
    expect(cpus).toEqual([1, 0])
    const lists = readdirSync(`/proc/${pid}/task`).map((thread) => cpusOf(`/proc/${pid}/task/${thread}`))
    expect(lists).toEqual(expect.arrayContaining(['0', '1', cpusOf('/proc/self')]))
  })

  it('RFC 9329 §6.1: an IKE SA stays in its worker, whichever its next connection comes to', async () => {
    const lab = await startLab()
    for (let i = 0; i < 4; i++) await lab.addClient('tcp')
    const before = await lab.workersOfIkeSas()
    await eventually(async () => {
      await lab.cutConnections()
      for (const client of lab.clients) await eventually(() => client.pings('10.99.0.1'))
      return ((await lab.status()).session.counters['worker.connectionsHandedOver'] ?? 0) > 0
    })
    expect(await lab.workersOfIkeSas()).toEqual(before)
    for (const client of lab.clients) expect(await lab.gatewayPings(await client.innerAddress())).toBe(true)
  }, 120_000)

  it('RFC 7296 §2.4: a client that came anew in one worker is forgotten in the other', async () => {
    const lab = await startLab()
    const client = await lab.addClient('tcp')
    const [first] = Object.values(await lab.workersOfIkeSas())
    await eventually(async () => {
      await client.killAndRestart()
      await eventually(async () => Object.keys(await lab.workersOfIkeSas()).length === 1)
      return Object.values(await lab.workersOfIkeSas())[0] !== first
    })
    expect(lab.told()).toContain('came anew from')
    expect(await lab.gatewayPings(await client.innerAddress())).toBe(true)
  }, 120_000)

  it('goes down in order: every client is told, and nothing is left', async () => {
    const lab = await startLab()
    await clientsInBothWorkers(lab)
    expect(await lab.stopGateway()).toBe(0)
    for (const client of lab.clients) await client.said('closed by the other end')
    expect(await lab.gatewayRuns('ip', 'link', 'show', 'dev', 'gww0')).toBe(false)
  }, 120_000)

  // Bun and Deno have no such way into their workers.
  it.skipIf(process.versions['bun'] !== undefined || process.versions['deno'] !== undefined)(
    'ends with exit code 1 where a worker fails, and the clients of the other are told',
    async () => {
      const sign = join(temporaryDirectory(), 'fail')
      const lab = await startLab({ env: { NODE_OPTIONS: `--import=${FAILING}`, SIGN_TO_FAIL: sign } })
      const others = await clientsInBothWorkers(lab)
      writeFileSync(sign, '')
      expect(await lab.gatewayEnded()).toBe(1)
      expect(lab.told()).toContain('worker 0 failed: it was given the sign')
      for (const client of others) await client.said('closed by the other end')
      expect(await lab.gatewayRuns('ip', 'link', 'show', 'dev', 'gww0')).toBe(false)
    },
    120_000,
  )
})

const FAILING = new URL('./fixtures/worker-that-fails.mjs', import.meta.url).href

async function startLab({ workers = 2, env = {} }: { workers?: number; env?: Readonly<Record<string, string>> } = {}): Promise<Lab> {
  const lab = new Lab()
  onTestFinished(() => lab.close())
  await lab.startGateway(`workers = ${workers}\n`, env)
  return lab
}

/** Which worker one comes to is chance. Answers those of the second. */
async function clientsInBothWorkers(lab: Lab): Promise<readonly Client[]> {
  for (let i = 0; i < 16; i++) {
    const before = await lab.workersOfIkeSas()
    const client = await lab.addClient(i % 2 === 0 ? 'tcp' : 'udp')
    const workers = Object.entries(await lab.workersOfIkeSas())
    client.worker = workers.find(([id]) => before[id] === undefined)?.[1]
    if (i >= 3 && new Set(workers.map(([, worker]) => worker)).size === 2) return lab.clients.filter(({ worker }) => worker === 1)
  }
  throw new Error('sixteen clients, and all in one worker')
}
