import { probe } from '../lib/probe.mjs'
import { startGateway } from '../lib/underpass.mjs'

export const title = 'the raw prober, which shares no code with the product, against our gateway over TCP'

export async function run(lab) {
  const [near, far] = [await lab.namespace('a'), await lab.namespace('b')]
  await lab.link({ namespace: near, device: 'wire', address: '10.98.0.1/24' }, { namespace: far, device: 'wire', address: '10.98.0.2/24' })
  await lab.allowOnly(far, 'tcp')
  // Something that answers a SYN behind the gateway, for the checks that ask where it sends.
  lab.backgroundIn(far, 'inner-listener', ['nc', '-lk', '7777'])
  const gateway = await startGateway(lab, far, { address: '10.98.0.2', tcp: [4500] })
  await probe(lab, near, { host: '10.98.0.2', inner: '10.1.0.1', innerPort: 7777 })
  lab.expect(gateway.background.exitCode === undefined, 'our gateway is still running')
  const established = gateway.events('ike-sa-established').length
  lab.expect(established > 0, `our gateway reports ${established} IKE SAs established, every one over TCP`)
  await gateway.stop()
}
