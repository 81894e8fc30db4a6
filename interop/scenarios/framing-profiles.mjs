import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { repository } from '../lib/lab.mjs'
import { CLIENT_ID, GATEWAY_ID, SECRET } from '../lib/peer-configs.mjs'
import { PLAIN_LOGIN, startTinyproxy } from '../lib/proxies.mjs'
import { hundredPings, transferBetween } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title = 'the framings pauly-03, also with two IKE SAs on one connection, and 3gpp-ftt, in TLS by way of tinyproxy'

const FIXTURES = join(repository, 'packages/tls-transport/test/fixtures')
const CERTIFICATE = join(FIXTURES, 'test-only-certificate.pem')
const SEVERAL_SAS = fileURLToPath(new URL('../prober/several-sas.mjs', import.meta.url))
const NEAR = '10.98.1.2'
const FAR = '10.98.2.2'
const INSIDE = '10.1.0.1'
const OTHER_ID = '@other.underpass.example'
const FTT_KAT = 2

export async function run(lab) {
  const [near, middle, far] = [await lab.namespace('a'), await lab.namespace('m'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.1.1/24' }, { namespace: middle, device: 'near', address: `${NEAR}/24` })
  await lab.link({ namespace: middle, device: 'far', address: '10.98.2.1/24' }, { namespace: far, device: 'wire', address: `${FAR}/24` })
  const gateway = await startGateway(lab, far, {
    address: FAR,
    ids: [CLIENT_ID, OTHER_ID],
    tcp: [{ port: 4500, framing: 'pauly-03' }],
    tls: { ports: [{ port: 443, framing: '3gpp-ftt' }], cert_file: CERTIFICATE, key_file: join(FIXTURES, 'test-only-key.pem') },
    timers: { ftt_keepalive: `${FTT_KAT}s` },
  })
  await pauly(lab, { middle, far, gateway })
  await severalSas(lab, { middle, gateway })
  await firewallTraversalTunnel(lab, { near, middle, far, gateway })
  await gateway.stop()
}

/** draft-pauly-ipsecme-tcp-encaps-03 between both programs; a capture says what the stream looks like. */
async function pauly(lab, { middle, far, gateway }) {
  const capture = lab.backgroundIn(far, 'tcpdump', ['tcpdump', '-ni', 'wire', '-xxltc', '4', 'tcp dst port 4500 and greater 100'])
  await capture.waitForLine(/listening on/)
  const transports = [{ transport: 'tcp', port: 4500, framing: 'pauly-03' }]
  const client = startClient(lab, middle, { gateway: FAR, transports, remote: ['10.1.0.0/24'] })
  const { ike } = await client.established()
  lab.expect(ike.path.framing === 'pauly-03', `pauly-03 to ${ike.path.remote.address} port ${ike.path.remote.port}`)
  const first = firstPayload(await linesOf(capture))
  const length = first.readUInt32BE(0)
  lab.expect(
    length === first.length && first.readUInt32BE(4) === 0,
    `on the wire: a Length of 32 bits, ${length}, the Non-ESP marker, no prefix`,
    first.toString('hex'),
  )
  await hundredPings(lab, (argv) => lab.in(middle, argv), INSIDE, { from: 'the client, pauly-03' })
  await transferBetween(lab, middle, far, INSIDE, 20)
  const mark = gateway.mark
  await client.stop()
  await gateway.closed({ since: mark })
  const { reason } = await gateway.waitFor('connection-closed', { since: mark })
  lab.expect(reason === 'closed by the other end', 'with its IKE SA deleted the client closes TCP', reason)
}

async function severalSas(lab, { middle, gateway }) {
  const mark = gateway.mark
  const argv = [
    process.execPath,
    SEVERAL_SAS,
    '--host',
    FAR,
    '--secret',
    SECRET,
    '--peer-id',
    GATEWAY_ID,
    '--inner',
    INSIDE,
    CLIENT_ID,
    OTHER_ID,
  ]
  const { code, stdout, stderr } = await lab.in(middle, argv)
  for (const line of stdout.split('\n').filter((one) => one !== '')) lab.note(`prober: ${line}`)
  lab.expect(code === 0, 'prober: all of it as expected', `exit ${code}: ${stdout}${stderr}`)
  const ports = gateway.events('ike-sa-established', mark).map(({ path }) => path.remote.port)
  lab.expect(ports.length === 2 && ports[0] === ports[1], `our gateway: two IKE SAs from port ${ports[0]}`, ports.join())
}

/** TS 24.302 annex F, "type II": HTTP CONNECT, TLS on 443, then IKEv2 and ESP in envelopes; kept open while nothing is sent. */
async function firewallTraversalTunnel(lab, { near, middle, far, gateway }) {
  const direct = await lab.in(near, ['ip', 'route', 'get', FAR])
  lab.expect(direct.code !== 0, 'there is no way from this client to the gateway but by the proxy', direct.stdout.trim())
  const proxy = await startTinyproxy(lab, middle, { address: NEAR, port: 8888 })
  const transports = [{ transport: 'tls', port: 443, framing: '3gpp-ftt', via: `http://${PLAIN_LOGIN}@${NEAR}:8888` }]
  const client = startClient(lab, near, {
    label: 'client-ftt',
    gateway: FAR,
    transports,
    remote: ['10.1.0.0/24'],
    tls: { ca_file: CERTIFICATE, servername: 'gateway.test' },
  })
  const { ike } = await client.established()
  lab.expect(ike.path.framing === '3gpp-ftt', '3gpp-ftt, in TLS by way of tinyproxy')
  const says = new RegExp(`Established connection to host "${FAR}"`)
  lab.expect(says.test(proxy.log), `the proxy's log: ${says.exec(proxy.log)?.[0]}`, proxy.log)
  await hundredPings(lab, (argv) => lab.in(near, argv), INSIDE, { from: 'the client, 3gpp-ftt' })
  await transferBetween(lab, near, far, INSIDE, 20)

  // What the kernel counts of the gateway's connection while nobody has anything to say.
  await sleep(1_000)
  const before = await octetsOf(lab, far)
  const seconds = 7
  await sleep(seconds * 1_000)
  const after = await octetsOf(lab, far)
  const received = after.received - before.received
  const count = received / KEEPALIVE_RECORD
  lab.expect(
    Number.isInteger(count) && count >= 3 && count <= 4 && after.sent === before.sent,
    `in ${seconds} s of silence the client sent ${count} keep-alives of ${KEEPALIVE_RECORD} octets, as FTT_KAT = ${FTT_KAT} s has it, and the gateway nothing`,
    `${received} octets received, ${after.sent - before.sent} sent`,
  )
  await hundredPings(lab, (argv) => lab.in(near, argv), INSIDE, { from: 'the client, after the silence' })
  const mark = gateway.mark
  await client.stop()
  await gateway.closed({ since: mark })
}

/** `00 03 ff` in a record of TLS 1.3: header, content type and tag (RFC 8446 §5.2). */
const KEEPALIVE_RECORD = 3 + 5 + 1 + 16

async function octetsOf(lab, namespace) {
  const { stdout } = await lab.in(namespace, ['ss', '-Htin', 'state', 'established', 'sport = :443'])
  const [received, sent] = [/bytes_received:(\d+)/, /bytes_sent:(\d+)/].map((one) => Number(one.exec(stdout)?.[1]))
  return { received, sent }
}

/** Until tcpdump has seen a whole packet. */
async function linesOf(capture) {
  await capture.waitForLine(/0x0040:/)
  await sleep(200)
  return capture.lines
}

/** Of the first packet that tcpdump -xx printed: what TCP carries. */
function firstPayload(lines) {
  const start = lines.findIndex((line) => /0x0000:/.test(line))
  const hex = []
  for (const line of lines.slice(start)) {
    const octets = /^\s+0x[0-9a-f]{4}: {2}([0-9a-f ]+)$/.exec(line)?.[1]
    if (octets === undefined || (hex.length > 0 && /0x0000:/.test(line))) break
    hex.push(octets.replaceAll(' ', ''))
  }
  const frame = Buffer.from(hex.join(''), 'hex')
  const ip = frame.subarray(14, 14 + frame.readUInt16BE(16))
  const tcp = ip.subarray((ip[0] & 15) * 4)
  return tcp.subarray((tcp[12] >> 4) * 4)
}
