import { setTimeout as sleep } from 'node:timers/promises'
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
  const gateway = await startGateway(lab, namespace, { address: '10.99.0.1', tcp: [4500], timers: { liveness: '3s' } })

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
  let said = await libreswan.whack('--initiate --name up', { timeout: 30_000 })
  // pluto 4.10 aborts on an assertion when it initiates after its peer's Delete over TCP; its init starts it again.
  for (let tries = 0; tries < 3 && /reset by peer|refused|unknown connection|No such file/i.test(said); tries++) {
    lab.note(`pluto aborted and is started again: ${libreswan.log().match(/ABORT: ([^\n]*)/)?.[1] ?? said.trim()}`)
    await sleep(4_000)
    said = await libreswan.whack('--initiate --name up', { timeout: 30_000 })
  }
  lab.expect(/established Child SA/.test(said), said.trim().split('\n').at(-1), said.trim())
  await gateway.established({ since, timeout: 10_000 })
  const [address] = (await libreswan.guest('ip -4 -o addr')).match(/10\.9\.0\.\d+/) ?? []
  lab.expect(address !== undefined, `the guest has virtual address ${address} out of our pool`)
  return address
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

/**
 * The connection is reset from inside the guest. pluto 4.10 does not redial (and its liveness check did not give up in 90 s):
 * our gateway must keep the SA and dial nobody (T-LIFE-4, T-LIFE-5), and take the guest back when it is told to start anew.
 */
async function resetAndGoOn(lab, libreswan) {
  const namespace = libreswan.namespace
  const gateway = await startGateway(lab, namespace, { label: 'gateway-2', address: '10.99.0.1', tcp: [4500] })
  await initiate(lab, libreswan, gateway)
  const killed = await libreswan.resetConnections()
  lab.expect(killed > 0, `ss -K in the guest reset ${killed} connection`)
  const open = async () => (await lab.in(namespace, ['ss', '-Htn', 'state', 'established', 'sport = :4500'])).stdout.trim()
  await until('the connection to be gone on our side', async () => (await open()) === '', 5_000)
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
