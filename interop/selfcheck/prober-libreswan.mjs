import { startLibreswan } from '../lib/libreswan.mjs'
import { CLIENT_ID, libreswanResponder } from '../lib/peer-configs.mjs'
import { probe } from '../lib/probe.mjs'

export const title = 'the raw prober against Libreswan, with what Libreswan is known to do: the prober is right about a peer of others'

export async function run(lab) {
  const namespace = await lab.namespace('a')
  const libreswan = await startLibreswan(
    lab,
    namespace,
    libreswanResponder({ clients: [{ name: 'road', id: CLIENT_ID, pool: '10.8.0.10-10.8.0.40' }] }),
  )
  await lab.allowOnly(namespace, 'tcp')
  await probe(lab, namespace, { host: '10.99.0.2', peer: 'libreswan', inner: '10.2.0.1', innerPort: 2323 })
  const status = await libreswan.globalStatus()
  lab.expect(
    Number(status.get('total.iketcp.server.started')) > 0,
    `whack --globalstatus: total.iketcp.server.started=${status.get('total.iketcp.server.started')}`,
  )
  lab.note(`pluto ended ${libreswan.log().split('PLUTO ENDED').length - 1} times in it and was started again`)
}
