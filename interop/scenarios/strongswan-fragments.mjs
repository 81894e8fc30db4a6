import { SUITES, strongswanInitiator, strongswanResponder } from '../lib/peer-configs.mjs'
import { startStrongswan } from '../lib/strongswan.mjs'
import { hundredPings } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title =
  'IKE fragmentation with strongSwan over UDP, both roles and both ways, of datagrams of 260 octets; our default offer, with ML-KEM in it, falls back'

/** Octets of an IP datagram. */
const SMALL = 260

export async function run(lab) {
  const [near, far] = [await lab.namespace('a'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.0.1/24' }, { namespace: far, device: 'wire', address: '10.98.0.2/24' })
  await lab.innerAddress(far, '10.2.0.1/24')
  await weInitiate(lab, near, far)
  await theyInitiate(lab, near, far)
}

async function weInitiate(lab, near, far) {
  lab.note('-- our client')
  const swanctlConf = strongswanResponder({ address: '10.98.0.2' })
  const strongswan = await startStrongswan(lab, far, { swanctlConf, label: 'responder', fragmentSize: SMALL })
  const limits = { max_ike_datagram_ipv4: SMALL }
  const client = startClient(lab, near, { gateway: '10.98.0.2', transports: ['udp'], remote: ['10.2.0.0/24'], limits })
  await client.established()
  await expectFragments(lab, strongswan)
  const { ike } = await strongswan.sa()
  lab.expect(ike === 'AES_GCM_16-256/PRF_HMAC_SHA2_256/CURVE_25519', `swanctl --list-sas: ${ike}, of an offer that begins with ML-KEM`)
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.2.0.1')
  await client.stop()
  await strongswan.charon.stop()
}

async function theyInitiate(lab, near, far) {
  lab.note('-- our gateway')
  const swanctlConf = strongswanInitiator({ address: '10.98.0.1', gateway: '10.98.0.2' })
  const strongswan = await startStrongswan(lab, near, { swanctlConf, label: 'initiator', fragmentSize: SMALL })
  const limits = { max_ike_datagram_ipv4: SMALL }
  const gateway = await startGateway(lab, far, { address: '10.98.0.2', udp: [500, 4500], limits })
  await strongswan.swanctl('--initiate', '--child', `net-${SUITES[0].name}`)
  await expectFragments(lab, strongswan)
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1')
  await gateway.stop()
}

/** What charon's log says of IKE_AUTH, sent and received. */
async function expectFragments(lab, strongswan) {
  const sent = await strongswan.waitForLog(/splitting IKE message[^\n]*into (\d+) fragments/)
  lab.note(`charon: ${sent}`)
  lab.note(`charon: ${await strongswan.waitForLog(/received fragment #\d+ of \d+, reassembled fragmented IKE message[^\n]*/)}`)
}
