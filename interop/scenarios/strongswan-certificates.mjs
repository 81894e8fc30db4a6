import { copyFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { certificateAuth, makeCertificates } from '../lib/certificates.mjs'
import { startStrongswan } from '../lib/strongswan.mjs'
import { hundredPings } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title =
  'RFC 7427 §3, RFC 8420 §2 (S-1, S-2, C-34): certificates with strongSwan over UDP, both roles: RSA PKCS#1 v1.5 and PSS, ECDSA, Ed25519, each with an intermediate'

/** `auth`: how charon signs, and `theirs`, `ours`: how its log calls what it made and what it believed. */
const SCHEMES = [
  { name: 'rsa', kind: 'rsa', auth: 'pubkey', theirs: /RSA_EMSA_PKCS1_SHA2_\d+/, ours: /RSA_EMSA_PSS_SHA2_256|RSA_EMSA_PSS/ },
  { name: 'pss', kind: 'rsa', auth: 'rsa/pss-sha256', theirs: /RSA_EMSA_PSS/, ours: /RSA_EMSA_PSS/ },
  { name: 'ecdsa', kind: 'ecdsa', auth: 'pubkey', theirs: /ECDSA/, ours: /ECDSA/ },
  { name: 'ed25519', kind: 'ed25519', auth: 'pubkey', theirs: /ED25519/, ours: /ED25519/ },
]
const SUITE = { ike: 'aes256gcm16-prfsha256-x25519', esp: 'aes256gcm16' }

export async function run(lab) {
  const [near, far] = [await lab.namespace('a'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.0.1/24' }, { namespace: far, device: 'wire', address: '10.98.0.2/24' })
  await lab.innerAddress(far, '10.2.0.1/24')
  await lab.allowOnly(far, 'udp')
  const made = await makeCertificates(lab, ['rsa', 'ecdsa', 'ed25519'])
  const strongswan = await startStrongswan(lab, far, { swanctlConf: configuration(made), prepare: (folder) => install(folder, made) })
  for (const scheme of SCHEMES) {
    await weInitiate(lab, near, strongswan, scheme, made[scheme.kind])
    await theyInitiate(lab, { near, far }, strongswan, scheme, made[scheme.kind])
  }
  await notOfTheirCa(lab, near, strongswan, made)
}

async function weInitiate(lab, near, strongswan, { name, theirs, ours }, { root, gateway, client }) {
  const since = strongswan.log().length
  const auth = certificateAuth({ root }, client, { id: `@${gateway.name}.underpass.example` })
  // Its connections for two schemes of one key are told apart by the identity that it is called by.
  const app = startClient(lab, near, {
    label: `client-${name}`,
    gateway: '10.98.0.2',
    transports: ['udp'],
    remote: ['10.2.0.0/24'],
    ...SUITE,
    auth,
    ike: IKE_OF[name],
  })
  await app.established()
  await hundredPings(lab, (argv) => lab.in(near, argv), '10.2.0.1')
  await expectSignatures(lab, strongswan, { since, theirs, ours, who: client.name })
  await app.stop()
  await strongswan.waitForLog(/received DELETE for IKE_SA/, { since })
}

async function theyInitiate(lab, { near, far }, strongswan, { name, theirs, ours }, { root, gateway, client }) {
  const since = strongswan.log().length
  const app = await startGateway(lab, near, {
    label: `gateway-${name}`,
    address: '10.98.0.1',
    udp: [500, 4500],
    ...SUITE,
    auth: certificateAuth({ root }, gateway, client),
  })
  await strongswan.swanctl('--initiate', '--child', `net-${name}`)
  await app.established()
  await hundredPings(lab, (argv) => lab.in(far, argv), '10.1.0.1')
  await expectSignatures(lab, strongswan, { since, theirs, ours, who: gateway.name })
  await strongswan.swanctl('--terminate', '--ike', `up-${name}`)
  await app.stop()
}

/** charon's own words: what it signed with, whose certificate it followed to its root, and what it believed. */
async function expectSignatures(lab, strongswan, { since, theirs, ours, who }) {
  const log = strongswan.log().slice(since)
  const made = log.match(/authentication of '[^\n]*' \(myself\) with [^\n]*/)?.[0] ?? ''
  lab.expect(theirs.test(made), `charon: ${made}`, log.slice(-1500))
  const believed = log.match(new RegExp(`authentication of '${who}\\.underpass\\.example' with [^\\n]* successful`))?.[0] ?? ''
  lab.expect(ours.test(believed), `charon: ${believed}`, log.slice(-1500))
  const issuer = log.match(/received issuer cert "[^"]*"/)?.[0]
  lab.expect(issuer !== undefined, `charon, of our CERT payloads: ${issuer}`, log.slice(-1500))
}

/** A key of another CA: refused by both, told by both. */
async function notOfTheirCa(lab, near, strongswan, { rsa, ecdsa }) {
  const since = strongswan.log().length
  const auth = { ...certificateAuth({ root: rsa.root }, ecdsa.client, rsa.gateway), local_id: rsa.client.id }
  const app = startClient(lab, near, {
    label: 'client-wrong',
    gateway: '10.98.0.2',
    transports: ['udp'],
    remote: ['10.2.0.0/24'],
    ...SUITE,
    auth,
  })
  const { detail } = await app.waitFor('authentication-failed')
  lab.note(`our client: ${detail}`)
  lab.note(
    `charon: ${await strongswan.waitForLog(/no trusted [^\n]* public key found for[^\n]*|no matching peer config found[^\n]*|AUTH_FAILED[^\n]*/, { since })}`,
  )
  await app.stop()
}

/** What tells charon's two connections of one certificate apart, where it answers: the key exchange. */
const IKE_OF = { pss: 'aes256gcm16-prfsha256-ecp256' }

function install(folder, made) {
  for (const { root, intermediate, gateway, client } of Object.values(made)) {
    for (const ca of [root, intermediate]) copyFileSync(ca, join(folder, 'x509ca', basename(ca)))
    for (const { certificate, key } of [gateway, client]) {
      copyFileSync(certificate, join(folder, 'x509', basename(certificate)))
      copyFileSync(key, join(folder, 'private', basename(key)))
    }
  }
}

function configuration(made) {
  const section = (local, remote, { auth, root }) => `
    local {
      auth = ${auth}
      certs = ${basename(local.certificate)}
      id = ${local.id}
    }
    remote {
      auth = pubkey
      cacerts = ${basename(root)}
      id = ${remote.id}
    }`
  const connections = SCHEMES.flatMap(({ name, kind, auth }) => {
    const { root, gateway, client } = made[kind]
    return [
      `  road-${name} {
    version = 2
    encap = yes
    local_addrs = 10.98.0.2
    proposals = ${IKE_OF[name] ?? SUITE.ike}
    send_cert = always
    pools = inner${section(gateway, client, { auth, root })}
    children {
      road-net-${name} {
        local_ts = 10.2.0.0/24
        esp_proposals = ${SUITE.esp}
      }
    }
  }`,
      `  up-${name} {
    version = 2
    encap = yes
    local_addrs = 10.98.0.2
    remote_addrs = 10.98.0.1
    proposals = ${SUITE.ike}
    vips = 0.0.0.0
    send_cert = always${section(client, gateway, { auth, root })}
    children {
      net-${name} {
        remote_ts = 10.1.0.0/24
        esp_proposals = ${SUITE.esp}
      }
    }
  }`,
    ]
  })
  return `connections {\n${connections.join('\n')}\n}\npools {\n  inner {\n    addrs = 10.8.0.10-10.8.0.100\n  }\n}\n`
}
