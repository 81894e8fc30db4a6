// A live tunnel that is cut: how long an inner TCP connection, which carries a little all the time, sees nothing. Needs root.
import { needs, TUN } from '../contenders/installed.mjs'
import { CUTS } from '../lib/cuts.mjs'
import { Firewall } from '../lib/firewall.mjs'
import { spread } from '../lib/measure.mjs'
import { progress } from '../lib/progress.mjs'
import { cutOnce, REPAIRERS } from '../lib/repairs.mjs'
import { notRoot, openLab } from '../lib/rounds.mjs'

/** OpenVPN has no TLS around its TCP; its own is the same thing. */
const NOT_FOR_PEERS = ({ cut, on }) => cut === 'reset' && on === 'tls'

export async function run({ quick, only, rounds: wanted }) {
  const reason = notRoot() ?? needs({ nft: 'nftables', ss: 'iproute2', openssl: 'openssl' }, TUN)
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const words = only?.toLowerCase().split(',')
  const isWanted = (name) => words === undefined || words.some((word) => name.toLowerCase().includes(word))
  const rows = []
  const notes = []
  const lab = openLab()
  const all = wanted ?? (quick ? 1 : 5)
  for (const repairer of REPAIRERS.filter(({ name }) => isWanted(name))) {
    const cuts = CUTS.filter((cut) => repairer.group === 'ours' || !NOT_FOR_PEERS(cut))
    const missing = quick && repairer.group === 'peer' && only === undefined ? 'takes minutes: not in a quick run' : repairer.isInstalled()
    // Its waits are whole minutes that its configuration says, and hardly spread.
    const rounds = repairer.group === 'ours' ? all : Math.min(3, all)
    const measured =
      missing === undefined ? await lab.in({ hasLink: false }, (ends) => cutAll(ends, { repairer, cuts, rounds, notes })) : []
    rows.push(...cuts.map((cut, at) => row(repairer, cut, measured[at] ?? [], missing)))
  }
  const peers = Object.fromEntries(
    REPAIRERS.filter(({ name, version, isInstalled }) => isWanted(name) && version !== undefined && isInstalled() === undefined).map(
      ({ name, version }) => [name, version()],
    ),
  )
  return { rounds: all, peers, rows, notes }
}

async function cutAll(ends, { repairer, cuts, rounds, notes }) {
  const firewall = await Firewall.between(ends)
  await firewall.allow([])
  const connect = await repairer.begin(ends)
  const measured = cuts.map(() => [])
  let number = 0
  for (let round = 1; round <= rounds; round++)
    for (const [at, cut] of cuts.entries()) {
      progress(`round ${round} of ${rounds}: ${repairer.name}, ${cut.title}`)
      try {
        measured[at].push(await cutOnce({ ends, firewall, repairer, connect, cut, number: ++number }))
      } catch (error) {
        notes.push(`${repairer.name}, ${cut.title}, round ${round}: ${error.message.split('\n')[0]}`)
      }
    }
  return measured
}

function row({ name, group }, { cut, on, title }, results, missing) {
  const about = { name, group, cut, on, title }
  if (missing !== undefined) return { ...about, missing }
  const kept = results.filter(({ lost }) => lost === undefined)
  const lost = results.flatMap(({ lost: why }) => why ?? [])
  if (results.length === 0) return { ...about, missing: 'every round failed: see below' }
  const of = (key) => {
    const values = kept.flatMap((one) => (one[key] === undefined ? [] : one[key] / 1000))
    return values.length === 0 ? undefined : spread(values)
  }
  return { ...about, gap: of('gap'), back: of('back'), lost }
}
