import { copyFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { makeCertificates } from '../lib/certificates.mjs'
import { startFreeradius } from '../lib/freeradius.mjs'
import { startStrongswan } from '../lib/strongswan.mjs'
import { hundredPings } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title =
  'RFC 3579 §2, RFC 7296 §2.16 (C-23): our gateway asks FreeRADIUS who a user is: strongSwan and our client by EAP-MSCHAPv2, strongSwan by EAP-TLS, with our signature and without (RFC 5998)'

const SECRET = 'a-secret-of-nas-and-server-of-40-octets-'
const USERS = { anna: { password: 'the-word-of-anna', address: '10.9.0.77', seconds: 3600 } }
const SUITE = { ike: 'aes256gcm16-prfsha256-x25519', esp: 'aes256gcm16' }

export async function run(lab) {
  const [near, far, aaa] = [await lab.namespace('a'), await lab.namespace('b'), await lab.namespace('c')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.0.1/24' }, { namespace: far, device: 'wire', address: '10.98.0.2/24' })
  await lab.link({ namespace: far, device: 'aaa', address: '10.97.0.2/24' }, { namespace: aaa, device: 'aaa', address: '10.97.0.3/24' })
  const { ecdsa } = await makeCertificates(lab, ['ecdsa'])
  const server = await startFreeradius(lab, aaa, {
    address: '10.97.0.3',
    secret: SECRET,
    client: '10.97.0.2',
    users: USERS,
    certificates: ecdsa,
  })
  const gateway = await serve(lab, far, ecdsa)
  const strongswan = await startStrongswan(lab, near, { swanctlConf: configuration(ecdsa), prepare: (folder) => install(folder, ecdsa) })
  await comesIn(lab, near, { gateway, strongswan, server }, { name: 'mschapv2', method: 'EAP_MSCHAPV2', user: 'anna' })
  await comesIn(lab, near, { gateway, strongswan, server }, { name: 'tls', method: 'EAP_TLS', user: ecdsa.client.id.slice(1) })
  await isRefused(lab, { gateway, strongswan, server })
  await ourClient(lab, near, gateway, server, ecdsa)
  await gateway.stop()
  const unsigned = await serve(lab, far, ecdsa, { label: 'gateway-only', auth: 'eap', certificate: undefined, key: undefined })
  await comesIn(
    lab,
    near,
    { gateway: unsigned, strongswan, server },
    { name: 'only', method: 'EAP_TLS', user: ecdsa.client.id.slice(1), isEapOnly: true },
  )
}

/** `differs`: keys of the connection. */
function serve(lab, far, { gateway }, { label = 'gateway', ...differs } = {}) {
  return startGateway(lab, far, {
    label,
    address: '10.98.0.2',
    udp: [500, 4500],
    ...SUITE,
    auth: {
      local_id: gateway.id,
      auth: 'certificate',
      certificate: gateway.chain,
      key: gateway.key,
      remote_auth: 'eap',
      remote_id: 'any',
      eap: { radius: true },
      psk: undefined,
      ...differs,
    },
    // The first answers nobody: the next is asked.
    radius: [
      { address: '10.97.0.4', psk: SECRET },
      { address: '10.97.0.3', psk: SECRET },
    ],
  })
}

async function comesIn(lab, near, { gateway, strongswan, server }, { name, method, user, isEapOnly = false }) {
  const [mark, since, asked] = [gateway.mark, strongswan.log().length, server.lines.length]
  await strongswan.swanctl('--initiate', '--child', `net-${name}`)
  const { ike, address } = await gateway.established({ since: mark })
  if (user in USERS) lab.expect(address === USERS[user].address, `our gateway: Framed-IP-Address ${address}`)
  lab.expect(ike.eapIdentity === user, `our gateway: ${ike.remoteId} is ${ike.eapIdentity} by EAP`)
  lab.note(`charon: ${await strongswan.waitForLog(new RegExp(`EAP method ${method} succeeded, MSK established`), { since })}`)
  lab.note(`charon: ${await strongswan.waitForLog(/authentication of '[^\n]*' with EAP successful/, { since })}`)
  const byAuth = /authentication of '[^\n]*' with (?!EAP)[^\n]* successful/.test(strongswan.log().slice(since))
  lab.expect(byAuth !== isEapOnly, `charon, of a signature of our gateway: ${byAuth ? 'verified' : 'none (RFC 5998)'}`)
  const accepted = server.lines.slice(asked).find((line) => /Sent Access-Accept/.test(line))
  lab.expect(accepted !== undefined, `FreeRADIUS: ${accepted}`)
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1')
  await strongswan.swanctl('--terminate', '--ike', `up-${name}`)
}

async function isRefused(lab, { gateway, strongswan, server }) {
  const [mark, since, asked] = [gateway.mark, strongswan.log().length, server.lines.length]
  await strongswan.try('--initiate', '--child', 'net-wrong', '--timeout', '8')
  const { detail } = await gateway.waitFor('authentication-failed', { since: mark })
  lab.expect(/EAP failed: the RADIUS server rejects/.test(detail), `our gateway: ${detail}`)
  const rejected = server.lines.slice(asked).find((line) => /Sent Access-Reject/.test(line))
  lab.expect(rejected !== undefined, `FreeRADIUS: ${rejected}`)
  lab.note(
    `charon: ${await strongswan.waitForLog(/EAP_MSCHAPV2 failed[^\n]*|received EAP_FAILURE[^\n]*|EAP authentication failed[^\n]*/, { since })}`,
  )
}

async function ourClient(lab, near, gateway, server, { root, gateway: theirs }) {
  const [mark, asked] = [gateway.mark, server.lines.length]
  const client = startClient(lab, near, {
    gateway: '10.98.0.2',
    transports: ['udp'],
    remote: ['10.1.0.0/24'],
    ...SUITE,
    auth: {
      remote_id: theirs.id,
      auth: 'eap',
      eap: { method: 'mschapv2', identity: 'anna', password: USERS.anna.password },
      ca: [root],
      psk: undefined,
    },
  })
  await client.established()
  const { ike } = await gateway.established({ since: mark })
  lab.expect(ike.eapIdentity === 'anna', `our gateway, of our client: ${ike.remoteId} is ${ike.eapIdentity} by EAP`)
  const accepted = server.lines.slice(asked).find((line) => /Sent Access-Accept/.test(line))
  lab.expect(accepted !== undefined, `FreeRADIUS: ${accepted}`)
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1')
  await client.stop()
}

function install(folder, { root, intermediate, client }) {
  for (const ca of [root, intermediate]) copyFileSync(ca, join(folder, 'x509ca', basename(ca)))
  copyFileSync(client.certificate, join(folder, 'x509', basename(client.certificate)))
  copyFileSync(client.key, join(folder, 'private', basename(client.key)))
}

function configuration({ root, gateway, client }) {
  const bySignature = `      auth = pubkey
      cacerts = ${basename(root)}`
  const byCertificate = `      auth = eap-tls
      certs = ${basename(client.certificate)}
      id = ${client.id}
      eap_id = ${client.id.slice(1)}`
  const connection = (name, local, remote = bySignature) => `  up-${name} {
    version = 2
    encap = yes
    local_addrs = 10.98.0.1
    remote_addrs = 10.98.0.2
    proposals = ${SUITE.ike}
    vips = 0.0.0.0
    local {
${local}
    }
    remote {
${remote}
      id = ${gateway.id}
    }
    children {
      net-${name} {
        remote_ts = 10.1.0.0/24
        esp_proposals = ${SUITE.esp}
      }
    }
  }
`
  const byPassword = (user) => `      auth = eap-mschapv2\n      id = ${user}@phones.example\n      eap_id = ${user}`
  return `connections {
${connection('mschapv2', byPassword('anna'))}
${connection('wrong', byPassword('bert'))}
${connection('tls', byCertificate)}
${connection('only', byCertificate, '      auth = eap-tls')}
}
secrets {
  eap-anna {
    id = anna
    secret = "${USERS.anna.password}"
  }
  eap-bert {
    id = bert
    secret = "not known to the server"
  }
}
`
}
