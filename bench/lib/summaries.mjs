// A benchmark's result as the one line that `--json` ends with: contenders and ratios.
import { comingUpSummary } from './coming-up-figures.mjs'
import { connectionsSummary } from './connections-figures.mjs'
import { lossSummary } from './loss-figures.mjs'
import { overheadSummary } from './overhead-figures.mjs'
import { pausesSummary } from './pauses-figures.mjs'
import { repairSummary } from './repair-figures.mjs'
import { scaleSummary } from './scale-figures.mjs'
import { thinningSummary } from './thinning-figures.mjs'
import { workersSummary } from './workers-figures.mjs'

/** @returns {object} the result itself where a benchmark compares nobody */
export function summary(result) {
  const of = SUMMARIES[result.benchmark]
  return of === undefined ? result : { ...of(result.runs[0]?.rows ?? [], result.runs[0] ?? {}), ...unmeasured(result) }
}

const SUMMARIES = {
  repair: repairSummary,
  'coming-up': comingUpSummary,
  loss: lossSummary,
  connections: connectionsSummary,
  thinning: thinningSummary,
  overhead: overheadSummary,
  scale: scaleSummary,
  workers: workersSummary,
  pauses: pausesSummary,

  throughput(rows) {
    const gbits = (row) => row?.flows?.forward.gigabits.median
    return {
      contenders: rows.map((row) =>
        row.flows === undefined
          ? missing(row)
          : {
              name: row.name,
              gbits: gbits(row),
              cpuSecondsPerGB: row.flows.forward.cpu.median,
              machineCpuSecondsPerGB: row.flows.forward.machineCpu.median,
              flows: Object.fromEntries(
                Object.entries(row.flows).map(([name, one]) => [
                  name,
                  { gbits: one.gigabits.median, cpuSecondsPerGB: one.cpu.median, machineCpuSecondsPerGB: one.machineCpu.median },
                ]),
              ),
            },
      ),
      ...ratiosOf(rows, gbits, Math.max, (of) => ({
        standardToBestPeer: of.tcp / of.bestPeer,
        largeMtuToBestPeer: of.large / of.bestPeer,
        largeMtuToBareLink: of.large / of.bare,
        udpToBestPeer: of.udp / of.bestPeer,
        // TLS outside is to cost at most 35 %: 0.65 and more.
        tlsToTcp: of.tls / of.tcp,
        largeMtuTlsToTcp: of.largeTls / of.largeAnyCore,
      })),
    }
  },

  /**
   * Milliseconds; a ratio below 1 is in our favour, and the best peer is the one with the least. Among the ratios are two figures as they
   * are: `loadedP99Milliseconds` of ours over TCP on Node, and beside it the worst of the peers'.
   */
  latency(rows) {
    const by = (which, rank) => (row) => row?.[which]?.[rank].median
    const [idleP50, idleP99, loadedP99] = [by('idle', 'p50'), by('idle', 'p99'), by('loaded', 'p99')]
    const ratios = (name, figure) =>
      ratiosOf(rows, figure, Math.min, (of) => ({
        [`${name}StandardToBestPeer`]: of.tcp / of.bestPeer,
        [`${name}LargeMtuToBestPeer`]: of.large / of.bestPeer,
        [`${name}UdpToBestPeer`]: of.udp / of.bestPeer,
      }))
    const all = [ratios('idleP50', idleP50), ratios('idleP99', idleP99), ratios('loadedP99', loadedP99)]
    const merged = (pick) => Object.assign({}, ...all.map(pick))
    const ours = rows.find(({ runtime, transport, frames }) => runtime === 'node' && transport === 'tcp' && frames === 'standard')
    const peers = rows.filter(({ group }) => group === 'peer')
    const toOpenVpn = idleP50(ours) / idleP50(peers.find(({ name }) => name === 'OpenVPN'))
    const worst = Math.max(...peers.map(loadedP99).filter((value) => value !== undefined))
    const direct = {
      idleToOpenVpn: Number.isFinite(toOpenVpn) ? Number(toOpenVpn.toPrecision(4)) : null,
      loadedP99Milliseconds: loadedP99(ours) ?? null,
      worstPeerLoadedP99Milliseconds: Number.isFinite(worst) ? worst : null,
    }
    return {
      contenders: rows.map((row) => ({
        name: row.name,
        ...nulls({ idleP50: idleP50(row), idleP99: idleP99(row), loadedP50: by('loaded', 'p50')(row), loadedP99: loadedP99(row) }),
        ...nulls({ loadedMegabits: row.loaded?.megabits.median }),
        ...(row.controls === undefined ? {} : { congestionControls: row.controls }),
        ...reasonOf(row),
      })),
      ratios: { ...direct, ...merged((one) => one.ratios) },
      ratiosByRuntime: Object.fromEntries(
        Object.keys(all[0].ratiosByRuntime).map((runtime) => [runtime, merged((one) => one.ratiosByRuntime[runtime])]),
      ),
      bestPeer: { idleP50: all[0].bestPeer, idleP99: all[1].bestPeer, loadedP99: all[2].bestPeer },
    }
  },

  packets(rows) {
    const perSecond = (row) => row?.perSecond?.median
    return {
      contenders: rows.map((row) => ({
        name: row.name,
        ...nulls({ packetsPerSecond: perSecond(row), cpuMicrosecondsPerPacket: row.cpuMicroseconds?.median }),
        ...(row.isSendersLimit ? { isSendersLimit: true } : {}),
        ...reasonOf(row),
      })),
      ...ratiosOf(rows, perSecond, Math.max, (of) => ({
        standardToBestPeer: of.tcp / of.bestPeer,
        standardToBareLink: of.tcp / of.bare,
        udpToBestPeer: of.udp / of.bestPeer,
        udpToBareLink: of.udp / of.bare,
      })),
    }
  },

  /** In a CPU second of both ends together. */
  handshakes(rows) {
    const of = (who, keyExchange) => rows.find((row) => row.who === who && row.keyExchange === keyExchange)?.perCpuSecond.median
    const toPeer = of('Underpass', 'x25519') / of('strongSwan', 'x25519')
    return {
      contenders: rows.map((row) => ({
        name: `${row.who}, ${row.keyExchange}`,
        handshakesPerCpuSecond: row.perCpuSecond.median,
        gatewayPerCpuSecond: row.gatewayPerCpuSecond.median,
        clientPerCpuSecond: row.clientPerCpuSecond.median,
      })),
      ratios: { x25519ToStrongSwan: Number.isFinite(toPeer) ? Number(toPeer.toPrecision(4)) : null },
    }
  },
}

const missing = (row) => ({ name: row.name, gbits: null, cpuSecondsPerGB: null, ...reasonOf(row) })

const reasonOf = ({ missing: reason }) => (reason === undefined ? {} : { missing: reason })

/** JSON leaves out what is undefined; a figure that is not there is to be seen. */
const nulls = (figures) => Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, value ?? null]))

/**
 * `ratios` are those of ours on Node; `ratiosByRuntime` has the others. A ratio of which one side was not measured is null.
 * @param {(row: object) => number | undefined} figure
 * @param {(...figures: number[]) => number} best
 * @param {(of: Record<string, number>) => Record<string, number>} ratios
 */
export function ratiosOf(rows, figure, best, ratios) {
  const bestOf = (some) => {
    const figures = some.map(figure).filter((value) => value !== undefined)
    return figures.length === 0 ? undefined : best(...figures)
  }
  const peers = rows.filter(({ group }) => group === 'peer')
  const bestPeer = bestOf(peers)
  const bare = figure(rows.find((row) => row.group === 'bare'))
  const on = (runtime) => {
    const rowsOf = (transport, frames) =>
      rows.filter((row) => row.runtime === runtime && row.transport === transport && row.frames === frames && row.cipher === 'aes')
    // The better, where there are those that were kept on cores and those that were not; so it is with the peers.
    const ours = (transport, frames) => bestOf(rowsOf(transport, frames))
    const all = ratios({
      tcp: ours('tcp', 'standard'),
      tls: ours('tls', 'standard'),
      udp: ours('udp', 'standard'),
      large: ours('tcp', 'large'),
      largeAnyCore: bestOf(rowsOf('tcp', 'large').filter(({ isKept }) => !isKept)),
      largeTls: ours('tls', 'large'),
      bestPeer,
      bare,
    })
    return Object.fromEntries(
      Object.entries(all).map(([name, value]) => [name, Number.isFinite(value) ? Number(value.toPrecision(4)) : null]),
    )
  }
  const runtimes = [...new Set(rows.flatMap((row) => (row.runtime === undefined ? [] : [row.runtime])))]
  return {
    ratios: on('node'),
    ratiosByRuntime: Object.fromEntries(runtimes.map((runtime) => [runtime, on(runtime)])),
    bestPeer: bestPeer === undefined ? null : peers.find((row) => figure(row) === bestPeer).name,
  }
}

/** Why figures are not there, where they are not. */
const unmeasured = ({ runs }) => {
  const notes = runs.flatMap((one) => one.notes)
  return notes.length === 0 ? {} : { notes }
}
