import { SUITES, strongswanInitiator, strongswanResponder } from '../lib/peer-configs.mjs'
import { startStrongswan } from '../lib/strongswan.mjs'
import { hundredPings } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title =
  'a post-quantum preshared key (RFC 8784) with strongSwan over UDP, both roles: required, and optional where one end has none'

const PPK = { id: 'laboratory', psk: 'a-second-secret-of-the-laboratory-of-48-octets-l', required: true }
const OPTIONAL = { ...PPK, required: false }

export async function run(lab) {
  const [near, far] = [await lab.namespace('a'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.0.1/24' }, { namespace: far, device: 'wire', address: '10.98.0.2/24' })
  await lab.innerAddress(far, '10.2.0.1/24')
  await weInitiate(lab, near, far, { label: 'we-require', ours: PPK, theirs: PPK })
  await weInitiate(lab, near, far, { label: 'they-have-none', ours: OPTIONAL, theirs: undefined })
  await theyInitiate(lab, near, far, { label: 'they-require', ours: PPK, theirs: PPK })
  await theyInitiate(lab, near, far, { label: 'we-have-none', ours: undefined, theirs: OPTIONAL })
}

async function weInitiate(lab, near, far, { label, ours, theirs }) {
  lab.note(`-- our client: ${label}`)
  const swanctlConf = strongswanResponder({ address: '10.98.0.2', ppk: theirs })
  const strongswan = await startStrongswan(lab, far, { swanctlConf, label: `responder-${label}` })
  const client = startClient(lab, near, {
    label: `client-${label}`,
    gateway: '10.98.0.2',
    transports: ['udp'],
    remote: ['10.2.0.0/24'],
    ppk: ours,
  })
  await client.established()
  await expectPpk(lab, strongswan, ours && theirs)
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.2.0.1')
  await client.stop()
  await strongswan.charon.stop()
}

async function theyInitiate(lab, near, far, { label, ours, theirs }) {
  lab.note(`-- our gateway: ${label}`)
  const swanctlConf = strongswanInitiator({ address: '10.98.0.1', gateway: '10.98.0.2', ppk: theirs })
  const strongswan = await startStrongswan(lab, near, { swanctlConf, label: `initiator-${label}` })
  const gateway = await startGateway(lab, far, { label: `gateway-${label}`, address: '10.98.0.2', udp: [500, 4500], ppk: ours })
  await strongswan.swanctl('--initiate', '--child', `net-${SUITES[0].name}`)
  await expectPpk(lab, strongswan, ours && theirs)
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1')
  await gateway.stop()
  await strongswan.charon.stop()
}

/** charon says of each IKE SA whether it has one: in its log, and with "PPK" behind the suite in `swanctl --list-sas`. */
async function expectPpk(lab, strongswan, isUsed) {
  const { text } = await strongswan.sa()
  const ike = text.match(/^\s+\S+\/PRF_\S+$/m)?.[0].trim()
  lab.expect(ike?.endsWith('/PPK') === Boolean(isUsed), `swanctl --list-sas: ${ike}`, text)
}
