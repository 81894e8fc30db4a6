// Octets that a tunnel adds to an inner packet: reckoned from our packages' own functions, and counted at the outer device of a real tunnel; the
// others' counted only. Needs root.
import { setTimeout as sleep } from 'node:timers/promises'
import { CONTENDERS } from '../contenders/index.mjs'
import { needs, TUN } from '../contenders/installed.mjs'
import { reckoned } from '../lib/overhead-figures.mjs'
import { startTunnel } from '../lib/overhead-tunnel.mjs'
import { progress } from '../lib/progress.mjs'
import { notRoot, openLab } from '../lib/rounds.mjs'

const CIPHERS = { aes256gcm16: 'AES-256-GCM', chacha20poly1305: 'ChaCha20-Poly1305', 'aes256-sha256': 'AES-256-CBC, HMAC-SHA2-256-128' }
/** Octets of an inner packet, UDP and IPv4 headers included. */
const LENGTHS = [64, 576, 1300]
const INNER_HEADERS = 28
const ETHERNET = 14
const MTU = 1338
/** By themselves, each waits for the one before; in bulk they come as fast as this, or half as fast, … */
const ALONE = { count: 30, milliseconds: 8 }
const BULK = { perSecond: 10_000, least: 1_000, seconds: 1, loss: 0.002 }
const TRIES = 5
/** Milliseconds until all that was sent has arrived. */
const SETTLED = 250

export async function run({ quick, only }) {
  const words = only?.toLowerCase().split(',')
  const isWanted = (...names) => words === undefined || words.some((word) => names.join(' ').toLowerCase().includes(word))
  const reason = notRoot() ?? needs({}, TUN)
  const notes = reason === undefined ? [] : [`Nothing was measured: ${reason}`]
  const rows = []
  const lab = openLab()
  for (const how of variants().filter(({ who, outer, cipher }) => isWanted(who, outer, cipher))) {
    const sizes = LENGTHS.map((length) => ({ length, ...reckoned(how, length) }))
    // A quick one looks at the usual tunnels alone.
    const isMeasured = reason === undefined && (!quick || (how.suite === 'aes256gcm16' && how.esn))
    rows.push({
      ...how,
      sizes: isMeasured ? await counted(lab, how, (ends) => startTunnel(ends, { ...how, mtu: MTU }), sizes, notes) : sizes,
    })
  }
  const peers = reason === undefined ? CONTENDERS.filter(({ group, name, outer }) => group === 'peer' && isWanted(name, outer)) : []
  for (const contender of peers) {
    const { name: who, outer } = contender
    const missing = contender.isInstalled()
    const row = { who, outer: `${outer}, IPv4`, cipher: 'its own', ...(missing === undefined ? {} : { missing }) }
    const sizes = LENGTHS.map((length) => ({ length }))
    rows.push(missing === undefined ? { ...row, sizes: await counted(lab, row, (ends) => contender.start(ends), sizes, notes) } : row)
  }
  return { rows, alone: ALONE, bulk: BULK, notes }
}

function variants() {
  const all = ['tcp', 'udp'].flatMap((transport) =>
    [4, 6].flatMap((family) => Object.keys(CIPHERS).map((suite) => ({ transport, family, suite, esn: true }))),
  )
  const plain = ['tcp', 'udp'].map((transport) => ({ transport, family: 4, suite: 'aes256gcm16', esn: false }))
  return [...all, ...plain].map((how) => ({
    who: `Underpass ${how.transport.toUpperCase()}`,
    outer: `${how.transport.toUpperCase()}, IPv${how.family}`,
    cipher: `${CIPHERS[how.suite]}${how.esn ? '' : ', no ESN'}`,
    ...how,
  }))
}

async function counted(lab, { who, outer, cipher }, start, sizes, notes) {
  progress(`${who}, ${outer}, ${cipher}`)
  const measured = []
  try {
    await lab.in({}, async (ends) => {
      await cutEachPacket(ends)
      const { address } = await start(ends)
      const sender = ends.helper(ends.client, 'paced', 'overhead-sender.mjs')
      if ((await sender.find((line) => (line === 'ready' ? line : undefined), 10_000)) === undefined)
        throw new Error('the sender did not start')
      const counters = counting(ends)
      // Somebody must take them, or each would be answered with ICMP.
      const sink = ends.helper(ends.gateway, 'sink', 'udp-probe.mjs')
      await sink.find((line) => (line === 'ready' ? line : undefined), 10_000)
      await sink.does('listen')
      await sleep(500)
      for (const { length } of sizes) {
        const one = async (how) => {
          await sink.does('collect')
          const before = await counters()
          const sent = await sender.does('send', { address, octets: length - INNER_HEADERS, ...how }, 30_000)
          await sleep(SETTLED)
          const after = await counters()
          const { count } = await sink.does('collect')
          const packets = after.packets - before.packets
          return { added: (after.octets - before.octets - ETHERNET * packets) / count - length, share: count / sent }
        }
        measured.push({ alone: await middle(() => one(ALONE)), ...(await inBulk(one)) })
      }
    })
  } catch (error) {
    notes.push(`${who}, ${outer}, ${cipher}: ${error.message.split('\n')[0]}`)
  }
  return sizes.map((size, i) => ({ ...size, ...(measured[i] === undefined ? {} : { measured: measured[i] }) }))
}

/** The middle one of several: what is not the packets' own (a keepalive, two that a busy machine sent together) does not come each time. */
async function middle(measure) {
  const tries = []
  for (let i = 0; i < TRIES; i++) tries.push(round((await measure()).added))
  return tries.sort((a, b) => a - b)[TRIES >> 1]
}

/** Slower where packets were lost: those in front of the tunnel would not have been on the outer link. */
async function inBulk(one) {
  for (let { perSecond } = BULK; perSecond >= BULK.least; perSecond /= 2) {
    const { added, share } = await one({ count: perSecond * BULK.seconds, perSecond })
    if (share >= 1 - BULK.loss) return { bulk: round(added), perSecond }
  }
  return {}
}

/** Otherwise the devices would count what TCP or UDP gave in one piece as one packet. */
async function cutEachPacket(ends) {
  for (const namespace of [ends.gateway, ends.client])
    await ends.mustIn(namespace, ['ip', 'link', 'set', 'dev', 'outer', 'gso_max_segs', '1'])
}

/** What the client's end has sent on the outer link. */
function counting(ends) {
  return async () => {
    const [line] = JSON.parse(await ends.mustIn(ends.client, ['ip', '-j', '-s', 'link', 'show', 'dev', 'outer']))
    const { bytes, packets } = line.stats64.tx
    return { octets: bytes, packets }
  }
}

const round = (value) => Math.round(value * 10) / 10
