import { fileURLToPath } from 'node:url'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title = 'our gateway is killed and started again: the client knows by its token (RFC 6290), and a connection inside goes on'

const LONG_FLOW = fileURLToPath(new URL('../lib/long-flow.mjs', import.meta.url))
const NEAR = '10.98.1.1'
const FAR = '10.98.1.2'
/** Not the gateway's own, which dies with its device. */
const SERVER = '10.1.0.9'

export async function run(lab) {
  const [near, far] = [await lab.namespace('a'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: `${NEAR}/24` }, { namespace: far, device: 'wire', address: `${FAR}/24` })
  await lab.mustIn(far, ['ip', 'address', 'add', `${SERVER}/32`, 'dev', 'lo'])
  for (const transport of ['tcp:4500', 'udp']) await restart(lab, { near, far }, transport)
}

async function restart(lab, { near, far }, transport) {
  const label = transport.slice(0, 3)
  const start = () => startGateway(lab, far, { label: `gateway-${label}`, address: FAR, udp: [500, 4500], tcp: [4500] })
  const killed = await start()
  const client = startClient(lab, near, { label: `client-${label}`, gateway: FAR, transports: [transport], remote: ['10.1.0.0/24'] })
  const before = await client.established()
  const [sink, source] = [
    lab.backgroundIn(far, `sink-${label}`, [process.execPath, LONG_FLOW, 'count', SERVER, '6100']),
    () => lab.backgroundIn(near, `source-${label}`, [process.execPath, LONG_FLOW, 'send', SERVER, '6100']),
  ]
  await sink.waitForLine(/LISTENING/)
  const flow = source()
  await flow.waitForLine(/CONNECTED/)
  const since = client.mark
  const { pid } = await killed.status()
  await lab.mustIn(far, ['kill', '-KILL', String(pid)])
  await killed.background.exited
  const gateway = await start()
  const after = await client.established({ since })
  const { counters } = (await client.status()).session
  lab.expect(
    counters['ike-crashes-proved'] === 1,
    `${transport}: the gateway's token says that it has lost the IKE SA`,
    JSON.stringify(counters),
  )
  lab.expect(
    after.ike.ikeSa !== before.ike.ikeSa && after.address === before.address,
    `${transport}: another IKE SA, the same inner address ${after.address}`,
  )
  await flow.stop(10_000)
  const { octets, wrong } = JSON.parse(await sink.waitForLine(/octets/, 20_000))
  const { sent } = JSON.parse(flow.lines.findLast((line) => line.startsWith('{')) ?? '{}')
  lab.expect(
    octets === sent && wrong === 0,
    `${transport}: ${(octets / 1e6).toFixed(1)} MB of one TCP connection inside came, each octet right`,
  )
  await client.stop()
  await gateway.stop()
}
