import { join } from 'node:path'
import { repository } from '../lib/lab.mjs'
import { until } from '../lib/process.mjs'
import { LOGIN, PLAIN_LOGIN, startMicrosocks, startSquid, startTinyproxy } from '../lib/proxies.mjs'
import { hundredPings, transferBetween } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title = 'our client to our gateway through squid (Digest), tinyproxy (Basic) and microsocks (SOCKS 5), plain and in TLS'

const FIXTURES = join(repository, 'packages/tls-transport/test/fixtures')
const CERTIFICATE = join(FIXTURES, 'test-only-certificate.pem')
const NEAR = '10.98.1.2'
const FAR = '10.98.2.2'
/** In the certificate, and in squid's hosts file alone. */
const NAME = 'gateway.test'

export async function run(lab) {
  const [near, middle, far] = [await lab.namespace('a'), await lab.namespace('m'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.1.1/24' }, { namespace: middle, device: 'near', address: `${NEAR}/24` })
  await lab.link({ namespace: middle, device: 'far', address: '10.98.2.1/24' }, { namespace: far, device: 'wire', address: `${FAR}/24` })
  const direct = await lab.in(near, ['ip', 'route', 'get', FAR])
  lab.expect(direct.code !== 0, 'there is no way from the client to the gateway but by a proxy', direct.stdout.trim())
  const gateway = await startGateway(lab, far, {
    address: FAR,
    tcp: [4500],
    tls: { ports: [443], cert_file: CERTIFICATE, key_file: join(FIXTURES, 'test-only-key.pem') },
  })
  const squid = await startSquid(lab, middle, { address: NEAR, port: 3128, hosts: `${FAR} ${NAME}\n` })
  const tinyproxy = await startTinyproxy(lab, middle, { address: NEAR, port: 8888 })
  const microsocks = await startMicrosocks(lab, middle, { address: NEAR, port: 1080 })

  await looksLikeAnyServer(lab, middle)
  await through(lab, { near, far, gateway }, `tls:443 via http://${LOGIN}@${NEAR}:3128`, squid, {
    host: NAME,
    says: /TCP_TUNNEL\/200 \d+ CONNECT gateway\.test:443 lab /,
    isLong: true,
  })
  await through(lab, { near, far, gateway }, `tcp:4500 via http://${PLAIN_LOGIN}@${NEAR}:8888`, tinyproxy, {
    host: FAR,
    says: new RegExp(`Established connection to host "${FAR}"`),
  })
  await through(lab, { near, far, gateway }, `tls:443 via socks5://${LOGIN}@${NEAR}:1080`, microsocks, {
    host: FAR,
    says: new RegExp(`connected to ${FAR}:443`),
  })
  await refused(lab, near)
  await gateway.stop()
}

/** RFC 9325, RFC 9329 Appendix B.1 (T-TLS-5, T-TLS-7): openssl's client has TLS 1.3 and is asked for no certificate; TLS 1.1 it has not. */
async function looksLikeAnyServer(lab, middle) {
  const connect = ['openssl', 's_client', '-connect', `${FAR}:443`, '-servername', NAME, '-CAfile', CERTIFICATE]
  const { stdout } = await lab.in(middle, connect, { input: '' })
  const words = [/^New, TLSv1\.3, Cipher is TLS_\w+/m, /Verification: OK/, /No client certificate CA names sent/].map(
    (one) => one.exec(stdout)?.[0],
  )
  lab.expect(!words.includes(undefined), `openssl s_client: ${words.join('; ')}`, stdout.slice(0, 400))
  const browser = await lab.in(middle, [...connect, '-quiet'], { input: 'GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n', timeout: 10_000 })
  lab.expect(/^HTTP\/1\.1 404 Not Found/.test(browser.stdout), 'a browser is told 404', browser.stdout.slice(0, 200))
  const old = await lab.in(middle, [...connect, '-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'], { input: '' })
  lab.expect(/Cipher is \(NONE\)/.test(old.stdout), 'openssl s_client: no TLS 1.1', old.stdout.slice(0, 400))
}

async function through(lab, { near, far, gateway }, transport, proxy, { host, says, isLong = false }) {
  const shown = transport.replace(/\/\/.*@/, '//…@')
  const label = `client-${transport.replaceAll(/\W+/g, '-').slice(0, 24)}`
  const tls = { ca_file: CERTIFICATE, servername: NAME }
  const client = startClient(lab, near, { label, gateway: host, transports: [transport], remote: ['10.1.0.0/24'], tls })
  const { ike } = await client.established()
  lab.expect(client.events('transport-chosen')[0]?.transport === transport.replace(/\/\/.*@/, '//'), `${shown} is chosen`)
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1', { from: `the client, ${shown}` })
  if (isLong) await transferBetween(lab, near, far, '10.1.0.1', 20)

  // RFC 9329 §6.1 (T-LIFE-4, T-LIFE-5): the connection goes, the SAs stay.
  const marks = [client.mark, gateway.mark]
  await proxy.stop()
  // squid says so at the end.
  await until('the log to say so', () => says.test(proxy.log), 3_000)
  lab.note(`the proxy's log: ${says.exec(proxy.log)[0].trim()}`)
  await client.waitFor('reconnecting', { since: marks[0] })
  await proxy.start()
  await client.waitFor('connection-opened', { since: marks[0] })
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1', { from: 'the client, after the proxy was started again' })
  const anew = client.events('ike-sa-established', marks[0]).length + gateway.events('ike-sa-established', marks[1]).length
  lab.expect(anew === 0, `the proxy was started again: IKE SA ${ike.ikeSa} goes on, and no other was made`)
  await client.stop()
  await gateway.closed({ since: marks[1] })
}

/** A proxy that does not take the password says so. */
async function refused(lab, near) {
  const transport = `tls:443 via http://lab:wrong@${NEAR}:3128`
  const client = startClient(lab, near, { label: 'client-refused', gateway: NAME, transports: [transport], remote: ['10.1.0.0/24'] })
  const { reason } = await client.waitFor('transport-failed')
  lab.expect(/does not take the user and the password/.test(reason) && !reason.includes('wrong'), `a wrong password: ${reason}`, reason)
  await client.stop()
}
