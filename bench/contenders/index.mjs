// Everybody who takes part, in the order of the tables.
import { bareLink } from './bare-link.mjs'
import { keptOnCores } from './kept-on-cores.mjs'
import { openconnect } from './openconnect.mjs'
import { openvpn } from './openvpn.mjs'
import { strongswan } from './strongswan.mjs'
import { underpass } from './underpass.mjs'
import { wireguardGo } from './wireguard-go.mjs'

/**
 * @typedef {{ address: string }} Running the server's inner address; `ends.close()` stops what was started
 * @typedef {object} Contender
 * @property {string} name
 * @property {'bare' | 'peer' | 'ours'} group
 * @property {string} outer what carries it
 * @property {() => string | undefined} isInstalled why it cannot run here; undefined where it can
 * @property {(ends: import('../lib/two-ends.mjs').TwoEnds) => Promise<Running>} start both ends as plain processes, the tunnel up
 * @property {() => string | undefined} [version]
 * @property {{ runtime: string, transport: string, frames: string, cipher: string, mtu: number }} [labels] ours only
 */
const RUNTIMES = ['node', 'bun', 'deno']

/** @type {Contender[]} */
export const CONTENDERS = [
  bareLink,
  openvpn,
  openconnect,
  wireguardGo,
  strongswan,
  ...RUNTIMES.map((runtime) => underpass({ runtime, transport: 'tcp' })),
  ...RUNTIMES.map((runtime) => underpass({ runtime, transport: 'tcp', frames: 'large' })),
  underpass({ runtime: 'node', transport: 'tcp', cipher: 'chacha' }),
  ...RUNTIMES.map((runtime) => underpass({ runtime, transport: 'udp' })),
]

/** Ours with TLS around the stream; beside `CONTENDERS`, where the cost of that is what is asked. @type {Contender[]} */
export const OVER_TLS = ['standard', 'large'].flatMap((frames) =>
  RUNTIMES.map((runtime) => underpass({ runtime, transport: 'tls', frames })),
)

/** Of those, some with each end's process on a core of its own. @type {Contender[]} */
export const KEPT_ON_CORES = [
  keptOnCores(openvpn),
  keptOnCores(openconnect),
  ...RUNTIMES.map((runtime) => underpass({ runtime, transport: 'tcp', frames: 'large', isKept: true })),
]
