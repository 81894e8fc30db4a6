import { setTimeout as sleep } from 'node:timers/promises'
import { expectNothingDropped, forSeconds, stalling } from '../lib/firewall.mjs'
import { startLibreswan } from '../lib/libreswan.mjs'
import { bytesMoved, expectEspInTcp, expectNoDatagrams, initiate, spisOf } from '../lib/libreswan-evidence.mjs'
import { libreswanInitiator } from '../lib/peer-configs.mjs'
import { until } from '../lib/process.mjs'
import { startRelay } from '../lib/relay.mjs'
import { startEchoFlow } from '../lib/transfer.mjs'
import { startGateway } from '../lib/underpass.mjs'

export const title =
  'RFC 9329 §6.1 (T-LIFE-4, T-LIFE-5, T-LIFE-7, T-LIFE-9, T-LIFE-11, T-LIFE-18): Libreswan to our gateway, the connection stalled, cut in mid-frame, replayed and reset'

const RELAY_PORT = 4600
/** Whom the relay dials our gateway as: another address each time. */
const [SECOND, THIRD] = ['10.99.0.11', '10.99.0.12']

export async function run(lab) {
  const namespace = await lab.namespace('a')
  const relayed = { 'tcp-remoteport': String(RELAY_PORT) }
  const libreswan = await startLibreswan(lab, namespace, libreswanInitiator({ others: { relayed } }))
  await lab.allowOnly(namespace, 'tcp')
  await libreswan.serveEcho()
  const gateway = await startGateway(lab, namespace, { address: '10.99.0.1', tcp: [4500] })
  await throughARelay(lab, namespace, libreswan, gateway)
  await resetAndGoOn(lab, namespace, libreswan, gateway)
  await gateway.stop()
  await expectNothingDropped(lab, namespace)
  await expectNoDatagrams(lab, libreswan)
}

/**
 * pluto 4.10 does not dial again (below). A relay between them does, as a proxy that is started again would: what comes by its new
 * connections is Libreswan's own, sealed by Libreswan.
 */
async function throughARelay(lab, namespace, libreswan, gateway) {
  for (const address of [SECOND, THIRD]) await lab.mustIn(namespace, ['ip', 'addr', 'add', `${address}/32`, 'dev', 'lo'])
  const relay = await startRelay(lab, namespace, { listen: `10.99.0.1:${RELAY_PORT}`, target: '10.99.0.1:4500' })
  const address = await initiate(lab, libreswan, gateway, { name: 'relayed' })
  const before = await expectEspInTcp(lab, libreswan, 'client')
  const flow = await startEchoFlow(lab, namespace, address)

  await sleep(1_000)
  await stalling(namespace, RELAY_PORT, forSeconds(2))
  lab.note('the connection was stalled for 2 s, both ways')
  const since = gateway.mark
  const { half, of, port } = await relay.redial(SECOND)
  const { from, to } = await gateway.waitFor('path-moved', { since, timeout: 5_000 })
  lab.expect(
    to.remote.address === SECOND && to.remote.port === port,
    `cut ${half} octets into a frame of ${of}: what came next by a new connection moved the path from ${at(from)} to ${at(to)}`,
    at(to),
  )
  await replayed(lab, gateway, relay, at(to))

  await flow.end('through stall, cut and replay')
  const { counters } = (await gateway.status()).session
  const corrupt = Object.entries(counters).filter(([name]) => /unparsable|malformed|icv|truncated|limit-/.test(name))
  lab.expect(
    corrupt.length === 0,
    'our gateway saw no malformed message and no wrong ICV: the half frame was nobody’s',
    JSON.stringify(corrupt),
  )
  lab.expect(gateway.events('ike-sa-established').length === 1, 'one IKE SA, and one Child SA of the same SPIs at both ends')
  lab.expect(spisOf(await libreswan.xfrmStates()) === spisOf(before), `ip xfrm state: ${spisOf(before)} as before`)
  await bytesMoved(lab, libreswan, before, 2e6)
  const mark = gateway.mark
  await libreswan.whack('--terminate --name relayed', { timeout: 20_000 })
  await gateway.closed({ since: mark, timeout: 10_000 })
}

/** What Libreswan sent before, once more from elsewhere: replayed ESP, and a request that was answered. */
async function replayed(lab, gateway, relay, place) {
  const since = gateway.mark
  const esp = await relay.replay('esp', THIRD)
  const ike = await relay.replay('ike', THIRD)
  const { counters, ikeSas } = (await gateway.status()).session
  const dropped = Object.entries(counters).filter(([name]) => /replay|retransmissions-in/.test(name))
  lab.note(
    `${esp.frames} ESP packets and ${ike.frames} IKE messages came again from ${THIRD}: ${JSON.stringify(Object.fromEntries(dropped))}`,
  )
  lab.expect(esp.frames > 0 && ike.frames > 0 && dropped.length === 2, 'both were known as repetitions', JSON.stringify(counters))
  lab.expect(
    gateway.events('path-moved', since).length === 0 &&
      at(ikeSas[0].path === undefined ? undefined : { remote: ikeSas[0].path.remote }) === place,
    `no path moved: it is ${place}`,
    JSON.stringify(ikeSas[0].path),
  )
}

const at = (path) => path && `${path.remote.address}:${path.remote.port}`

/**
 * The connection is reset from inside the guest. pluto 4.10 does not redial (and its liveness check did not give up in 90 s):
 * our gateway must keep the SAs and dial nobody, and take the guest back when it is told to start anew.
 */
async function resetAndGoOn(lab, namespace, libreswan, gateway) {
  const since = gateway.mark
  await initiate(lab, libreswan, gateway)
  const before = await libreswan.xfrmStates()
  const killed = await libreswan.resetConnections()
  lab.expect(killed > 0, `ss -K in the guest reset ${killed} connection`)
  await gateway.waitFor('connection-closed', { since, timeout: 5_000 })
  await sleep(3_000)
  const { ikeSas } = (await gateway.status()).session
  const spis = ikeSas.flatMap(({ children }) => children.flatMap(({ inboundSpi, outboundSpi }) => [inboundSpi, outboundSpi]))
  lab.expect(
    spis.sort().join(' and ') === spisOf(before) && ikeSas[0].path === undefined,
    `3 s later our gateway has the SAs still, ${spisOf(before)}, and no path`,
    JSON.stringify(ikeSas),
  )
  const dialled = (await lab.in(namespace, ['ss', '-Htan', 'dst 10.99.0.2 and dport = :4500'])).stdout.trim()
  lab.expect(dialled === '', 'and dials nobody', dialled)

  await libreswan.whack('--terminate --name up', { timeout: 20_000 })
  const started = Date.now()
  await initiate(lab, libreswan, gateway)
  const states = await libreswan.xfrmStates()
  const passes = async () => / 0% packet loss/.test(await libreswan.guest('ping -q -c 1 -W 1 10.1.0.1'))
  await until('pings after the reset', passes, 60_000, 500)
  lab.note(`told to start anew, the tunnel carries pings ${((Date.now() - started) / 1_000).toFixed(1)} s later`)
  await bytesMoved(lab, libreswan, states, 84)
}
