import { startLibreswan } from '../lib/libreswan.mjs'
import { bytesMoved, expectEspInTcp, plutoSays } from '../lib/libreswan-evidence.mjs'
import { CLIENT_ID, libreswanInitiator, libreswanResponder } from '../lib/peer-configs.mjs'
import { until } from '../lib/process.mjs'
import { hundredPings, payload, transferWithGuest } from '../lib/transfer.mjs'

export const title = 'both Libreswan configurations against each other over TCP: the laboratory without the product'

export async function run(lab) {
  const [near, far] = [await lab.namespace('a'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.0.1/24' }, { namespace: far, device: 'wire', address: '10.98.0.2/24' })
  for (const [namespace, network, via] of [
    [near, '10.96.0.0/24', '10.98.0.2'],
    [far, '10.99.0.0/24', '10.98.0.1'],
  ]) {
    await lab.mustIn(namespace, ['ip', 'route', 'add', network, 'via', via])
    await lab.mustIn(namespace, ['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  }
  const responderConf = libreswanResponder({
    address: '10.96.0.2',
    subnet: '10.1.0.0/24',
    clients: [{ name: 'road', id: CLIENT_ID, pool: '10.8.0.10-10.8.0.20' }],
  })
  const [responder, initiator] = await Promise.all([
    startLibreswan(lab, far, {
      ...responderConf,
      label: 'responder',
      env: { HOST_ADDRESS: '10.96.0.1/24', GUEST_ADDRESS: '10.96.0.2/24', GUEST_INNER: '10.1.0.1/24' },
    }),
    startLibreswan(lab, near, { ...libreswanInitiator({ gateway: '10.96.0.2' }), label: 'initiator' }),
  ])
  lab.note((await initiator.whack('--initiate --name up')).trim().split('\n').at(-1))
  const stdout = await initiator.guest('ping -q -c 20 -i 0.1 10.1.0.1')
  lab.expect(/ 20 received/.test(stdout), '20 pings through the two guests', stdout)
  const first = (await initiator.xfrmStates())[0].spi
  for (const { encap, ports, bytes, destination } of await responder.xfrmStates())
    lab.note(`xfrm: encap ${encap} ${ports} to ${destination}, ${bytes} octets`)
  await hundredPings(lab, (argv) => lab.in(far, argv), '10.96.0.2')
  await transferWithGuest(lab, far, responder, '10.96.0.2')
  await throughTheGuests(lab, initiator, responder)
  await bytesMoved(lab, responder, await expectEspInTcp(lab, responder), 0)
  await plutoSays(
    lab,
    responder,
    "the initiator's liveness check reached the responder",
    /received an INFORMATIONAL liveness check request/,
  )

  const reset = Date.now()
  const killed = await initiator.resetConnections()
  lab.note(`ss -K in the initiator reset ${killed}`)
  // pluto 4.10 neither redials nor gives up by its liveness check within 90 s: it is told to start anew.
  await initiator.whack('--terminate --name up')
  await initiator.whack('--initiate --name up', { timeout: 30_000 })
  const passes = async () => / 0% packet loss/.test(await initiator.guest('ping -q -c 1 -W 1 10.1.0.1'))
  await until('pings to pass again', passes, 20_000, 500)
  lab.note(
    `pings pass again ${((Date.now() - reset) / 1000).toFixed(1)} s after it, ${(await initiator.guest('ip xfrm state')).includes(first) ? 'the same' : 'a new'} Child SA`,
  )
}

/** What the emulated guests carry through ESP in TCP; the bare links above are the ceiling. */
async function throughTheGuests(lab, initiator, responder) {
  const { path, sha256 } = await payload(50)
  const started = Date.now()
  const received = responder.guest('timeout 100 nc -l 10.1.0.1 6004 | sha256sum', { timeout: 110_000 })
  await initiator.guest(`sleep 1; nc -N 10.1.0.1 6004 < ${path}`, { timeout: 110_000 })
  lab.expect(
    (await received).startsWith(sha256),
    `50 MB from guest to guest in ${((Date.now() - started) / 1000 - 1).toFixed(1)} s, SHA-256 equal`,
  )
}
