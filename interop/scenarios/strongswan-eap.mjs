import { copyFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { makeCertificates } from '../lib/certificates.mjs'
import { startStrongswan } from '../lib/strongswan.mjs'
import { hundredPings } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title =
  'RFC 7296 §2.16 (C-23): EAP-MSCHAPv2 with strongSwan over UDP, both roles; a wrong password; EAP-MD5, which makes no key'

const PASSWORD = 'the word of anna'
const SUITE = { ike: 'aes256gcm16-prfsha256-x25519', esp: 'aes256gcm16' }
const METHODS = [
  { method: 'mschapv2', plugin: 'eap-mschapv2', shown: /EAP method EAP_MSCHAPV2 succeeded, MSK established/ },
  { method: 'md5', plugin: 'eap-md5', shown: /EAP method EAP_MD5 succeeded, no MSK established/, keyless: true },
]

export async function run(lab) {
  const [near, far] = [await lab.namespace('a'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.0.1/24' }, { namespace: far, device: 'wire', address: '10.98.0.2/24' })
  await lab.innerAddress(far, '10.2.0.1/24')
  const { ecdsa } = await makeCertificates(lab, ['ecdsa'])
  const strongswan = await startStrongswan(lab, far, { swanctlConf: configuration(ecdsa), prepare: (folder) => install(folder, ecdsa) })
  for (const one of METHODS) {
    await weInitiate(lab, near, strongswan, ecdsa, one)
    await theyInitiate(lab, { near, far }, strongswan, ecdsa, one)
  }
  await wrongPassword(lab, near, strongswan, ecdsa)
}

function client(lab, near, { root, gateway }, { method, keyless }, password = PASSWORD, label = `client-${method}`) {
  return startClient(lab, near, {
    label,
    gateway: '10.98.0.2',
    transports: ['udp'],
    remote: ['10.2.0.0/24'],
    ...SUITE,
    auth: {
      // charon's connections are told apart by it.
      local_id: `${method}@phones.example`,
      remote_id: gateway.id,
      auth: 'eap',
      eap: { method, identity: 'anna', password, ...(keyless && { keyless }) },
      ca: [root],
      psk: undefined,
    },
  })
}

async function weInitiate(lab, near, strongswan, made, one) {
  const since = strongswan.log().length
  const app = client(lab, near, made, one)
  await app.established()
  lab.note(`charon: ${await strongswan.waitForLog(one.shown, { since })}`)
  lab.note(`charon: ${await strongswan.waitForLog(/authentication of '[^\n]*phones[^\n]*' with EAP successful/, { since })}`)
  const { text } = await strongswan.sa()
  lab.expect(/EAP: 'anna'/.test(text), `swanctl --list-sas: ${text.match(/^\s+remote [^\n]*/m)?.[0].trim()}`, text)
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.2.0.1')
  await app.stop()
  await strongswan.waitForLog(/received DELETE for IKE_SA/, { since })
}

async function theyInitiate(lab, { near, far }, strongswan, { gateway }, { method, shown, keyless }) {
  const since = strongswan.log().length
  const users = join(lab.folder('users'), 'users.toml')
  writeFileSync(users, `[[user]]\nname = "anna"\npassword = "${PASSWORD}"\n`, { mode: 0o600 })
  const app = await startGateway(lab, near, {
    label: `gateway-${method}`,
    address: '10.98.0.1',
    udp: [500, 4500],
    ...SUITE,
    auth: {
      local_id: gateway.id,
      remote_id: 'any',
      auth: 'certificate',
      certificate: gateway.chain,
      key: gateway.key,
      remote_auth: 'eap',
      eap: { methods: [method], users_file: users, ...(keyless && { keyless }) },
      psk: undefined,
    },
  })
  await strongswan.swanctl('--initiate', '--child', `net-${method}`)
  const { ike } = await app.established()
  lab.expect(ike.eapIdentity === 'anna', `our gateway: ${ike.remoteId} is ${ike.eapIdentity} by EAP`)
  lab.note(`charon: ${await strongswan.waitForLog(shown, { since })}`)
  lab.note(`charon: ${await strongswan.waitForLog(/authentication of '[^\n]*gateway[^\n]*' with EAP successful/, { since })}`)
  await hundredPings(lab, (argv) => lab.in(far, argv), '10.1.0.1')
  await strongswan.swanctl('--terminate', '--ike', `up-${method}`)
  await app.stop()
}

async function wrongPassword(lab, near, strongswan, made) {
  const since = strongswan.log().length
  const app = client(lab, near, made, METHODS[0], 'another word', 'client-wrong')
  const { detail } = await app.waitFor('authentication-failed')
  lab.expect(/the name or the password is wrong/.test(detail), `our client: ${detail}`)
  lab.note(
    `charon: ${await strongswan.waitForLog(/EAP-MS-CHAPv2 verification failed[^\n]*|EAP method EAP_MSCHAPV2 failed for peer anna/, { since })}`,
  )
  await app.stop()
}

function install(folder, { root, intermediate, gateway }) {
  for (const ca of [root, intermediate]) copyFileSync(ca, join(folder, 'x509ca', basename(ca)))
  copyFileSync(gateway.certificate, join(folder, 'x509', basename(gateway.certificate)))
  copyFileSync(gateway.key, join(folder, 'private', basename(gateway.key)))
}

function configuration({ root, gateway }) {
  const connections = METHODS.map(
    ({ method, plugin }) => `  road-${method} {
    version = 2
    encap = yes
    local_addrs = 10.98.0.2
    proposals = ${SUITE.ike}
    send_cert = always
    pools = inner
    local {
      auth = pubkey
      certs = ${basename(gateway.certificate)}
      id = ${gateway.id}
    }
    remote {
      auth = ${plugin}
      id = ${method}@phones.example
      eap_id = %any
    }
    children {
      road-net-${method} {
        local_ts = 10.2.0.0/24
        esp_proposals = ${SUITE.esp}
      }
    }
  }
  up-${method} {
    version = 2
    encap = yes
    local_addrs = 10.98.0.2
    remote_addrs = 10.98.0.1
    proposals = ${SUITE.ike}
    vips = 0.0.0.0
    local {
      auth = ${plugin}
      id = anna@phones.example
      eap_id = anna
    }
    remote {
      auth = pubkey
      cacerts = ${basename(root)}
      id = ${gateway.id}
    }
    children {
      net-${method} {
        remote_ts = 10.1.0.0/24
        esp_proposals = ${SUITE.esp}
      }
    }
  }
`,
  )
  return `connections {
${connections.join('')}}
pools {
  inner {
    addrs = 10.8.0.10-10.8.0.100
  }
}
secrets {
  eap-anna {
    id = anna
    secret = "${PASSWORD}"
  }
}
`
}
