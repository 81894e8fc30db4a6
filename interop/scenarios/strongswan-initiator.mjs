import { SUITES, strongswanInitiator } from '../lib/peer-configs.mjs'
import { startStrongswan } from '../lib/strongswan.mjs'
import { expectEspInUdp } from '../lib/strongswan-evidence.mjs'
import { hundredPings, transferBetween } from '../lib/transfer.mjs'
import { startGateway } from '../lib/underpass.mjs'

export const title =
  'strongSwan to our gateway over UDP: AEAD with X25519, CBC and HMAC with MODP-2048; virtual address, traffic, both Deletes'

export async function run(lab) {
  const [near, far] = [await lab.namespace('a'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.0.1/24' }, { namespace: far, device: 'wire', address: '10.98.0.2/24' })
  await lab.allowOnly(near, 'udp')
  const strongswan = await startStrongswan(lab, near, { swanctlConf: strongswanInitiator({ address: '10.98.0.1', gateway: '10.98.0.2' }) })

  for (const [index, { name, ike, esp }] of SUITES.entries()) {
    lab.note(`-- ${name}`)
    const gateway = await startGateway(lab, far, { label: `gateway-${name}`, address: '10.98.0.2', udp: [500, 4500], ike, esp })
    await strongswan.swanctl('--initiate', '--child', `net-${name}`)
    const address = strongswan.log().match(/installing new virtual IP (10\.9\.0\.\d+)/)?.[1]
    lab.expect(address !== undefined, `charon installed virtual address ${address} out of our pool`)
    await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1')
    await transferBetween(lab, near, far, '10.1.0.1')
    await expectEspInUdp(lab, strongswan, name, 20e6)
    if (index === 0) {
      const since = gateway.mark
      await strongswan.swanctl('--terminate', '--ike', `up-${name}`)
      const { byPeer, reason } = await gateway.closed({ since })
      lab.expect(byPeer === true, `their Delete: our gateway reports the SA closed by the peer (${reason})`)
      await gateway.stop()
    } else {
      const since = strongswan.log().length
      await gateway.stop()
      lab.note(
        `our Delete, as the gateway stops: charon says "${await strongswan.waitForLog(/received DELETE for IKE_SA[^\n]*/, { since })}"`,
      )
    }
  }
}
