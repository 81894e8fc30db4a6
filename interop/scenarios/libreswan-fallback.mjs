import { droppedPackets } from '../lib/firewall.mjs'
import { startLibreswan } from '../lib/libreswan.mjs'
import { bytesMoved, expectEspInTcp, expectNoDatagrams, virtualAddress } from '../lib/libreswan-evidence.mjs'
import { libreswanInitiator } from '../lib/peer-configs.mjs'
import { hundredPings, transferWithGuest } from '../lib/transfer.mjs'
import { startGateway } from '../lib/underpass.mjs'

export const title = 'RFC 9329 §5.1: Libreswan falls back from UDP, which a firewall drops, to TCP 4500 of the same gateway of ours'

/** Libreswan waits for UDP 64 s by its default; with `retransmit-timeout` at 10 s, as here, 16. */
const PATIENCE = 90_000

export async function run(lab) {
  const namespace = await lab.namespace('a')
  const libreswan = await startLibreswan(lab, namespace, libreswanInitiator({ 'enable-tcp': 'fallback' }))
  await lab.allowOnly(namespace, 'tcp')
  const gateway = await startGateway(lab, namespace, { address: '10.99.0.1', udp: [500, 4500], tcp: [4500] })

  const since = libreswan.log().length
  const began = Date.now()
  await libreswan.whack('--initiate --asynchronous --name up')
  await gateway.established({ timeout: PATIENCE })
  const seconds = ((Date.now() - began) / 1_000).toFixed(1)
  await libreswan.waitForLog(/initiator established Child SA/, { since })
  const gaveUp = libreswan
    .log()
    .slice(since)
    .match(/\d+ second timeout exceeded[^\n]*/)?.[0]
  lab.expect(gaveUp !== undefined, `pluto of UDP: "${gaveUp}"; ${seconds} s from "initiate" to the Child SA over TCP`)
  const address = await virtualAddress(lab, libreswan)
  const before = await expectEspInTcp(lab, libreswan, 'client')
  const { path } = gateway.events('ike-sa-established')[0]
  lab.expect(
    path.transport === 'tcp' && path.local.port === 4500,
    'our gateway, which listens on UDP too, has it on TCP 4500',
    path.transport,
  )

  await hundredPings(lab, async (argv) => ({ stdout: await libreswan.guest(argv.join(' ')) }), '10.1.0.1', { from: 'the guest' })
  await transferWithGuest(lab, namespace, libreswan, address, 5)
  await bytesMoved(lab, libreswan, before, 10e6)
  const { input, output } = await droppedPackets(namespace)
  lab.expect(
    input > 0 && output === 0,
    `the firewall dropped ${input} datagrams of Libreswan's, and our gateway sent none`,
    `${output} sent`,
  )
  await expectNoDatagrams(lab, libreswan)
  await gateway.stop()
}
