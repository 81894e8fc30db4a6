import { expectNothingDropped } from '../lib/firewall.mjs'
import { startLibreswan } from '../lib/libreswan.mjs'
import { bytesMoved, expectEspInTcp, expectNoDatagrams, initiate } from '../lib/libreswan-evidence.mjs'
import { CLIENT_ID, libreswanInitiator, libreswanResponder } from '../lib/peer-configs.mjs'
import { hundredPings, transferWithGuest } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title = 'RFC 9329 §2 (T-CFG-3): Libreswan and we over TCP 8443, each as the responder once; UDP and TCP 4500 dropped'

const PORT = 8443

export async function run(lab) {
  const namespace = await lab.namespace('a')
  const responder = libreswanResponder({
    clients: [{ name: 'road', id: CLIENT_ID, pool: '10.8.0.10-10.8.0.20', leftikeport: String(PORT), 'enable-tcp': 'yes' }],
  })
  const initiator = libreswanInitiator({ 'tcp-remoteport': String(PORT) })
  const libreswan = await startLibreswan(lab, namespace, {
    ipsecConf: `${initiator.ipsecConf}${responder.ipsecConf.slice(responder.ipsecConf.indexOf('conn '))}`,
    secrets: initiator.secrets,
  })
  await lab.allowOnly(namespace, 'tcp', { port: PORT })

  const gateway = await startGateway(lab, namespace, { address: '10.99.0.1', tcp: [PORT] })
  const address = await initiate(lab, libreswan, gateway)
  const asClient = await onThePort(lab, libreswan, 'client')
  await hundredPings(lab, async (argv) => ({ stdout: await libreswan.guest(argv.join(' ')) }), '10.1.0.1', { from: 'the guest' })
  await transferWithGuest(lab, namespace, libreswan, address, 5)
  await bytesMoved(lab, libreswan, asClient, 10e6)
  lab.note(`whack --trafficstatus: ${await libreswan.trafficStatus()}`)
  await libreswan.whack('--terminate --name up', { timeout: 20_000 })
  await gateway.closed({ timeout: 10_000 })
  await gateway.stop()

  const transports = [`tcp:${PORT}`]
  const ike = 'aes256gcm16-prfsha256-x25519'
  const client = startClient(lab, namespace, { gateway: '10.99.0.2', transports, remote: ['10.2.0.0/24'], ike })
  await client.established()
  const asServer = await onThePort(lab, libreswan, 'server')
  await hundredPings(lab, (argv) => lab.in(namespace, argv), '10.2.0.1')
  await transferWithGuest(lab, namespace, libreswan, '10.2.0.1', 5)
  await bytesMoved(lab, libreswan, asServer, 10e6)
  lab.note(`whack --trafficstatus: ${await libreswan.trafficStatus()}`)
  await client.stop()
  await expectNothingDropped(lab, namespace)
  await expectNoDatagrams(lab, libreswan)
}

/** ESP in TCP, and by that port. */
async function onThePort(lab, libreswan, role) {
  const states = await expectEspInTcp(lab, libreswan, role)
  const ports = states.map((state) => state.ports)
  lab.expect(
    ports.every((pair) => pair.split('→').includes(String(PORT))),
    `as ${role} it uses TCP ${PORT}`,
    ports.join(', '),
  )
  return states
}
