import { startLibreswan } from '../lib/libreswan.mjs'
import { bytesMoved, expectEspInTcp, plutoSays } from '../lib/libreswan-evidence.mjs'
import { libreswanInitiator } from '../lib/peer-configs.mjs'
import { until } from '../lib/process.mjs'
import { hundredPings, transferWithGuest } from '../lib/transfer.mjs'
import { startGateway } from '../lib/underpass.mjs'

export const title = 'Libreswan to our gateway over TCP: PSK, virtual address, traffic, liveness, deletion, a reset connection'

export async function run(lab) {
  const namespace = await lab.namespace('a')
  const libreswan = await startLibreswan(lab, namespace, libreswanInitiator())
  await lab.allowOnly(namespace, 'tcp')
  const gateway = startGateway(lab, namespace, { address: '10.99.0.1', tcp: [4500], timers: { liveness: '3s' } })
  await until(
    'our gateway to listen',
    async () => (await lab.in(namespace, ['ss', '-Hltn', 'sport = :4500'])).stdout.includes(':4500'),
    15_000,
  )

  const address = await initiate(lab, libreswan, gateway)
  const before = await expectEspInTcp(lab, libreswan, 'client')
  await hundredPings(lab, async (argv) => ({ stdout: await libreswan.guest(argv.join(' ')) }), '10.1.0.1', { from: 'the guest' })
  await transferWithGuest(lab, namespace, libreswan, address)
  await bytesMoved(lab, libreswan, before, 100e6)
  await livenessBothWays(lab, libreswan)
  await deletions(lab, libreswan, gateway)
  await resetAndGoOn(lab, libreswan, gateway)
  await gateway.stop()
}

async function initiate(lab, libreswan, gateway) {
  const since = gateway.mark
  const said = await libreswan.whack('--initiate --name up', { timeout: 30_000 })
  lab.expect(/established Child SA/.test(said), said.trim().split('\n').at(-1), said.trim())
  await gateway.established({ since, timeout: 10_000 })
  const [address] = (await libreswan.guest('ip -4 -o addr')).match(/10\.9\.0\.\d+/) ?? []
  lab.expect(address !== undefined, `the guest has virtual address ${address} out of our pool`)
  return address
}

/** Idle, each side checks the other (every 2 s there, 3 s here). */
async function livenessBothWays(lab, libreswan) {
  await plutoSays(lab, libreswan, "pluto's liveness check was answered", /receiving an IKEv2 INFORMATIONAL response/)
  // Off over there, or ours would never find a silence to fill.
  await libreswan.guest('ip link set dev lo up; kill -STOP $(pidof pluto); sleep 4; kill -CONT $(pidof pluto)')
  await plutoSays(lab, libreswan, 'a liveness check of ours reached pluto', /received an INFORMATIONAL liveness check request/)
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

/**
 * The connection is reset from inside the guest. pluto 4.10 does not redial (and its liveness check did not give up in 90 s):
 * our gateway must keep the SA and dial nobody (T-LIFE-4, T-LIFE-5), and take the guest back when it is told to start anew.
 */
async function resetAndGoOn(lab, libreswan) {
  const namespace = libreswan.namespace
  const gateway = startGateway(lab, namespace, { label: 'gateway-2', address: '10.99.0.1', tcp: [4500] })
  await until(
    'our gateway to listen',
    async () => (await lab.in(namespace, ['ss', '-Hltn', 'sport = :4500'])).stdout.includes(':4500'),
    15_000,
  )
  await initiate(lab, libreswan, gateway)
  const killed = await libreswan.resetConnections()
  lab.expect(killed > 0, `ss -K in the guest reset ${killed} connection`)
  await gateway.waitFor('connection-closed', { timeout: 5_000 })
  lab.expect(gateway.events('ike-sa-closed').length === 0, 'our gateway saw the connection end and kept the IKE SA')
  await libreswan.whack('--terminate --name up', { timeout: 20_000 })
  const started = Date.now()
  await initiate(lab, libreswan, gateway)
  const passes = async () => / 0% packet loss/.test(await libreswan.guest('ping -q -c 1 -W 1 10.1.0.1'))
  await until('pings after the reset', passes, 60_000, 500)
  lab.note(
    `the tunnel carries pings ${((Date.now() - started) / 1_000).toFixed(1)} s later, ${gateway.events('ike-sa-established').length} IKE SAs in all`,
  )
  await expectEspInTcp(lab, libreswan, 'client')
  await gateway.stop()
}
