// From `underpass up` to the first inner ping: on an open network, where UDP is dropped, where only TLS on 443 gets out, and by a proxy. Beside it
// what others do where UDP is dropped. Needs root.
import { needs, TUN } from '../contenders/installed.mjs'
import { OursComingUp } from '../lib/coming-up-ours.mjs'
import { PEERS } from '../lib/coming-up-peers.mjs'
import { Firewall, RULES } from '../lib/firewall.mjs'
import { RESOLUTION } from '../lib/first-ping.mjs'
import { spread } from '../lib/measure.mjs'
import { progress } from '../lib/progress.mjs'
import { notRoot, openLab } from '../lib/rounds.mjs'

/** In the order of the table. */
const NETWORKS = [
  { network: 'open', title: 'open', how: 'first' },
  { network: 'no-udp', title: 'UDP dropped, first time', how: 'first' },
  { network: 'no-udp', title: 'UDP dropped, known', how: 'known' },
  { network: 'only-443', title: 'only TCP 443, TLS', how: 'first' },
  { network: 'only-proxy', title: 'only an HTTP proxy', how: 'first' },
]
/** Seconds that one round of somebody may take in a quick run. */
const QUICK_LIMIT = 30
/** Of somebody who waits for a minute or two, which hardly spreads. */
const PATIENT_ROUNDS = 3

export async function run({ quick, only, rounds: wanted }) {
  const reason = notRoot() ?? needs({ nft: 'nftables', ping: 'iputils-ping', tinyproxy: 'tinyproxy', openssl: 'openssl' }, TUN)
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const rounds = wanted ?? (quick ? 2 : 10)
  const isWanted = (name) =>
    only === undefined ||
    only
      .toLowerCase()
      .split(',')
      .some((word) => name.toLowerCase().includes(word))
  const notes = []
  const lab = openLab()
  const rows = isWanted('Underpass') ? await lab.in({ hasLink: false }, (ends) => ours(ends, { rounds, notes })) : []
  const known = PEERS.filter(({ name }) => isWanted(name))
  for (const peer of known) rows.push(await ofPeer(lab, peer, { quick, rounds, notes }))
  const peers = Object.fromEntries(known.filter(({ isInstalled }) => !isInstalled()).map(({ name, version }) => [name, version()]))
  return { rounds, resolution: RESOLUTION, peers, rows, notes }
}

async function ours(ends, { rounds, notes }) {
  const firewall = await Firewall.between(ends)
  await firewall.startProxy()
  const measured = NETWORKS.map(() => [])
  const underpass = await OursComingUp.start(ends, firewall)
  // The first start of a program reads it from the disk.
  await underpass.first('open')
  for (let round = 1; round <= rounds; round++)
    for (const [at, { network, title, how }] of NETWORKS.entries()) {
      progress(`round ${round} of ${rounds}: Underpass, ${title}`)
      try {
        const times = await underpass[how](network)
        if (RULES[network].length > 0 && (await firewall.dropped()) === 0) throw new Error('the firewall has dropped nothing')
        measured[at].push(times)
      } catch (error) {
        notes.push(`Underpass, ${title}, round ${round}: ${error.message.split('\n')[0]}`)
      }
    }
  return NETWORKS.map((network, at) => row(network, measured[at]))
}

function row({ network, title, how }, times) {
  const of = (key) => {
    const values = times.map((one) => one[key]).filter((value) => value !== undefined)
    return values.length === 0 ? undefined : spread(values)
  }
  return {
    name: 'Underpass',
    group: 'ours',
    network,
    title,
    how,
    ...(times.length === 0 ? { missing: 'every round failed: see below' } : {}),
    carriedIn: [...new Set(times.map(({ carriedIn }) => carriedIn))].join(', '),
    knownBy: [...new Set(times.flatMap(({ knownBy }) => knownBy ?? []))].join(', ') || undefined,
    ...Object.fromEntries(['fromStart', 'upFromStart', 'starting', 'trying', 'pingFromTrying'].map((key) => [key, of(key)])),
  }
}

/** Each in a laboratory of its own. */
async function ofPeer(lab, peer, { quick, rounds, notes }) {
  const { name, carriedIn, seconds } = peer
  const about = { name, group: 'peer', network: 'no-udp', title: 'UDP dropped', carriedIn }
  const missing = peer.isInstalled()
  if (missing !== undefined) return { ...about, missing }
  if (quick && seconds > QUICK_LIMIT) return { ...about, missing: `takes some ${seconds} s: not in a quick run` }
  const count = seconds > QUICK_LIMIT ? Math.min(PATIENT_ROUNDS, rounds) : rounds
  const values = []
  try {
    await lab.in({ hasLink: false }, async (ends) => {
      const firewall = await Firewall.between(ends)
      await firewall.allow(RULES['no-udp'])
      const once = await peer.begin(ends, firewall)
      for (let round = 1; round <= count; round++) {
        progress(`round ${round} of ${count}: ${name}, UDP dropped`)
        values.push(await once())
      }
    })
  } catch (error) {
    notes.push(`${name}, round ${values.length + 1}: ${error.message.split('\n')[0]}`)
  }
  if (values.length === 0) return { ...about, missing: 'installed, but every round failed: see below' }
  return { ...about, fromStart: spread(values) }
}
