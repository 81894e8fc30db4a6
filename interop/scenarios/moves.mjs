import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { repository } from '../lib/lab.mjs'
import { hundredPings } from '../lib/transfer.mjs'
import { pullTheCable, readdress, SERVER, serverBehind, twoWays } from '../lib/two-ways.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title = 'a session of ours that moves while it carries traffic: UDP, TCP and TLS, another link, another address'

const FIXTURES = join(repository, 'packages/tls-transport/test/fixtures')
const CERTIFICATE = join(FIXTURES, 'test-only-certificate.pem')
const LONG_FLOW = fileURLToPath(new URL('../lib/long-flow.mjs', import.meta.url))

export async function run(lab) {
  const { client, router } = await twoWays(lab)
  const server = await serverBehind(lab, router)
  const gateway = await startGateway(lab, server, {
    address: SERVER,
    udp: [500, 4500],
    tcp: [4500],
    tls: { ports: [443], cert_file: CERTIFICATE, key_file: join(FIXTURES, 'test-only-key.pem') },
  })
  const app = startClient(lab, client, {
    gateway: SERVER,
    transports: ['udp', 'tcp:4500', 'tls:443'],
    remote: ['10.1.0.0/24'],
    tls: { ca_file: CERTIFICATE, servername: 'gateway.test' },
    timers: { udp_probe: '2s' },
  })
  const { ike } = await app.established()
  lab.expect(ike.path.transport === 'udp', 'it comes up over UDP')
  const flow = await longFlow(lab, { client, server })

  await moves(
    lab,
    app,
    'the cable is pulled: UDP by the air',
    'udp',
    () => pullTheCable(lab, client),
    (to) => lab.expect(to.remote.port === 4500, 'the gateway is asked from another address'),
  )
  await lab.mustIn(router, ['nft', '-f', '-'], { input: FIREWALL })
  // A network that is another, and blocks UDP.
  await moves(
    lab,
    app,
    'the air has another address, and UDP is blocked: TCP',
    'tcp',
    () => readdress(lab, client, '10.98.2.5'),
    (to) => lab.expect(to.remote.port === 4500, 'over TCP 4500'),
  )
  await lab.mustIn(router, ['nft', '-f', '-'], { input: REFUSAL })
  await moves(
    lab,
    app,
    'TCP 4500 is refused in mid-stream: TLS 443',
    'tcp',
    () => {},
    (to) => lab.expect(to.remote.port === 443, 'over TLS 443'),
  )
  await moves(
    lab,
    app,
    'the firewall is gone: back to UDP',
    'udp',
    () => lab.mustIn(router, ['nft', 'flush', 'ruleset']),
    () => {},
  )

  await hundredPings(lab, (argv) => lab.in(client, argv), '10.1.0.1', { from: 'the client, at the end' })
  const { octets, wrong } = await flow.end()
  lab.expect(
    octets > 0 && wrong === 0,
    `one TCP connection inside carried ${(octets / 1e6).toFixed(1)} MB through all of it, each octet right`,
  )
  for (const [who, end] of Object.entries({ client: app, gateway })) {
    lab.expect(end.events('ike-sa-established').length === 1, `one IKE SA at the ${who}, from the beginning to the end`)
    lab.expect(end.events('child-sa-installed').length === 1, `and one Child SA`)
  }
  await app.stop()
  await gateway.stop()
}

const FIREWALL = `table inet lab {
  chain forward {
    type filter hook forward priority 0
    udp dport { 500, 4500 } counter drop
    udp sport { 500, 4500 } counter drop
  }
}
`

const REFUSAL = `add rule inet lab forward tcp sport 4500 counter reject with tcp reset
add rule inet lab forward tcp dport 4500 counter reject with tcp reset
`

async function moves(lab, app, what, transport, change, check) {
  const since = app.mark
  const began = Date.now()
  await change()
  const { to } = await app.waitFor('path-moved', { since, timeout: 15_000, matches: (event) => event.to.transport === transport })
  lab.note(`${what}: ${Date.now() - began} ms`)
  check(to)
  await sleep(1_500)
}

/** One TCP connection through the tunnel that sends all the time. */
async function longFlow(lab, { client, server }) {
  const where = ['10.1.0.1', '6100']
  const sink = lab.backgroundIn(server, 'sink', [process.execPath, LONG_FLOW, 'count', ...where])
  await sink.waitForLine(/LISTENING/)
  const source = lab.backgroundIn(client, 'source', [process.execPath, LONG_FLOW, 'send', ...where])
  await source.waitForLine(/CONNECTED/)
  return {
    async end() {
      if (source.exitCode !== undefined) throw new Error(`the connection inside ended before its time: ${source.lines.at(-1)}`)
      await source.stop(10_000)
      return JSON.parse(await sink.waitForLine(/octets/, 20_000))
    },
  }
}
