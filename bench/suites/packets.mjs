// Small packets: how many UDP datagrams of 64 octets a second go from the client's end to the gateway's without loss. Needs root.
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { run as command } from '../../interop/lib/process.mjs'
import { cpuSeconds } from '../lib/cpu.mjs'
import { spread } from '../lib/measure.mjs'
import { notRoot, rounds, versionsOf } from '../lib/rounds.mjs'

const OCTETS = 64
const PORT = '5300'
const LOAD = fileURLToPath(new URL('../lib/udp-load.mjs', import.meta.url))

const FIRST_RATE = 5_000
/** Above it a rate was not held: one datagram in a thousand. */
const LOSS = 0.001
/** Halvings between the last rate that was held and the first that was not: to within 5 %. */
const HALVINGS = 4

export async function run({ quick, only, rounds: count = quick ? 1 : 3 }) {
  const reason = notRoot() ?? (await withoutKoffi())
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const seconds = quick ? 0.4 : 1
  const takesPart = ({ labels }) => labels?.cipher !== 'chacha' && labels?.frames !== 'large'
  const { entries, notes } = await rounds({ rounds: count, only, takesPart }, async (ends, address) => {
    const sink = ends.backgroundIn(ends.gateway, 'udp-sink', [process.execPath, LOAD, 'count', address, PORT])
    await sink.waitForLine(/ready/, 10_000)
    const trial = (rate, long = seconds) => attempt(ends, { sink, address, rate, seconds: long })
    await trial(FIRST_RATE, 1)
    return await search(trial)
  })
  return { rounds: count, octets: OCTETS, seconds, loss: LOSS, peers: versionsOf(entries), rows: entries.map(row), notes }
}

/** Doubles the rate until it is not held in three tries, then closes in. */
async function search(trial) {
  let best
  let failed
  const holds = async (rate) => {
    for (let tries = 0; tries < 3; tries++) {
      const result = await trial(rate)
      // What the sender cannot offer is not the tunnel's failure, but there is no more to be learnt.
      if (result.loss <= LOSS) {
        if (best === undefined || result.perSecond > best.perSecond) best = { ...result, isSendersLimit: result.offered < 0.95 * rate }
        return !best.isSendersLimit
      }
    }
    return false
  }
  for (let rate = FIRST_RATE; failed === undefined; rate *= 2) if (!(await holds(rate))) failed = rate
  if (best === undefined) throw new Error(`not even ${FIRST_RATE} datagrams a second arrived without loss`)
  if (best.isSendersLimit) return best
  for (let i = 0, held = failed / 2; i < HALVINGS; i++) {
    const rate = Math.sqrt(held * failed)
    if (await holds(rate)) held = rate
    else failed = rate
  }
  return best
}

async function attempt(ends, { sink, address, rate, seconds }) {
  const pids = await ends.contenderPids()
  const before = cpuSeconds(pids)
  const numbers = [OCTETS, Math.round(rate), seconds].map(String)
  const stdout = await ends.mustIn(ends.client, [process.execPath, LOAD, 'send', address, PORT, ...numbers], { timeout: 20_000 })
  const { sent, seconds: took } = JSON.parse(stdout)
  // What still waits in queues arrives late, but it arrives.
  await sleep(300)
  const since = sink.lines.length
  process.kill(sink.pid, 'SIGUSR2')
  const { received } = JSON.parse(await sink.waitForLine(/received/, 5_000, since))
  const cpu = (cpuSeconds(pids) - before) / Math.max(received, 1)
  return { offered: sent / took, perSecond: received / took, loss: 1 - received / sent, cpuMicroseconds: cpu * 1e6 }
}

async function withoutKoffi() {
  const { code, stderr } = await command([process.execPath, LOAD, 'send', '127.0.0.1', '9', '64', '1000', '0.01'])
  return code === 0 ? undefined : `The sender does not run here (${stderr.trim().split('\n').at(-1)}); there are no figures.`
}

function row({ contender: { name, group, outer, labels }, missing, figures }) {
  if (missing !== undefined) return { name, group, outer, ...labels, missing }
  return {
    ...{ name, group, outer, ...labels },
    perSecond: spread(figures.map((one) => one.perSecond)),
    cpuMicroseconds: spread(figures.map((one) => one.cpuMicroseconds)),
    isSendersLimit: figures.some((one) => one.isSendersLimit),
  }
}
