// How the clients of `scale` come back: after every connection was cut, after the listener was away, and after the whole gateway was.
import { setTimeout as sleep } from 'node:timers/promises'
import { forgetPeak, memoryOf, preciseCpuSeconds } from './process-figures.mjs'

/** Seconds for which the listener is away. */
export const AWAY = 2

const REFUSE = `add table inet bench
add chain inet bench input { type filter hook input priority 0 ; }
add rule inet bench input tcp dport 4500 tcp flags & (syn | ack) == syn reject with tcp reset
`

/** The gateway and its SAs stay; so does what listens. */
export function afterCut(ends, clients, how) {
  return comeBack(ends, clients, { ...how, trouble: () => cut(ends) })
}

/**
 * What clients see when the listener is closed, opened again after `AWAY` seconds, and the SAs have stayed: their connections are reset, and
 * until then the kernel refuses new ones with a RST. The kernel says it in the listener's place, as the program has no such command.
 */
export function afterListener(ends, clients, how) {
  return comeBack(ends, clients, {
    ...how,
    async trouble() {
      await ends.mustIn(ends.gateway, ['nft', '-f', '-'], { input: REFUSE })
      await cut(ends)
      await sleep(AWAY * 1000)
      await ends.mustIn(ends.gateway, ['nft', 'delete', 'table', 'inet', 'bench'])
    },
  })
}

/** Killed, so that nobody hears a Delete, and started again at once: every SA is gone, and every client needs a handshake. */
export async function afterRestart(ends, clients, { gateway, start, ...how }) {
  let pid = gateway.pid
  return await comeBack(ends, clients, {
    ...how,
    pid: () => pid,
    async trouble() {
      process.kill(gateway.pid, 'SIGKILL')
      await gateway.process.exited
      pid = (await start()).pid
    },
  })
}

/** `pid`: of the gateway; a function where that changes. */
async function comeBack(ends, clients, { total, comeBackSeconds, pid, trouble }) {
  const pidOf = typeof pid === 'function' ? pid : () => pid
  forgetPeak(pidOf())
  const before = { ...(await kernelCounters(ends)), gateway: preciseCpuSeconds(pidOf()), clients: preciseCpuSeconds(clients.pid) }
  const first = pidOf()
  const back = clients.does('comeBack', { count: total, milliseconds: comeBackSeconds * 1000 }, (comeBackSeconds + 30) * 1000)
  // Should the trouble fail, that is what is told.
  back.catch(() => {})
  await sleep(200)
  const started = performance.now()
  await trouble()
  const troubleSeconds = (performance.now() - started) / 1000
  const result = await back
  const seconds = (performance.now() - started) / 1000
  const cpu = preciseCpuSeconds(pidOf()) - (pidOf() === first ? before.gateway : 0)
  const after = await kernelCounters(ends)
  const clientsCpu = preciseCpuSeconds(clients.pid) - before.clients
  return {
    ...{ ...result, median: round(result.median), p99: round(result.p99), last: round(result.last), troubleSeconds: round(troubleSeconds) },
    ...{ cpuSeconds: round(cpu), cpuShare: round(cpu / seconds), clientsCpuShare: round(clientsCpu / seconds) },
    ...{ microsecondsEach: round((1e6 * cpu) / result.back), peak: memoryOf(pidOf()).peak },
    ...{ refused: after.overflows - before.overflows, dropped: after.drops - before.drops },
  }
}

const cut = (ends) => ends.mustIn(ends.gateway, ['ss', '-K', '-tn', 'state', 'established', 'sport', '=', ':4500'], { timeout: 60_000 })

/** Connections that found the listener's backlog full so far: each is tried again a second later, or more. */
async function kernelCounters(ends) {
  const lines = (await ends.mustIn(ends.gateway, ['cat', '/proc/net/netstat'])).split('\n').filter((line) => line.startsWith('TcpExt:'))
  const [names, values] = lines.map((line) => line.split(' '))
  const of = (name) => Number(values[names.indexOf(name)])
  return { overflows: of('ListenOverflows'), drops: of('ListenDrops') }
}

const round = (value) => (value === undefined ? undefined : Number(value.toPrecision(4)))
