// The suite `scale` in tables and in one line.
import { AWAY } from './scale-comebacks.mjs'
import { count, digits, fixed, ranged, significant } from './words.mjs'

export const scaleTable = (rows) => [
  [
    ...['clients', 'resident set, MB', 'octets a client, garbage collected', 'handshakes a second on the way there'],
    ...['µs of CPU a handshake', 'another client, median, ms', '99th percentile', 'µs of CPU a ping'],
  ],
  ...rows.map((row) => [
    ...[count(row.clients), digits(row.resident / 1e6), row.octetsPerClient === undefined ? '–' : count(row.octetsPerClient)],
    ...[digits(row.perSecond), ranged(row.handshakeMicroseconds)],
    ...[digits(row.extraMilliseconds.median), digits(row.extraMilliseconds.p99), fixed(row.pingMicroseconds)],
  ]),
]

export function scaleMoreTables({ idle, comeBack, listener, restart, livenessSeconds, idleSeconds }) {
  const troubles = [
    ['every connection is cut at once', comeBack],
    [`and the listener is away for ${AWAY} s`, listener],
    ['the gateway is killed and started again', restart],
  ].filter(([, one]) => one !== undefined)
  return [
    {
      title: `${count(idle.clients)} clients, idle for ${idleSeconds} s, a liveness check after ${livenessSeconds} s of silence`,
      head: ['resident set, MB', 'before the clients', 'a client, octets', 'liveness checks', 'of a core', 'µs of CPU a check'],
      rows: [
        [
          ...[digits(idle.resident / 1e6), digits(idle.empty / 1e6), count(idle.perClient), count(idle.checks)],
          ...[`${(100 * idle.cpuShare).toFixed(1)} %`, digits(idle.cpuMicrosecondsPerCheck)],
        ],
      ],
    },
    {
      title: 'How all of them come back',
      head: [
        ...['when', 'lost', 'back', 'half of them after', '99 % after', 'all after', 'gateway, CPU s', 'of a core', 'µs a client'],
        ...['clients, of a core', 'peak of the resident set, MB', 'connections that found the backlog full'],
      ],
      rows: troubles.map(([what, one]) => [
        ...[what, count(one.lost), count(one.back), seconds(one.median), seconds(one.p99), seconds(one.last), digits(one.cpuSeconds)],
        ...[percent(one.cpuShare), one.microsecondsEach === undefined ? '–' : count(one.microsecondsEach), percent(one.clientsCpuShare)],
        ...[digits(one.peak / 1e6), count(one.refused)],
      ]),
    },
  ]
}

const seconds = (value) => (value === undefined ? '–' : `${digits(value)} s`)
const percent = (share) => `${(100 * share).toFixed(0)} %`

/**
 * Growths are from the fewest clients to the most (of memory: from the second number of clients, as the first is too few to tell), and 1
 * where a client costs the same however many there are; `costGrowth`: of a handshake or of a ping, whichever grew more.
 */
export function scaleSummary(rows, { idle, comeBack, listener, restart }) {
  const [first, last] = [rows[0], rows.at(-1)]
  const none = { megabytesPerThousand: null, extraClientMilliseconds: null, costGrowth: null, handshakeGrowth: null, pingGrowth: null }
  if (first === undefined) return { contenders: [], ratios: { ...none, memoryGrowth: null, reconnectSeconds: null } }
  const growth = (key) => last[key].median / first[key].median
  return {
    contenders: [],
    ratios: {
      megabytesPerThousand: significant((idle.perClient * 1_000) / 1e6),
      extraClientMilliseconds: last.extraMilliseconds.median,
      costGrowth: significant(Math.max(growth('handshakeMicroseconds'), growth('pingMicroseconds'))),
      handshakeGrowth: significant(growth('handshakeMicroseconds')),
      pingGrowth: significant(growth('pingMicroseconds')),
      memoryGrowth: significant(last.octetsPerClient / (rows[1] ?? first).octetsPerClient),
      reconnectSeconds: { cut: comeBack.last ?? null, listener: listener?.last ?? null, restart: restart?.last ?? null },
      reconnectPeakMegabytes: significant(Math.max(...[comeBack, listener].map((one) => one?.peak ?? 0)) / 1e6),
      restartPeakMegabytes: significant((restart?.peak ?? Number.NaN) / 1e6),
    },
    costs: Object.fromEntries([
      ...['handshakeMicroseconds', 'pingMicroseconds'].map((key) => [key, rows.map((row) => [row.clients, row[key].median])]),
      ['octetsPerClient', rows.map((row) => [row.clients, row.octetsPerClient])],
    ]),
    ...{ idle, comeBack, listener, restart },
  }
}
