// The suite `scale` in tables and in one line.
import { count, digits, fixed, ranged } from './words.mjs'

export const scaleTable = (rows) => [
  [
    ...['clients', 'resident set, MB', 'handshakes a second on the way there', 'µs of CPU a handshake'],
    ...['another client, median, ms', '99th percentile', 'µs of CPU a ping'],
  ],
  ...rows.map((row) => [
    ...[count(row.clients), digits(row.resident / 1e6), digits(row.perSecond), ranged(row.handshakeMicroseconds)],
    ...[digits(row.extraMilliseconds.median), digits(row.extraMilliseconds.p99), fixed(row.pingMicroseconds)],
  ]),
]

export function scaleMoreTables({ idle, comeBack, livenessSeconds, idleSeconds }) {
  const seconds = (value) => (value === undefined ? '–' : `${digits(value)} s`)
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
      title: 'Every connection cut at once',
      head: [
        'cut',
        'back',
        'half of them after',
        'all after',
        'CPU s',
        'of a core',
        'peak of the resident set, MB',
        'connections that found the backlog full',
      ],
      rows: [
        [
          ...[count(comeBack.lost), count(comeBack.back), seconds(comeBack.median), seconds(comeBack.last)],
          ...[
            digits(comeBack.cpuSeconds),
            `${(100 * comeBack.cpuShare).toFixed(0)} %`,
            digits(comeBack.peak / 1e6),
            count(comeBack.refused),
          ],
        ],
      ],
    },
  ]
}

/** `costGrowth`: of a handshake or of a ping, whichever grew more, from the fewest clients to the most. */
export function scaleSummary(rows, { idle, comeBack }) {
  const [first, last] = [rows[0], rows.at(-1)]
  if (first === undefined)
    return { contenders: [], ratios: { megabytesPerThousand: null, extraClientMilliseconds: null, costGrowth: null } }
  const growth = (key) => last[key].median / first[key].median
  const significant = (value) => Number(value.toPrecision(4))
  return {
    contenders: [],
    ratios: {
      megabytesPerThousand: significant((idle.perClient * 1_000) / 1e6),
      extraClientMilliseconds: last.extraMilliseconds.median,
      costGrowth: significant(Math.max(growth('handshakeMicroseconds'), growth('pingMicroseconds'))),
    },
    costs: Object.fromEntries(
      ['handshakeMicroseconds', 'pingMicroseconds'].map((key) => [key, rows.map((row) => [row.clients, row[key].median])]),
    ),
    ...{ idle, comeBack },
  }
}
