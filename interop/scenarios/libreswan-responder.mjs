import { setTimeout as sleep } from 'node:timers/promises'
import { expectNothingDropped } from '../lib/firewall.mjs'
import { startLibreswan } from '../lib/libreswan.mjs'
import { bytesMoved, expectEspInTcp, expectNoDatagrams, plutoSays } from '../lib/libreswan-evidence.mjs'
import { CLIENT_ID, libreswanResponder } from '../lib/peer-configs.mjs'
import { until } from '../lib/process.mjs'
import { hundredPings, transferWithGuest } from '../lib/transfer.mjs'
import { startClient } from '../lib/underpass.mjs'

export const title = 'RFC 9329 §2 (T-CFG-1): our client to Libreswan over TCP: PSK, virtual address, traffic, liveness, deletion'

const SECOND_ID = '@second.underpass.example'
const CONNECTION = { gateway: '10.99.0.2', transports: ['tcp:4500'], remote: ['10.2.0.0/24'], ike: 'aes256gcm16-prfsha256-x25519' }

export async function run(lab) {
  const namespace = await lab.namespace('a')
  const peerConf = libreswanResponder({
    clients: [
      { name: 'road', id: CLIENT_ID, pool: '10.8.0.10-10.8.0.20' },
      { name: 'watched', id: SECOND_ID, pool: '10.8.0.30-10.8.0.40', dpddelay: '2s', dpdtimeout: '20s', dpdaction: 'clear' },
    ],
  })
  const libreswan = await startLibreswan(lab, namespace, peerConf)
  await lab.allowOnly(namespace, 'tcp')
  await trafficAndOurs(lab, namespace, libreswan)
  await theirs(lab, namespace, libreswan)
  await anotherGroup(lab, namespace, libreswan)
  await expectNothingDropped(lab, namespace)
  await expectNoDatagrams(lab, libreswan)
}

/** Traffic, a liveness check of ours, and our Delete. */
async function trafficAndOurs(lab, namespace, libreswan) {
  const client = startClient(lab, namespace, { ...CONNECTION, label: 'client-1', timers: { liveness: '2s' } })
  const { address } = await client.established()
  lab.expect(/^10\.8\.0\.1\d$/.test(address), `virtual address ${address} out of Libreswan's pool`, address)
  const before = await expectEspInTcp(lab, libreswan)
  await hundredPings(lab, (argv) => lab.in(namespace, argv), '10.2.0.1')
  await transferWithGuest(lab, namespace, libreswan, '10.2.0.1')
  await bytesMoved(lab, libreswan, before, 100e6)

  await plutoSays(lab, libreswan, 'a liveness check of ours reached pluto', /received an INFORMATIONAL liveness check request/)
  const mark = libreswan.log().length
  await client.stop()
  const gone = await libreswan.waitForLog(/deleting state \(STATE_V2_ESTABLISHED_IKE_SA\)[^\n]*/, { since: mark })
  lab.note(`our Delete: pluto says "${gone}"`)
  await until('the xfrm states to go', async () => (await libreswan.xfrmStates()).length === 0, 8_000)
  lab.note('no xfrm state is left in the guest')
}

/** A liveness check of Libreswan's, answered by ours, and its Delete. */
async function theirs(lab, namespace, libreswan) {
  const client = startClient(lab, namespace, { ...CONNECTION, label: 'client-2', id: SECOND_ID })
  await client.established()
  await plutoSays(lab, libreswan, "pluto's liveness check was answered", /receiving an IKEv2 INFORMATIONAL response/)
  await sleep(4_000)
  lab.expect((await libreswan.xfrmStates()).length >= 2, "the SA outlives Libreswan's liveness checks (every 2 s)")
  const mark = client.mark
  await libreswan.whack('--terminate --name watched', { timeout: 20_000 })
  const { byPeer, reason } = await client.closed({ since: mark, timeout: 10_000 })
  lab.expect(byPeer === true, `their Delete: our client reports the SA closed by the peer (${reason})`)
  await client.stop()
}

/**
 * The first guess is a group that Libreswan 4.10 does not have. It asks for the other one and closes the connection on which it
 * said so (RFC 9329 §6.4 says it should not): the second IKE_SA_INIT needs a new one (T-CK-4 has it so for cookies).
 */
async function anotherGroup(lab, namespace, libreswan) {
  const since = libreswan.log().length
  const ike = ['aes256gcm16-prfsha256-x448', 'aes256gcm16-prfsha256-modp2048']
  const client = startClient(lab, namespace, { ...CONNECTION, ike, label: 'client-ke' })
  await client.established()
  const asked = libreswan
    .log()
    .slice(since)
    .match(/responding with INVALID_KE_PAYLOAD[^\n]*/)?.[0]
  lab.expect(asked !== undefined, `"${asked}", and the client came back with it on a new connection`)
  await client.stop()
}
