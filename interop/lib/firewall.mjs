// nftables in a namespace: what a scenario must not use is dropped and counted; a connection under test is reset or stalled.
import { setTimeout as sleep } from 'node:timers/promises'
import { must } from './process.mjs'

const PORTS = '500, 4500'
const HOOKS = ['input', 'output', 'forward']
const table = (name) =>
  `add table inet ${name}\n${HOOKS.map((hook) => `add chain inet ${name} ${hook} { type filter hook ${hook} priority 0 ; }\n`).join('')}`
/** In each hook, both directions of `match`, in which PORT stands for `dport` and `sport`. */
const rules = (name, match, verdict) =>
  HOOKS.flatMap((hook) =>
    ['dport', 'sport'].map((port) => `add rule inet ${name} ${hook} ${match.replace('PORT', port)} ${verdict}\n`),
  ).join('')

/** Drops IKE's ports of the transport that must not be used; with `port`, where the other is moved to, those of TCP 500 and 4500 too. */
export async function dropAllBut(lab, namespace, transport, { port } = {}) {
  const blocked = transport === 'tcp' ? 'udp' : 'tcp'
  const ports = port === undefined ? PORTS : `${PORTS}, ${port}`
  const dropped = [`${blocked} PORT { ${ports} }`, ...(port === undefined ? [] : [`tcp PORT { ${PORTS} }`])]
  const input = table('lab') + dropped.map((match) => rules('lab', match, 'counter drop')).join('')
  await nft(namespace, input)
  lab.note(`nft in the lab drops ${blocked} ${ports.replaceAll(', ', '/')}${port === undefined ? '' : ' and tcp 500/4500'} both ways`)
}

/** How many packets those rules met: {input, output, forward}. */
export async function droppedPackets(namespace) {
  const listed = JSON.parse(await must(['ip', 'netns', 'exec', namespace, 'nft', '-j', 'list', 'table', 'inet', 'lab']))
  const sum = { input: 0, output: 0, forward: 0 }
  for (const { rule } of listed.nftables)
    for (const { counter } of rule?.expr ?? []) if (counter !== undefined) sum[rule.chain] += counter.packets
  return sum
}

/** The transport that was removed carried nothing: nobody even tried. */
export async function expectNothingDropped(lab, namespace) {
  const met = Object.entries(await droppedPackets(namespace)).filter(([, packets]) => packets > 0)
  lab.expect(met.length === 0, 'not one packet met the rules that drop', JSON.stringify(met))
}

/** What goes by TCP `port` is answered with a reset, whoever sends it, until `during` is over: both ends hear of it. */
export function resetting(namespace, port, during) {
  // The resets themselves must get through.
  return cut(namespace, `tcp PORT ${port} tcp flags & rst == 0`, 'counter reject with tcp reset', during)
}

/** What goes by TCP `port` is lost, both ways, until `during` is over. */
export function stalling(namespace, port, during) {
  return cut(namespace, `tcp PORT ${port}`, 'counter drop', during)
}

export const forSeconds = (seconds) => () => sleep(seconds * 1_000)

async function cut(namespace, match, verdict, during) {
  await nft(namespace, table('cut') + rules('cut', match, verdict))
  try {
    return await during()
  } finally {
    await nft(namespace, 'delete table inet cut\n')
  }
}

function nft(namespace, input) {
  return must(['ip', 'netns', 'exec', namespace, 'nft', '-f', '-'], { input })
}
