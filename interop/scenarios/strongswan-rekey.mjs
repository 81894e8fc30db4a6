import { setTimeout as sleep } from 'node:timers/promises'
import { startLoad } from '../lib/load.mjs'
import { SUITES, strongswanInitiator, strongswanResponder } from '../lib/peer-configs.mjs'
import { startStrongswan } from '../lib/strongswan.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title =
  'RFC 7296 §2.8 (C-18, C-24): the IKE SA and the Child SA are rekeyed from each side, with our client and with our gateway, under load and without loss'

const [SUITE] = SUITES
const SECONDS = 24

export async function run(lab) {
  const [near, far] = [await lab.namespace('a'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.0.1/24' }, { namespace: far, device: 'wire', address: '10.98.0.2/24' })
  await lab.innerAddress(far, '10.2.0.1/24')
  await lab.allowOnly(far, 'udp')
  await withOurClient(lab, near, far)
  await withOurGateway(lab, near, far)
}

async function withOurClient(lab, near, far) {
  lab.note('-- our client')
  const swanctlConf = strongswanResponder({ address: '10.98.0.2', suites: [SUITE] })
  const strongswan = await startStrongswan(lab, far, { swanctlConf, label: 'strongswan-responder' })
  const { ike, esp } = SUITE
  const client = startClient(lab, near, { gateway: '10.98.0.2', transports: ['udp'], remote: ['10.2.0.0/24'], ike, esp })
  await client.established()
  await rekeyings(lab, near, far, '10.2.0.1', client, strongswan, { ike: 'road', child: 'net' })
  await client.stop()
  await strongswan.charon.stop(8_000)
}

async function withOurGateway(lab, near, far) {
  lab.note('-- our gateway')
  const { name, ike, esp } = SUITE
  const gateway = await startGateway(lab, far, { address: '10.98.0.2', udp: [500, 4500], ike, esp })
  const swanctlConf = strongswanInitiator({ address: '10.98.0.1', gateway: '10.98.0.2', suites: [SUITE] })
  const strongswan = await startStrongswan(lab, near, { swanctlConf, label: 'strongswan-initiator' })
  await strongswan.swanctl('--initiate', '--child', `net-${name}`)
  await rekeyings(lab, near, far, '10.1.0.1', gateway, strongswan, { ike: `up-${name}`, child: `net-${name}` })
  await gateway.stop()
}

async function rekeyings(lab, near, far, address, app, strongswan, names) {
  const load = await startLoad(lab, near, address, {
    seconds: SECONDS,
    serve: (argv) => lab.backgroundIn(far, `iperf3-${address}`, argv),
    isListening: async () => (await lab.in(far, ['ss', '-Hltn', 'sport = :5201'])).stdout.includes(':5201'),
  })
  await sleep(2_000)
  await rekeyed(lab, app, strongswan, 'child-sa', 'us', () => app.rekey('child'))
  await rekeyed(lab, app, strongswan, 'ike-sa', 'us', () => app.rekey('ike'))
  await rekeyed(lab, app, strongswan, 'child-sa', 'peer', () => strongswan.swanctl('--rekey', '--child', names.child))
  await rekeyed(lab, app, strongswan, 'ike-sa', 'peer', () => strongswan.swanctl('--rekey', '--ike', names.ike))
  // What a series of both roles does, once more.
  await rekeyed(lab, app, strongswan, 'child-sa', 'us', () => app.rekey('child'))
  await rekeyed(lab, app, strongswan, 'ike-sa', 'us', () => app.rekey('ike'))
  const { packets, lost } = await load.end()
  lab.expect(packets > 8_000 && lost === 0, `iperf3, both ways: ${lost} of ${packets} inner datagrams lost`)
  await expectOneOfEach(lab, app, strongswan)
}

/** Charon's own words for each. */
const SAID = {
  'ike-sa': /IKE_SA [\w.-]+\[\d+\] rekeyed between [^\n]*|IKE_SA \S+ rekeyed [^\n]*/,
  'child-sa': /(?:inbound |outbound )?CHILD_SA [\w.-]+\{\d+\} established with SPIs [^\n]*/,
}

async function rekeyed(lab, app, strongswan, what, by, begin) {
  const [since, logged] = [app.mark, strongswan.log().length]
  await begin()
  const event = await app.waitFor(`${what}-rekeyed`, { since, matches: (candidate) => candidate.by === by })
  const said = await strongswan.waitForLog(SAID[what], { since: logged })
  lab.note(`${what} rekeyed by ${event.by === 'us' ? 'us' : 'strongSwan'}; charon: ${said}`)
  const request = new RegExp(
    by === 'us' ? 'parsed CREATE_CHILD_SA request \\d+ \\[ [^\\n]*\\]' : 'generating CREATE_CHILD_SA request \\d+ \\[ [^\\n]*\\]',
  )
  lab.note(`charon: ${await strongswan.waitForLog(request, { since: logged })}`)
  await sleep(1_500)
}

/** The two ends agree on what is there. */
async function expectOneOfEach(lab, app, strongswan) {
  const { ikeSas } = (await app.status()).session
  const { text, ikeSpis, espSpis } = await strongswan.sa()
  const [sa] = ikeSas
  lab.expect(ikeSas.length === 1 && sa.children.length === 1, `status: ${ikeSas.length} IKE SA, ${sa?.children.length} Child SA`)
  const [child] = sa.children
  lab.expect(
    ikeSpis === `${sa.initiatorSpi}_i ${sa.responderSpi}_r` && [child.inboundSpi, child.outboundSpi].every((spi) => espSpis.includes(spi)),
    `swanctl --list-sas has the same SPIs: IKE ${ikeSpis}, ESP ${espSpis.join(' and ')}`,
    text,
  )
  lab.expect(app.events('ike-sa-established').length === 1, 'one IKE_AUTH from the beginning to the end')
  lab.expect(app.events('rekey-failed').length === 0, 'nothing was refused')
}
