import { certificateAuth, makeCertificates } from '../lib/certificates.mjs'
import { expectNothingDropped } from '../lib/firewall.mjs'
import { startLibreswan } from '../lib/libreswan.mjs'
import { expectEspInTcp, expectNoDatagrams, initiate } from '../lib/libreswan-evidence.mjs'
import { libreswanInitiator, libreswanResponder } from '../lib/peer-configs.mjs'
import { must } from '../lib/process.mjs'
import { hundredPings } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title =
  'RFC 7427 §3, RFC 9329 §2 (S-1, C-32, C-34): certificates with Libreswan over TCP, both roles: RSA and ECDSA, each with an intermediate'

export const seconds = 300

const SCHEMES = [
  { kind: 'rsa', authby: 'rsasig', method: /RSA|rsasig/i },
  { kind: 'ecdsa', authby: 'ecdsa', method: /ECDSA/i },
]

export async function run(lab) {
  const made = await makeCertificates(lab, ['rsa', 'ecdsa'])
  await theyAnswer(lab, await lab.namespace('a'), made)
  await theyInitiate(lab, await lab.namespace('b'), made)
}

async function theyAnswer(lab, namespace, made) {
  const clients = SCHEMES.map(({ kind, authby }, index) => ({
    ...{ name: `road-${kind}`, id: made[kind].client.id, pool: `10.8.0.${10 + 20 * index}-10.8.0.${20 + 20 * index}`, authby },
    ...{ leftid: made[kind].gateway.id, leftcert: made[kind].gateway.name, leftsendcert: 'always', sendca: 'issuer', rightca: '%same' },
  }))
  const { ipsecConf } = libreswanResponder({ clients })
  const libreswan = await startLibreswan(lab, namespace, {
    ipsecConf,
    secrets: '',
    label: 'responder',
    prepare: (nss) => fill(nss, made, 'gateway'),
  })
  await lab.allowOnly(namespace, 'tcp')
  for (const { kind, method } of SCHEMES) {
    const { root, gateway, client } = made[kind]
    const since = libreswan.log().length
    const app = startClient(lab, namespace, {
      ...{
        label: `client-${kind}`,
        gateway: '10.99.0.2',
        transports: ['tcp:4500'],
        remote: ['10.2.0.0/24'],
        ike: 'aes256gcm16-prfsha256-modp2048',
      },
      auth: certificateAuth({ root }, client, gateway),
    })
    await app.established()
    await expectEspInTcp(lab, libreswan)
    await hundredPings(lab, (argv) => lab.in(namespace, argv), '10.2.0.1')
    await expectBelieved(lab, libreswan, since, method, client.id)
    await app.stop()
  }
  await expectNothingDropped(lab, namespace)
  await expectNoDatagrams(lab, libreswan)
}

async function theyInitiate(lab, namespace, made) {
  const conns = SCHEMES.map(({ kind, authby }) => {
    const { gateway, client } = made[kind]
    return [
      kind,
      { authby, leftid: client.id, leftcert: client.name, leftsendcert: 'always', sendca: 'issuer', rightid: gateway.id, rightca: '%same' },
    ]
  })
  const [[, first]] = conns
  const { ipsecConf } = libreswanInitiator({ ...first, others: Object.fromEntries(conns) })
  const libreswan = await startLibreswan(lab, namespace, {
    ipsecConf,
    secrets: '',
    label: 'initiator',
    prepare: (nss) => fill(nss, made, 'client'),
  })
  await lab.allowOnly(namespace, 'tcp')
  for (const { kind, method } of SCHEMES) {
    const { root, gateway, client } = made[kind]
    const since = libreswan.log().length
    const app = await startGateway(lab, namespace, {
      ...{ label: `gateway-${kind}`, address: '10.99.0.1', tcp: [4500] },
      auth: certificateAuth({ root }, gateway, client),
    })
    await initiate(lab, libreswan, app, { name: kind })
    await expectEspInTcp(lab, libreswan, 'client')
    await hundredPings(lab, async (argv) => ({ stdout: await libreswan.guest(argv.join(' ')) }), '10.1.0.1', { from: 'the guest' })
    await expectBelieved(lab, libreswan, since, method, gateway.id)
    const mark = app.mark
    await libreswan.whack(`--terminate --name ${kind}`, { timeout: 20_000 })
    await app.closed({ since: mark, timeout: 10_000 })
    await app.stop()
  }
  await expectNothingDropped(lab, namespace)
  await expectNoDatagrams(lab, libreswan)
}

/** pluto's own words on how the peer proved itself. */
async function expectBelieved(lab, libreswan, since, method, id) {
  const said = await libreswan.waitForLog(new RegExp(`[^\\n]*authenticated[^\\n]*${id.replaceAll('.', '\\.')}[^\\n]*`), { since })
  lab.expect(method.test(said), `pluto: ${said.replace(/^.*?: /, '').trim()}`, said)
}

/** Its own key with certificate and chain, and the roots that it believes. */
async function fill(nss, made, own) {
  for (const { kind } of SCHEMES) {
    const { root, intermediate } = made[kind]
    const { name, certificate, key } = made[kind][own]
    const archive = `${certificate}.p12`
    await must(['openssl', 'pkcs12', '-export', '-inkey', key, '-in', certificate, '-name', name, '-passout', 'pass:', '-out', archive])
    await must(['pk12util', '-i', archive, '-d', `sql:${nss}`, '-W', ''])
    await must(['certutil', '-A', '-d', `sql:${nss}`, '-n', `${kind}-root`, '-t', 'CT,,', '-i', root])
    await must(['certutil', '-A', '-d', `sql:${nss}`, '-n', `${kind}-intermediate`, '-t', ',,', '-i', intermediate])
  }
}
