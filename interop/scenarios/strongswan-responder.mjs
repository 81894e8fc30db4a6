import { SUITES, strongswanResponder } from '../lib/peer-configs.mjs'
import { startStrongswan } from '../lib/strongswan.mjs'
import { expectEspInUdp } from '../lib/strongswan-evidence.mjs'
import { hundredPings, transferBetween } from '../lib/transfer.mjs'
import { startClient } from '../lib/underpass.mjs'

export const title =
  'our client to strongSwan over UDP: AEAD with X25519, CBC and HMAC with MODP-2048; virtual address, traffic, both Deletes'

export async function run(lab) {
  const [near, far] = [await lab.namespace('a'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.0.1/24' }, { namespace: far, device: 'wire', address: '10.98.0.2/24' })
  await lab.innerAddress(far, '10.2.0.1/24')
  await lab.allowOnly(far, 'udp')
  const strongswan = await startStrongswan(lab, far, { swanctlConf: strongswanResponder({ address: '10.98.0.2' }) })

  for (const [index, { name, ike, esp }] of SUITES.entries()) {
    lab.note(`-- ${name}`)
    const client = startClient(lab, near, {
      label: `client-${name}`,
      gateway: '10.98.0.2',
      transports: ['udp'],
      remote: ['10.2.0.0/24'],
      ike,
      esp,
    })
    const { address } = await client.established()
    lab.expect(/^10\.8\.0\.\d+$/.test(address), `virtual address ${address} out of strongSwan's pool`, address)
    await hundredPings(lab, (argv) => lab.in(near, argv), '10.2.0.1')
    await transferBetween(lab, near, far, '10.2.0.1')
    await expectEspInUdp(lab, strongswan, name, 20e6)
    if (index === 0) {
      const since = strongswan.log().length
      await client.stop()
      lab.note(`our Delete: charon says "${await strongswan.waitForLog(/received DELETE for IKE_SA[^\n]*/, { since })}"`)
    } else {
      const since = client.mark
      await strongswan.swanctl('--terminate', '--ike', 'road')
      const { byPeer, reason } = await client.closed({ since })
      lab.expect(byPeer === true, `their Delete: our client reports the SA closed by the peer (${reason})`)
      await client.stop()
    }
  }
}
