import { expectNothingDropped } from '../lib/firewall.mjs'
import { startLibreswan } from '../lib/libreswan.mjs'
import { bytesMoved, expectEspInTcp, expectNoDatagrams, initiate, plutoSays } from '../lib/libreswan-evidence.mjs'
import { libreswanInitiator } from '../lib/peer-configs.mjs'
import { hundredPings, transferWithGuest } from '../lib/transfer.mjs'
import { startGateway } from '../lib/underpass.mjs'

export const title = 'RFC 9329 §2 (T-CFG-1): Libreswan to our gateway over TCP: PSK, virtual address, traffic, liveness, deletion'

export async function run(lab) {
  const namespace = await lab.namespace('a')
  const libreswan = await startLibreswan(lab, namespace, libreswanInitiator())
  await lab.allowOnly(namespace, 'tcp')
  const gateway = await startGateway(lab, namespace, { address: '10.99.0.1', tcp: [4500], timers: { liveness: '3s' } })

  const address = await initiate(lab, libreswan, gateway)
  const before = await expectEspInTcp(lab, libreswan, 'client')
  await hundredPings(lab, async (argv) => ({ stdout: await libreswan.guest(argv.join(' ')) }), '10.1.0.1', { from: 'the guest' })
  await transferWithGuest(lab, namespace, libreswan, address)
  await bytesMoved(lab, libreswan, before, 100e6)
  await livenessBothWays(lab, libreswan)
  await deletions(lab, libreswan, gateway)
  await expectNothingDropped(lab, namespace)
  await expectNoDatagrams(lab, libreswan)
}

/** Idle, each side checks the other: every 2 s there, after 3 s of silence here. */
async function livenessBothWays(lab, libreswan) {
  await plutoSays(lab, libreswan, "pluto's liveness check was answered", /receiving an IKEv2 INFORMATIONAL response/)
  // pluto is held for a while, or ours would never find a silence to fill.
  const hold = () => libreswan.guest('kill -STOP $(pidof pluto); sleep 4; kill -CONT $(pidof pluto)')
  await plutoSays(lab, libreswan, 'a liveness check of ours reached pluto', /received an INFORMATIONAL liveness check request/, {
    during: hold,
  })
}

async function deletions(lab, libreswan, gateway) {
  let since = gateway.mark
  await libreswan.whack('--terminate --name up', { timeout: 20_000 })
  const theirs = await gateway.closed({ since, timeout: 10_000 })
  lab.expect(theirs.byPeer === true, `their Delete: our gateway reports the SA closed by the peer (${theirs.reason})`)

  await initiate(lab, libreswan, gateway)
  since = libreswan.log().length
  await gateway.stop()
  const gone = await libreswan.waitForLog(/(?:deleting state \(STATE_V2_ESTABLISHED_IKE_SA\)|received Delete)[^\n]*/i, { since })
  lab.note(`our Delete, as the gateway stops: pluto says "${gone}"`)
}
