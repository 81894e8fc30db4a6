import { fileURLToPath } from 'node:url'
import { hundredPings } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

/** A TCP stream is held against UDP by what they carry in a second. */
export const isAlone = true
export const title = 'UDP that lets IKE through and drops ESP, and UDP that is throttled: the session moves to TCP and stays there'

const GATEWAY = '10.98.9.2'
const LONG_FLOW = fileURLToPath(new URL('../lib/long-flow.mjs', import.meta.url))
/** ESP in UDP: its first four octets are an SPI, which is never 0 (RFC 3948 §2.1). */
const ESP = 'udp dport 4500 @th,64,32 != 0'
const FROM_GATEWAY = 'udp sport 4500 @th,64,32 != 0'

export async function run(lab) {
  const [client, router, server] = [await lab.namespace('a'), await lab.namespace('r'), await lab.namespace('b')]
  await lab.link(
    { namespace: client, device: 'cable', address: '10.98.1.1/24' },
    { namespace: router, device: 'cable', address: '10.98.1.2/24' },
  )
  await lab.link(
    { namespace: router, device: 'out', address: '10.98.9.1/24' },
    { namespace: server, device: 'wire', address: `${GATEWAY}/24` },
  )
  await lab.mustIn(router, ['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  await lab.mustIn(server, ['ip', 'route', 'add', 'default', 'via', '10.98.9.1'])
  await lab.mustIn(client, ['ip', 'route', 'add', 'default', 'via', '10.98.1.2'])
  const gateway = await startGateway(lab, server, { address: GATEWAY, udp: [500, 4500], tcp: [4500] })
  const site = { client, router, server, gateway }

  await dropped(lab, site)
  await throttled(lab, site)
  await gateway.stop()
}

async function dropped(lab, { client, router, gateway }) {
  await lab.mustIn(router, ['nft', '-f', '-'], { input: rules('counter drop') })
  const app = startClient(lab, client, { label: 'client-1', gateway: GATEWAY, transports: ['udp', 'tcp:4500'], remote: ['10.1.0.0/24'] })
  const { ike } = await app.established()
  lab.expect(ike.path.transport === 'udp', 'IKE passes over UDP, and the tunnel comes up by it')
  const began = Date.now()
  const judged = await app.waitFor('path-judged')
  lab.expect(judged.decision === 'esp-blocked', 'the client finds out that ESP does not pass')
  const { to } = await app.waitFor('path-moved')
  lab.note(`ESP is dropped: on TCP ${Date.now() - began} ms after the tunnel was up`)
  lab.expect(to.transport === 'tcp', 'and is on TCP')
  lab.expect(gateway.events('path-moved').at(-1)?.to.transport === 'tcp', 'the gateway followed it')
  await hundredPings(lab, (argv) => lab.in(client, argv), '10.1.0.1', { from: 'the client' })
  const stdout = await lab.mustIn(router, ['nft', '-j', 'list', 'ruleset'])
  const counters = JSON.parse(stdout).nftables.flatMap(({ rule }) => rule?.expr.flatMap(({ counter }) => counter?.packets ?? []) ?? [])
  lab.expect(counters.length === 2 && counters[0] > 0, `ESP that the firewall dropped, by its own count: ${counters.join(' and ')} packets`)
  await lab.mustIn(router, ['nft', 'flush', 'ruleset'])
  await app.stop()
}

async function throttled(lab, { client, router, server, gateway }) {
  const since = gateway.mark
  const app = startClient(lab, client, {
    label: 'client-2',
    gateway: GATEWAY,
    transports: ['udp', 'tcp:4500'],
    remote: ['10.1.0.0/24'],
    timers: { path_check: '2s', trial: '8s' },
  })
  const { ike } = await app.established()
  lab.expect(ike.path.transport === 'udp', 'it comes up over UDP')
  const sink = lab.backgroundIn(server, 'sink', [process.execPath, LONG_FLOW, 'count', '10.1.0.1', '6100'])
  await sink.waitForLine(/LISTENING/)
  const source = lab.backgroundIn(client, 'source', [process.execPath, LONG_FLOW, 'send', '10.1.0.1', '6100'])
  await source.waitForLine(/CONNECTED/)
  await lab.mustIn(router, ['nft', '-f', '-'], { input: rules('limit rate over 40 kbytes/second counter drop') })
  const tried = await app.waitFor('path-judged', { timeout: 30_000 })
  lab.expect(
    tried.decision === 'try-stream',
    `UDP at 40 kB/s loses ${Math.round(100 * tried.lossOut)} % of what is sent: a stream is tried`,
  )
  const kept = await app.waitFor('path-judged', { timeout: 30_000, matches: ({ decision }) => decision !== 'try-stream' })
  lab.expect(
    kept.decision === 'stay-on-stream',
    `it carries ${kept.octetsPerSecond} octets in a second where UDP carried ${kept.octetsPerSecondBefore}: the tunnel stays`,
  )
  lab.expect(gateway.events('path-moved', since).at(-1)?.to.transport === 'tcp', 'the gateway sends over TCP, too')
  if (source.exitCode !== undefined) throw new Error(`the connection inside ended before its time: ${source.lines.at(-1)}`)
  await source.stop(10_000)
  const { octets, wrong } = JSON.parse(await sink.waitForLine(/octets/, 20_000))
  lab.expect(octets > 0 && wrong === 0, `one TCP connection inside carried ${(octets / 1e6).toFixed(1)} MB through it, each octet right`)
  lab.expect(app.events('ike-sa-established').length === 1, 'with one IKE SA')
  await app.stop()
}

function rules(what) {
  return `table inet lab {
  chain forward {
    type filter hook forward priority 0
    ${ESP} ${what}
    ${FROM_GATEWAY} ${what}
  }
}
`
}
