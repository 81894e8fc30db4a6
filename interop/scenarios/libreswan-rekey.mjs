import { setTimeout as sleep } from 'node:timers/promises'
import { expectNothingDropped } from '../lib/firewall.mjs'
import { startLibreswan } from '../lib/libreswan.mjs'
import { expectEspInTcp, expectNoDatagrams, initiate } from '../lib/libreswan-evidence.mjs'
import { CLIENT_ID, libreswanInitiator, libreswanResponder } from '../lib/peer-configs.mjs'
import { startEchoFlow } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title =
  'RFC 9329 §6.1 (T-ROLE-1, T-LIFE-10): over one TCP connection the IKE SA and the Child SA are rekeyed from each side, with our client and with our gateway, under load and without loss'

/** Two guests, one after the other. */
export const seconds = 300

const PINGS = 1_600
const EVERY = 0.02

export async function run(lab) {
  await withOurClient(lab)
  await withOurGateway(lab)
}

async function withOurClient(lab) {
  lab.note('-- our client')
  const namespace = await lab.namespace('a')
  const clients = [{ name: 'road', id: CLIENT_ID, pool: '10.8.0.10-10.8.0.20' }]
  const libreswan = await startLibreswan(lab, namespace, { ...libreswanResponder({ clients }), label: 'responder' })
  await lab.allowOnly(namespace, 'tcp')
  const client = startClient(lab, namespace, { gateway: '10.99.0.2', transports: ['tcp:4500'], remote: ['10.2.0.0/24'] })
  await client.established()
  await expectEspInTcp(lab, libreswan, 'server')
  await rekeyings(lab, libreswan, client, { namespace, address: '10.2.0.1' })
  lab.expect(client.events('connection-opened').length === 1, 'our client opened one TCP connection')
  await client.stop()
  await expectNothingDropped(lab, namespace)
  await expectNoDatagrams(lab, libreswan)
}

async function withOurGateway(lab) {
  lab.note('-- our gateway')
  const namespace = await lab.namespace('b')
  const libreswan = await startLibreswan(lab, namespace, {
    ...libreswanInitiator({ dpddelay: '30s', dpdtimeout: '120s' }),
    label: 'libreswan-initiator',
  })
  await lab.allowOnly(namespace, 'tcp')
  const gateway = await startGateway(lab, namespace, { address: '10.99.0.1', tcp: [4500] })
  const address = await initiate(lab, libreswan, gateway)
  await expectEspInTcp(lab, libreswan, 'client')
  await rekeyings(lab, libreswan, gateway, { namespace, address })
  lab.expect(gateway.events('connection-opened').length === 1, 'our gateway accepted one TCP connection')
  await gateway.stop()
  await expectNothingDropped(lab, namespace)
  await expectNoDatagrams(lab, libreswan)
}

async function rekeyings(lab, libreswan, app, { namespace, address }) {
  const name = app.isClient ? 'road' : 'up'
  await libreswan.serveEcho()
  const flow = await startEchoFlow(lab, namespace, address, { label: `flow-${name}` })
  const pings = pingAllTheTime(lab, namespace, address)
  await sleep(2_000)
  await rekeyed(lab, app, libreswan, 'child-sa', 'us', () => app.rekey('child'))
  await rekeyed(lab, app, libreswan, 'ike-sa', 'us', () => app.rekey('ike'))
  await rekeyed(lab, app, libreswan, 'child-sa', 'peer', () => libreswan.whack(`--rekey-ipsec --name ${name}`))
  await rekeyed(lab, app, libreswan, 'ike-sa', 'peer', () => libreswan.whack(`--rekey-ike --name ${name}`))
  await rekeyed(lab, app, libreswan, 'child-sa', 'us', () => app.rekey('child'))
  await rekeyed(lab, app, libreswan, 'ike-sa', 'us', () => app.rekey('ike'))
  const { sent, received } = await pings
  lab.expect(sent === PINGS && received === sent, `${received} of ${sent} pings from us to ${address}, in step with all of it`)
  await flow.end('meanwhile')
  await sleep(8_000)
  await expectOneOfEach(lab, app, libreswan)
}

/** None of them is repeated: each that does not come back was lost. */
async function pingAllTheTime(lab, namespace, address) {
  const argv = ['ping', '-n', '-q', '-i', String(EVERY), '-c', String(PINGS), '-W', '10', address]
  const { stdout } = await lab.in(namespace, argv, { timeout: 120_000 })
  const [, sent, received] = stdout.match(/(\d+) packets transmitted, (\d+) received/) ?? []
  return { sent: Number(sent), received: Number(received) }
}

async function rekeyed(lab, app, libreswan, what, by, begin) {
  const [since, logged] = [app.mark, libreswan.log().length]
  const said = await begin()
  const event = await app.waitFor(`${what}-rekeyed`, { since, matches: (candidate) => candidate.by === by }).catch((error) => {
    throw new Error(`${error.message}; whack: ${said}; pluto: ${libreswan.log().slice(logged)}`)
  })
  await sleep(3_000)
  const lines = libreswan
    .log()
    .slice(logged)
    .split('\n')
    .filter((line) => /rekey|established/i.test(line))
  lab.note(
    `${what} rekeyed by ${event.by === 'us' ? 'us' : 'Libreswan'}; pluto: ${lines.map((line) => line.replace(/^.*?: /, '')).join(' | ')}`,
  )
}

/** The two ends agree on what is there. */
async function expectOneOfEach(lab, app, libreswan) {
  const { ikeSas } = (await app.status()).session
  const [sa] = ikeSas
  lab.expect(ikeSas.length === 1 && sa.children.length === 1, `status: ${ikeSas.length} IKE SA, ${sa?.children.length} Child SA`)
  const [child] = sa.children
  const spis = (await libreswan.xfrmStates()).map(({ spi }) => spi)
  lab.expect(
    spis.length === 2 && [child.inboundSpi, child.outboundSpi].every((spi) => spis.includes(spi)),
    `ip xfrm state in the guest has the same SPIs: ${spis.join(' and ')}`,
    JSON.stringify(child),
  )
  lab.expect(app.events('ike-sa-established').length === 1, 'one IKE_AUTH from the beginning to the end')
}
