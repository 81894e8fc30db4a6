import { createHash, X509Certificate } from 'node:crypto'
import { copyFileSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from '../lib/lab.mjs'
import { until } from '../lib/process.mjs'
import { startDante, startHaproxy, startStunnel } from '../lib/relays.mjs'
import { hundredPings, transferBetween } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title =
  'our client to our gateway through dante (SOCKS 5), haproxy (TLS passed through, PROXY protocol) and stunnel (TLS ended and begun), one port for TLS and plain'

const FIXTURES = join(repository, 'packages/tls-transport/test/fixtures')
const CLIENT = '10.98.1.1'
const NEAR = '10.98.1.2'
const FAR = '10.98.2.2'
/** From where what stands between connects to the gateway, each from its own. */
const DANTE = '10.98.2.1'
const RELAY = '10.98.2.3'
const NAME = 'gateway.test'

export async function run(lab) {
  const [near, middle, far] = [await lab.namespace('a'), await lab.namespace('m'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: `${CLIENT}/24` }, { namespace: middle, device: 'near', address: `${NEAR}/24` })
  await lab.link({ namespace: middle, device: 'far', address: `${DANTE}/24` }, { namespace: far, device: 'wire', address: `${FAR}/24` })
  await lab.mustIn(middle, ['ip', 'addr', 'add', `${RELAY}/24`, 'dev', 'far'])
  const direct = await lab.in(near, ['ip', 'route', 'get', FAR])
  lab.expect(direct.code !== 0, 'there is no way from the client to the gateway but through what stands between', direct.stdout.trim())

  const pair = certificateIn(lab)
  pair.put('certificate', 'key')
  const gateway = await startGateway(lab, far, {
    address: FAR,
    tcp: [443],
    tls: { ports: [443], ...pair.files },
    proxies: [`${RELAY}/32`],
  })
  const { stdout: listening } = await lab.in(far, ['ss', '-Hltn'])
  lab.expect(listening.trim().split('\n').length === 1, 'the gateway has one listening socket, for TLS and plain streams', listening)
  const scene = { lab, near, far, gateway }

  const dante = await startDante(lab, middle, { address: NEAR, port: 1080, external: DANTE, from: '10.98.1.0/24' })
  await through(scene, `tls:443 via socks5://${NEAR}:1080`, dante, {
    host: FAR,
    from: DANTE,
    says: /connect.*10\.98\.2\.2\.443/,
    isLong: true,
  })
  await dante.stop()

  const haproxy = await startHaproxy(lab, middle, {
    port: 443,
    ways: [
      { at: `${NEAR}:443`, to: `${FAR}:443 source ${RELAY}`, header: 'send-proxy-v2' },
      { at: `${NEAR}:4500`, to: `${FAR}:443 source ${RELAY}`, header: 'send-proxy' },
    ],
  })
  await through(scene, 'tls:443', haproxy, { host: NEAR, from: CLIENT, says: /10\.98\.1\.1:\d+ .* way0/, isLong: true })
  await through(scene, 'tcp:4500', haproxy, { host: NEAR, from: CLIENT, says: /10\.98\.1\.1:\d+ .* way1/ })
  await haproxy.stop()

  const stunnel = await startStunnel(lab, middle, {
    port: 8443,
    services: {
      ends: [
        `accept = ${NEAR}:8443`,
        `connect = ${FAR}:443`,
        `local = ${RELAY}`,
        'protocol = proxy',
        `cert = ${pair.of('certificate')}`,
        `key = ${pair.of('key')}`,
      ],
      begins: [
        'client = yes',
        `accept = ${NEAR}:4501`,
        `connect = ${FAR}:443`,
        `local = ${DANTE}`,
        `CAfile = ${pair.of('certificate')}`,
        'verifyChain = yes',
        `checkHost = ${NAME}`,
      ],
    },
  })
  await through(scene, 'tls:8443', stunnel, {
    host: NEAR,
    from: CLIENT,
    says: /Service \[ends\] connected remote server from 10\.98\.2\.3/,
  })
  await through(scene, 'tcp:4501', stunnel, {
    host: NEAR,
    from: DANTE,
    says: /Service \[begins\] connected remote server from 10\.98\.2\.1/,
  })
  await stunnel.stop()

  await strangers(scene, middle)
  await parameters(scene)
  await renewed(scene, pair, middle)
  await groups(scene)
  await gateway.stop()
}

/** `from`: whom the gateway must say that the connection is from. */
async function through({ lab, near, far, gateway }, transport, relay, { host, from, says, isLong = false }) {
  const label = `client-${transport.replaceAll(/\W+/g, '-').slice(0, 24)}`
  const tls = { ca_file: join(FIXTURES, 'test-only-certificate.pem'), servername: NAME }
  const before = gateway.mark
  const client = startClient(lab, near, { label, gateway: host, transports: [transport], remote: ['10.1.0.0/24'], tls })
  const { ike } = await client.established()
  const opened = await gateway.waitFor('connection-opened', { since: before })
  lab.expect(opened.remote.address === from, `${transport}: the gateway says that the connection is from ${from}`, opened.remote.address)
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1', { from: `the client, ${transport}` })
  if (isLong) await transferBetween(lab, near, far, '10.1.0.1', 20)

  // RFC 9329 §6.1 (T-LIFE-4, T-LIFE-5): the connection goes, the SAs stay.
  const marks = [client.mark, gateway.mark]
  await relay.stop()
  await client.waitFor('reconnecting', { since: marks[0] })
  await relay.start()
  await client.waitFor('connection-opened', { since: marks[0] })
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1', { from: 'the client, after what stands between was started again' })
  const anew = client.events('ike-sa-established', marks[0]).length + gateway.events('ike-sa-established', marks[1]).length
  lab.expect(anew === 0, `it was stopped and started again: IKE SA ${ike.ikeSa} goes on, and no other was made`)
  await until('the log to say so', () => says.test(relay.log), 3_000)
  lab.note(`its log: ${says.exec(relay.log)[0].trim()}`)
  await client.stop()
  await gateway.closed({ since: marks[1] })
}

/** Neither a header from who may not send one, nor none from who must, is answered; each is a line. */
async function strangers({ lab, gateway }, middle) {
  const say = async (source, text) => {
    const since = gateway.mark
    const { stdout } = await lab.in(middle, ['nc', '-N', '-w', '3', '-s', source, FAR, '443'], { input: text })
    return { stdout, since }
  }
  const owed = await say(RELAY, 'IKETCP and more')
  const { text } = await gateway.waitFor('notice', { since: owed.since, matches: (event) => /no PROXY header/.test(event.text) })
  lab.expect(
    owed.stdout === '' && text.includes(RELAY),
    `no header from the relay's address: no answer, and the line "${text}"`,
    owed.stdout,
  )
  const forged = await say(DANTE, 'PROXY TCP4 10.1.2.3 10.98.2.2 1 443\r\nIKETCP')
  const opened = await gateway.waitFor('connection-opened', { since: forged.since })
  lab.expect(forged.stdout === '' && opened.remote.address === DANTE, 'a header from elsewhere is not believed', opened.remote.address)
  const garbage = await say(DANTE, '\x16\x03\x01 and no more TLS than that, and then some')
  const failed = await gateway.waitFor('notice', { since: garbage.since, matches: (event) => /^no TLS with/.test(event.text) })
  lab.expect(failed.text.includes(DANTE), `a failed handshake is a line with address and reason: "${failed.text}"`, failed.text)
}

/** RFC 9325 §4.1, §4.2: what openssl's client may have, and what not. */
async function parameters({ lab, far }) {
  const connect = (...options) =>
    lab.in(far, ['openssl', 's_client', '-connect', `${FAR}:443`, '-servername', NAME, ...options], { input: '' })
  const cipherOf = async (cipher) =>
    /Cipher is (\S+)/.exec((await connect('-tls1_2', '-cipher', `${cipher}:@SECLEVEL=0`)).stdout)?.[1] ?? 'nothing'
  const { stdout: all } = await lab.in(far, ['openssl', 'ciphers', '-s', '-tls1_2', 'ALL:COMPLEMENTOFALL:@SECLEVEL=0'])
  const taken = []
  for (const cipher of all.trim().split(':')) if ((await cipherOf(cipher)) === cipher) taken.push(cipher)
  const good = ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305']
  lab.expect(
    taken.sort().join() === good.join(),
    `openssl s_client: of ${all.split(':').length} suites of TLS 1.2 the gateway takes ${good.join(', ')}`,
    taken.join(),
  )
  for (const old of ['-tls1', '-tls1_1']) {
    const { stdout } = await connect(old, '-cipher', 'ALL:@SECLEVEL=0')
    lab.expect(/Cipher is \(NONE\)/.test(stdout), `openssl s_client: no ${old}`, stdout.slice(0, 300))
  }
  const { stdout } = await connect('-tls1_3')
  lab.expect(
    /No client certificate CA names sent/.test(stdout),
    'RFC 9329 App. B.1: no client certificate is asked for',
    stdout.slice(0, 300),
  )
}

/** The certificate's files are replaced as a renewal does it, first by a pair that does not fit. */
async function renewed({ lab, near, far, gateway }, pair, middle) {
  const client = startClient(lab, near, {
    label: 'client-renewed',
    gateway: FAR,
    transports: [`tls:443 via socks5://${NEAR}:1080`],
    remote: ['10.1.0.0/24'],
    tls: { pin: pair.pinOf('certificate'), servername: NAME },
  })
  const dante = await startDante(lab, middle, { label: 'dante-again', address: NEAR, port: 1080, external: DANTE, from: '10.98.1.0/24' })
  await client.established()
  lab.note('a client that knows the pin of the certificate, and no CA, is up')
  const shown = async () =>
    (await lab.in(far, ['openssl', 's_client', '-connect', `${FAR}:443`], { input: '' })).stdout.match(
      /Server public key is (\d+) bit/,
    )?.[1]
  const since = gateway.mark
  lab.expect((await shown()) === '256', 'the certificate has a key of 256 bits')
  pair.put('rsa-certificate', 'key')
  const { text } = await gateway.waitFor('notice', { since, matches: (event) => /are of no use/.test(event.text) })
  lab.expect((await shown()) === '256', `a pair that does not fit is not taken: "${text.slice(text.lastIndexOf(': ') + 2)}"`)
  pair.put('rsa-certificate', 'rsa-key')
  await gateway.waitFor('notice', { since, matches: (event) => /certificate is another/.test(event.text) })
  lab.expect((await shown()) === '2048', 'the next one is, by new handshakes')
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1', { from: 'the client whose handshake was before' })
  lab.expect(client.events('connection-closed').length === 0, 'its connection stayed')
  await client.stop()
  await dante.stop()
}

/** RFC 9325 §4.4. Of a certificate with an RSA key, which needs no group of its own. */
async function groups({ lab, far }) {
  for (const [group, isGood] of [
    ['X25519', true],
    ['P-256', true],
    ['P-384', true],
    ['secp224r1', false],
    ['P-192', false],
  ]) {
    const options = ['-tls1_2', '-groups', group, '-cipher', 'ALL:@SECLEVEL=0']
    const { stdout } = await lab.in(far, ['openssl', 's_client', '-connect', `${FAR}:443`, ...options], { input: '' })
    const isTaken = !/Cipher is \(NONE\)/.test(stdout) && /Cipher is/.test(stdout)
    lab.expect(isTaken === isGood, `openssl s_client: the group ${group} is ${isGood ? 'taken' : 'refused'}`, stdout.slice(0, 300))
  }
}

/** Files that are replaced by rename. */
function certificateIn(lab) {
  const dir = lab.folder('certificate')
  const files = { cert_file: join(dir, 'fullchain.pem'), key_file: join(dir, 'privkey.pem') }
  const of = (name) => join(FIXTURES, `test-only-${name}.pem`)
  return {
    files,
    of,
    pinOf: (name) => `sha256/${spkiHash(readFileSync(of(name)))}`,
    put(cert, key) {
      for (const [name, file] of [
        [cert, files.cert_file],
        [key, files.key_file],
      ]) {
        copyFileSync(of(name), `${file}.next`)
        renameSync(`${file}.next`, file)
      }
    },
  }
}

function spkiHash(pem) {
  const spki = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('base64')
}
