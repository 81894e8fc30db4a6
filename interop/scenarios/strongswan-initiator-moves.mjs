import { expectNothingDropped } from '../lib/firewall.mjs'
import { SUITES, strongswanInitiator } from '../lib/peer-configs.mjs'
import { expectMoved } from '../lib/strongswan-evidence.mjs'
import { startStrongswanGuest } from '../lib/strongswan-guest.mjs'
import { startEchoFlow } from '../lib/transfer.mjs'
import { startGateway } from '../lib/underpass.mjs'

export const title = 'RFC 4555 §3.5, §3.7, §3.8 (M-1): strongSwan moves its address over UDP, twice, and our gateway follows'

const [{ name, ike, esp }] = SUITES
const GATEWAY = '10.99.0.1'
const [FIRST, SECOND, THIRD] = ['10.99.0.2', '10.99.0.3', '10.99.0.4']

export async function run(lab) {
  const namespace = await lab.namespace('a')
  const swanctlConf = strongswanInitiator({ gateway: GATEWAY, suites: [SUITES[0]], encap: 'no' })
  const strongswan = await startStrongswanGuest(lab, namespace, { swanctlConf })
  await lab.allowOnly(namespace, 'udp')
  const gateway = await startGateway(lab, namespace, { address: GATEWAY, udp: [500, 4500], ike, esp })
  await strongswan.serveEcho()
  await strongswan.swanctl('--initiate', `--child net-${name}`)
  const { address } = await gateway.established()
  const before = await strongswan.sa()
  lab.expect(before.local === FIRST, `swanctl --list-sas: local ${before.local}`, before.text)
  const flow = await startEchoFlow(lab, namespace, address)

  for (const [from, to] of [
    [FIRST, SECOND],
    [SECOND, THIRD],
  ])
    await moves(lab, { strongswan, gateway, before }, from, to)

  await flow.end('through both moves')
  const { inOctets, outOctets } = await strongswan.sa()
  lab.expect(inOctets > 1e6 && outOctets > 1e6, `swanctl --list-sas counts ${inOctets} octets in, ${outOctets} out`)
  lab.expect(gateway.events('ike-sa-established').length === 1, 'our gateway has had one IKE SA from the beginning to the end')
  lab.expect(gateway.events('child-sa-installed').length === 1, 'and one Child SA')
  const mark = gateway.mark
  await strongswan.swanctl('--terminate', `--ike up-${name}`)
  await gateway.closed({ since: mark })
  await gateway.stop()
  await expectNothingDropped(lab, namespace)
}

async function moves(lab, { strongswan, gateway, before }, from, to) {
  const [since, logged] = [gateway.mark, strongswan.log().length]
  const began = Date.now()
  // With its first address gone, a subnet's others would go too.
  await strongswan.guest(
    `echo 1 > /proc/sys/net/ipv4/conf/all/promote_secondaries; ip addr add ${to}/24 dev eth0; ip addr del ${from}/24 dev eth0`,
  )
  const moved = await gateway.waitFor('path-moved', { since, timeout: 20_000, matches: (event) => event.to.remote.address === to })
  lab.note(
    `path-moved at our gateway from ${moved.from.remote.address} to ${moved.to.remote.address}, ${Date.now() - began} ms after the change`,
  )
  const asked = await strongswan.waitForLog(/generating INFORMATIONAL request \d+ \[ [^\n]*N\(UPD_SA_ADDR\)[^\n]*\]/, { since: logged })
  const cookie = await strongswan.waitForLog(/parsed INFORMATIONAL response \d+ \[ [^\n]*N\(COOKIE2\)[^\n]*\]/, { since: logged })
  lab.note(`charon: ${asked}; ${cookie}`)
  await expectMoved(lab, strongswan, before, 'local', to)
}
