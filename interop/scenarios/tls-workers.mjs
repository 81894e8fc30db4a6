import { join } from 'node:path'
import { repository } from '../lib/lab.mjs'
import { until } from '../lib/process.mjs'
import { startHaproxy } from '../lib/relays.mjs'
import { hundredPings, transferBetween } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title =
  'our gateway with two workers, TLS and plain at one port behind haproxy: an IKE SA that is cut again and again stays where it is'

const FIXTURES = join(repository, 'packages/tls-transport/test/fixtures')
const CERTIFICATE = join(FIXTURES, 'test-only-certificate.pem')
const NEAR = '10.98.1.2'
const RELAY = '10.98.2.1'
const FAR = '10.98.2.2'
const NAME = 'gateway.test'
const CUTS = 8

export async function run(lab) {
  const [near, middle, far] = [await lab.namespace('a'), await lab.namespace('m'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.1.1/24' }, { namespace: middle, device: 'near', address: `${NEAR}/24` })
  await lab.link({ namespace: middle, device: 'far', address: `${RELAY}/24` }, { namespace: far, device: 'wire', address: `${FAR}/24` })
  const gateway = await startGateway(lab, far, {
    address: FAR,
    tcp: [443],
    tls: { ports: [443], cert_file: CERTIFICATE, key_file: join(FIXTURES, 'test-only-key.pem') },
    proxies: [`${RELAY}/32`],
    workers: 2,
  })
  // The second worker opens its own a moment later.
  await until('the gateway to have two listening sockets on one port', async () => {
    const { stdout } = await lab.in(far, ['ss', '-Hltn'])
    return stdout.trim().split('\n').length === 2
  })
  const ways = [{ at: `${NEAR}:443`, to: `${FAR}:443`, header: 'send-proxy-v2' }]
  const haproxy = await startHaproxy(lab, middle, { port: 443, ways })

  await resumed(lab, far)
  for (const transport of ['tls:443', 'tcp:443']) await cut(lab, { near, far, gateway, haproxy }, transport)
  await gateway.stop()
}

/** RFC 9329 App. B.3: openssl's client comes to any worker, and its session to both. */
async function resumed(lab, far) {
  const session = join(lab.dir, 'session.pem')
  const connect = ['openssl', 's_client', '-connect', `${FAR}:443`, '-servername', NAME, '-CAfile', CERTIFICATE]
  // A ticket of TLS 1.3 comes behind the handshake; the answer to a request is behind that.
  const input = 'GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n'
  await lab.in(far, [...connect, '-sess_out', session, '-ign_eof'], { input, timeout: 10_000 })
  let reused = 0
  for (let i = 0; i < 12; i++)
    if (/^Reused, TLSv1\.3/m.test((await lab.in(far, [...connect, '-sess_in', session], { input: '' })).stdout)) reused++
  lab.expect(reused === 12, 'openssl s_client: one session is resumed by 12 of 12 connections, whichever worker they come to', `${reused}`)
}

async function cut(lab, { near, far, gateway, haproxy }, transport) {
  const label = `client-${transport.replace(':', '-')}`
  const tls = { ca_file: CERTIFICATE, servername: NAME }
  const beginning = gateway.mark
  const client = startClient(lab, near, { label, gateway: NEAR, transports: [transport], remote: ['10.1.0.0/24'], tls })
  const { ike } = await client.established()
  await gateway.waitFor('child-sa-installed', { since: beginning })
  const marks = [client.mark, gateway.mark]
  for (let i = 0; i < CUTS; i++) {
    const [since, before] = [client.mark, gateway.mark]
    await haproxy.stop()
    await client.waitFor('reconnecting', { since })
    await haproxy.start()
    await client.waitFor('connection-opened', { since })
    await gateway.waitFor('path-moved', { since: before })
  }
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1', { from: `the client, ${transport}, cut ${CUTS} times` })
  await transferBetween(lab, near, far, '10.1.0.1', 20)
  const anew = client.events('ike-sa-established', marks[0]).length + gateway.events('ike-sa-established', marks[1]).length
  lab.expect(anew === 0, `${transport}: IKE SA ${ike.ikeSa} goes on, and no other was made`)
  const { counters } = (await gateway.status()).session
  const [what, counter] =
    transport === 'tls:443'
      ? ['what is inside TLS went to the worker that has the IKE SA', 'worker.streamsHandedOver']
      : ['connections went to the worker that has the IKE SA', 'worker.connectionsHandedOver']
  lab.expect(counters[counter] > 0, `${what}: ${counter} is ${counters[counter]}`, JSON.stringify(counters))
  await client.stop()
  await gateway.closed({ since: marks[1] })
}
