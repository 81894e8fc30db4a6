import { expectNothingDropped } from '../lib/firewall.mjs'
import { SUITES, strongswanResponder } from '../lib/peer-configs.mjs'
import { startStrongswan } from '../lib/strongswan.mjs'
import { expectEspInUdp } from '../lib/strongswan-evidence.mjs'
import { serveEcho, startEchoFlow } from '../lib/transfer.mjs'
import { AIR, CABLE, pullTheCable, readdress, SERVER, twoWays } from '../lib/two-ways.mjs'
import { startClient } from '../lib/underpass.mjs'

export const title = 'RFC 4555 §3.5 (M-1): our client moves its address over UDP, twice, and strongSwan follows'

const [{ name, ike, esp }] = SUITES

export async function run(lab) {
  const { client, server } = await twoWays(lab)
  await lab.innerAddress(server, '10.2.0.1/24')
  await lab.allowOnly(server, 'udp')
  const strongswan = await startStrongswan(lab, server, { swanctlConf: strongswanResponder({ address: SERVER, suites: [SUITES[0]] }) })
  await serveEcho(lab, server, '10.2.0.1')
  const app = startClient(lab, client, { gateway: SERVER, transports: ['udp'], remote: ['10.2.0.0/24'], ike, esp })
  await app.established()
  const before = await strongswan.sa()
  lab.expect(before.remote === CABLE, `swanctl --list-sas: we are at ${before.remote}, by the cable`, before.text)
  const flow = await startEchoFlow(lab, client, '10.2.0.1')

  const moved = { lab, strongswan, app, before }
  await moves(moved, 'the cable is pulled', AIR, () => pullTheCable(lab, client))
  await moves(moved, 'the air has another address', '10.98.2.5', () => readdress(lab, client, '10.98.2.5'))

  await flow.end('through both moves')
  await expectEspInUdp(lab, strongswan, name, 2e6)
  lab.expect(app.events('ike-sa-established').length === 1, 'our client has had one IKE SA from the beginning to the end')
  lab.expect(app.events('child-sa-installed').length === 1, 'and one Child SA')
  await app.stop()
  await expectNothingDropped(lab, server)
}

async function moves({ lab, strongswan, app, before }, what, address, change) {
  const [since, logged] = [app.mark, strongswan.log().length]
  const began = Date.now()
  await change()
  const asked = await strongswan.waitForLog(/parsed INFORMATIONAL request \d+ \[ [^\n]*UPD_SA_ADDR[^\n]*\]/, {
    since: logged,
    timeout: 20_000,
  })
  lab.note(`${what}: charon ${asked}, ${Date.now() - began} ms later`)
  const sa = await strongswan.sa()
  lab.expect(
    sa.remote === address && sa.ikeSpis === before.ikeSpis && sa.espSpis.join() === before.espSpis.join(),
    `swanctl --list-sas: we are at ${sa.remote}, the same SPIs, IKE ${sa.ikeSpis}, ESP ${sa.espSpis.join(' and ')}`,
    sa.text,
  )
  lab.note(app.events('path-moved', since).length)
}
