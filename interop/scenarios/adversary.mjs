import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from '../lib/lab.mjs'
import { CLIENT_ID, GATEWAY_ID, SECRET } from '../lib/peer-configs.mjs'
import { hundredPings } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title = 'a peer that breaks the rules, by script, against our gateway and our client; and those who keep them are served on'

const FOLDER = join(repository, 'interop/adversary')
const SCRIPTS = join(FOLDER, 'scripts')
const HONEST = '10.98.1.1'
const BAD = '10.98.1.3'
const GATEWAY = '10.98.1.2'
/** Octets that a gateway may have more than before, when all of it is over. */
const MOST_MEMORY = 96 * 1024 * 1024

export async function run(lab) {
  const [near, far, bad] = [await lab.namespace('a'), await lab.namespace('b'), await lab.namespace('x')]
  await bridge(lab, { [HONEST]: near, [GATEWAY]: far, [BAD]: bad })
  const scripts = readdirSync(SCRIPTS)
    .filter((file) => file.endsWith('.json'))
    .map((file) => ({ name: file.slice(0, -5), ...JSON.parse(readFileSync(join(SCRIPTS, file), 'utf8')) }))
  await againstGateway(
    lab,
    { near, far, bad },
    scripts.filter(({ role }) => role === 'initiator'),
  )
  for (const script of scripts.filter(({ role }) => role === 'responder'))
    for (const transport of script.transports) await againstClient(lab, { near, bad }, script, transport)
}

async function againstGateway(lab, { near, far, bad }, scripts) {
  // The honest client is one, and the adversary another of the same connection, which has its secret.
  const ids = [CLIENT_ID, ADVERSARY_ID]
  const gateway = await startGateway(lab, far, { address: GATEWAY, udp: [500, 4500], tcp: [4500], ids, timers: { handshake: '3s' } })
  const client = startClient(lab, near, { gateway: GATEWAY, transports: ['tcp:4500'], remote: ['10.1.0.0/24'] })
  const { ike } = await client.established()
  const { pid } = await gateway.status()
  const before = memoryOf(pid)
  for (const script of scripts)
    for (const transport of script.transports) {
      const adversary = start(lab, bad, script, transport, ['--host', GATEWAY, '--id', ADVERSARY_ID, '--peer-id', GATEWAY_ID])
      await adversary.waitForLine(/^END$/, 120_000)
      compare(lab, script, transport, adversary.lines)
    }
  const [gone] = client.events('ike-sa-closed')
  lab.expect(gone === undefined, `the honest client's IKE SA ${ike.ikeSa} saw nothing of it`, JSON.stringify(gone))
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1', { from: 'the honest client' })
  // A handshake that nobody goes on with is forgotten after `timers.handshake`.
  await lab.mustIn(far, ['sleep', '4'])
  const { session } = await gateway.status()
  lab.expect(session.halfOpen === 0, 'no half-open IKE SA is left', `${session.halfOpen}`)
  const grown = memoryOf(pid) - before
  lab.expect(grown < MOST_MEMORY, `the gateway's memory grew by ${Math.round(grown / 1024 / 1024)} MiB in all`)
  await client.stop()
  await gateway.stop()
}

async function againstClient(lab, { near, bad }, script, transport) {
  const adversary = start(lab, bad, script, transport, ['--address', BAD, '--id', GATEWAY_ID, '--peer-id', CLIENT_ID])
  await adversary.waitForLine(/^READY$/)
  const transports = [transport === 'udp' ? 'udp' : 'tcp:4500']
  // The one suite that the adversary has.
  const ike = 'aes256gcm16-prfsha256-x25519'
  const client = startClient(lab, near, { label: `${script.name}-${transport}`, gateway: BAD, transports, remote: ['10.1.0.0/24'], ike })
  await adversary.waitForLine(/^END$/, 60_000)
  compare(lab, script, transport, adversary.lines)
  lab.expect(client.events('ike-sa-established').length === 0, `${script.name} over ${transport}: our client does not believe it`)
  await client.stop()
}

const ADVERSARY_ID = '@adversary.underpass.example'

function start(lab, namespace, { name }, transport, more) {
  const argv = [process.execPath, join(FOLDER, 'adversary.mjs'), '--script', join(SCRIPTS, `${name}.json`), '--transport', transport]
  return lab.backgroundIn(namespace, `adversary-${name}-${transport}`, [...argv, '--secret', SECRET, ...more])
}

/** Against the file beside the script: one for both transports, or one for each. */
function compare(lab, { name }, transport, lines) {
  const [own, shared] = [join(SCRIPTS, `${name}.${transport}.expected`), join(SCRIPTS, `${name}.expected`)]
  const expected = readFileSync(existsSync(own) ? own : shared, 'utf8')
    .trim()
    .split('\n')
  const observed = lines.filter((line) => /^[#<>] /.test(line))
  const at = expected.findIndex((line, i) => line !== observed[i])
  const isSame = at < 0 && observed.length === expected.length
  const differs = at < 0 ? observed.length : at
  lab.expect(
    isSame,
    `${name} over ${transport}: ${expected.filter((line) => line.startsWith('<')).length} answers, or silences, as expected`,
    `line ${differs + 1}: expected ${JSON.stringify(expected[differs])}, was ${JSON.stringify(observed[differs])}`,
  )
}

function memoryOf(pid) {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(kilobytes) * 1024
}

/** All of them on one wire. */
async function bridge(lab, ends) {
  const middle = await lab.namespace('m')
  await lab.mustIn(middle, ['ip', 'link', 'add', 'bridge', 'type', 'bridge'])
  await lab.mustIn(middle, ['ip', 'link', 'set', 'bridge', 'up'])
  for (const [address, namespace] of Object.entries(ends)) {
    const port = `p${address.split('.').at(-1)}`
    await lab.link({ namespace, device: 'wire', address: `${address}/24` }, { namespace: middle, device: port })
    await lab.mustIn(middle, ['ip', 'link', 'set', port, 'master', 'bridge'])
  }
}
