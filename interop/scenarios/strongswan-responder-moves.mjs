import { expectNothingDropped } from '../lib/firewall.mjs'
import { SUITES, strongswanResponder } from '../lib/peer-configs.mjs'
import { expectMoved } from '../lib/strongswan-evidence.mjs'
import { startStrongswanGuest } from '../lib/strongswan-guest.mjs'
import { startEchoFlow } from '../lib/transfer.mjs'
import { AIR, CABLE, pullTheCable, readdress, twoWays } from '../lib/two-ways.mjs'
import { startClient } from '../lib/underpass.mjs'

export const title = 'RFC 4555 §3.5 (M-1): our client moves its address over UDP, twice, as it hears by netlink, and strongSwan follows'

const [{ ike, esp }] = SUITES
const GATEWAY = '10.99.0.2'

export async function run(lab) {
  const { client, router } = await twoWays(lab)
  const swanctlConf = strongswanResponder({ address: GATEWAY, suites: [SUITES[0]], encap: 'no' })
  const strongswan = await startStrongswanGuest(lab, router, { swanctlConf })
  await lab.allowOnly(router, 'udp')
  await strongswan.serveEcho()
  const app = startClient(lab, client, { gateway: GATEWAY, transports: ['udp'], remote: ['10.2.0.0/24'], ike, esp })
  await app.established()
  const said = await strongswan.waitForLog(/generating IKE_AUTH response 1 \[ [^\n]*\]/)
  lab.expect(/N\(ADD_4_ADDR\)/.test(said), `charon, of its other addresses: ${said}`, said)
  const before = await strongswan.sa()
  lab.expect(before.remote === CABLE, `swanctl --list-sas: remote ${before.remote}, by the cable`, before.text)
  const flow = await startEchoFlow(lab, client, '10.2.0.1')

  const moved = { lab, strongswan, app, before }
  await moves(moved, 'the cable is pulled', AIR, () => pullTheCable(lab, client))
  await moves(moved, 'the air has another address', '10.98.2.5', () => readdress(lab, client, '10.98.2.5'))

  await flow.end('through both moves')
  const { inOctets, outOctets } = await strongswan.sa()
  lab.expect(inOctets > 1e6 && outOctets > 1e6, `swanctl --list-sas counts ${inOctets} octets in, ${outOctets} out`)
  lab.expect(app.events('ike-sa-established').length === 1, 'our client has had one IKE SA from the beginning to the end')
  lab.expect(app.events('child-sa-installed').length === 1, 'and one Child SA')
  await app.stop()
  await expectNothingDropped(lab, router)
}

async function moves({ lab, strongswan, app, before }, what, address, change) {
  const [since, logged] = [app.mark, strongswan.log().length]
  const began = Date.now()
  await change()
  await app.waitFor('path-moved', { since })
  lab.note(`${what}: path-moved at our client ${Date.now() - began} ms later`)
  const asked = await strongswan.waitForLog(/parsed INFORMATIONAL request \d+ \[ [^\n]*N\(UPD_SA_ADDR\)[^\n]*\]/, { since: logged })
  const changed = await strongswan.waitForLog(/remote endpoint changed from [^\n]*/, { since: logged })
  lab.note(`charon: ${asked}; ${changed}`)
  await expectMoved(lab, strongswan, before, 'remote', address)
}
