import { expectNothingDropped } from '../lib/firewall.mjs'
import { SUITES, strongswanInitiator } from '../lib/peer-configs.mjs'
import { startStrongswan } from '../lib/strongswan.mjs'
import { expectEspInUdp } from '../lib/strongswan-evidence.mjs'
import { serveEcho, startEchoFlow } from '../lib/transfer.mjs'
import { AIR, CABLE, pullTheCable, readdress, SERVER, twoWays } from '../lib/two-ways.mjs'
import { startGateway } from '../lib/underpass.mjs'

export const title = 'RFC 4555 §3.5, §3.7, §3.8 (M-1): strongSwan moves its address over UDP, twice, and our gateway follows'

const [{ name, ike, esp }] = SUITES

export async function run(lab) {
  const { client, server } = await twoWays(lab)
  await lab.allowOnly(server, 'udp')
  const strongswan = await startStrongswan(lab, client, { swanctlConf: strongswanInitiator({ gateway: SERVER, suites: [SUITES[0]] }) })
  const gateway = await startGateway(lab, server, { address: SERVER, udp: [500, 4500], ike, esp })
  await serveEcho(lab, server, '10.1.0.1')
  await strongswan.swanctl('--initiate', '--child', `net-${name}`)
  const before = await strongswan.sa()
  lab.expect(before.local === CABLE, `swanctl --list-sas: from ${before.local}, by the cable`, before.text)
  const flow = await startEchoFlow(lab, client, '10.1.0.1')

  const moved = { lab, strongswan, gateway, before }
  await moves(moved, 'the cable is pulled, and its address gone with it', AIR, async () => {
    // An address that stays on a link that is down is one that charon goes on sending from.
    await lab.mustIn(client, ['ip', 'addr', 'flush', 'dev', 'cable'])
    await pullTheCable(lab, client)
  })
  await moves(moved, 'the air has another address', '10.98.2.5', () => readdress(lab, client, '10.98.2.5'))

  await flow.end('through both moves')
  await expectEspInUdp(lab, strongswan, name, 2e6)
  lab.expect(gateway.events('ike-sa-established').length === 1, 'our gateway has had one IKE SA from the beginning to the end')
  lab.expect(gateway.events('child-sa-installed').length === 1, 'and one Child SA')
  const mark = gateway.mark
  await strongswan.swanctl('--terminate', '--ike', `up-${name}`)
  await gateway.closed({ since: mark })
  await gateway.stop()
  await expectNothingDropped(lab, server)
}

async function moves({ lab, strongswan, gateway, before }, what, address, change) {
  const [since, logged] = [gateway.mark, strongswan.log().length]
  const began = Date.now()
  await change()
  const { to } = await gateway.waitFor('path-moved', { since, timeout: 20_000, matches: ({ to }) => to.remote.address === address })
  lab.note(`${what}: path-moved at our gateway to ${to.remote.address}:${to.remote.port}, ${Date.now() - began} ms later`)
  const asked = await strongswan.waitForLog(/generating INFORMATIONAL request \d+ \[ [^\n]*UPD_SA_ADDR[^\n]*\]/, { since: logged })
  lab.note(`charon: ${asked}`)
  const sa = await strongswan.sa()
  lab.expect(
    sa.local === address && sa.ikeSpis === before.ikeSpis && sa.espSpis.join() === before.espSpis.join(),
    `swanctl --list-sas: from ${sa.local}, the same SPIs, IKE ${sa.ikeSpis}, ESP ${sa.espSpis.join(' and ')}`,
    sa.text,
  )
}
