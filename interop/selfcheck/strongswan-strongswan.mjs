import { SUITES, strongswanInitiator, strongswanResponder } from '../lib/peer-configs.mjs'
import { startStrongswan } from '../lib/strongswan.mjs'
import { hundredPings, transferBetween } from '../lib/transfer.mjs'

export const title = 'both strongSwan configurations against each other: the laboratory without the product'

export async function run(lab) {
  const [near, far] = [await lab.namespace('a'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.0.1/24' }, { namespace: far, device: 'wire', address: '10.98.0.2/24' })
  await lab.innerAddress(far, '10.1.0.1/24')
  await lab.allowOnly(far, 'udp')
  const responderConf = strongswanResponder({ address: '10.98.0.2' }).replace('10.2.0.0/24', '10.1.0.0/24')
  const responder = await startStrongswan(lab, far, { swanctlConf: responderConf, label: 'responder' })
  const initiator = await startStrongswan(lab, near, {
    swanctlConf: strongswanInitiator({ address: '10.98.0.1', gateway: '10.98.0.2' }),
    label: 'initiator',
  })
  for (const { name } of SUITES) {
    await initiator.swanctl('--initiate', '--child', `net-${name}`)
    const sa = await responder.sa()
    lab.note(`${name}: ${sa.ike}, ${sa.esp}`)
    await hundredPings(lab, (argv) => lab.in(near, argv), '10.1.0.1')
    await transferBetween(lab, near, far, '10.1.0.1', 10)
    const after = await responder.sa()
    lab.expect(
      after.inOctets > 10e6 && after.outOctets > 10e6,
      `swanctl --list-sas counts ${after.inOctets} octets in, ${after.outOctets} out`,
      after.text,
    )
    await initiator.swanctl('--terminate', '--ike', `up-${name}`)
  }
}
