import { join } from 'node:path'
import { repository } from '../lib/lab.mjs'

export const title =
  'RFC 9329 §6.1 (T-LIFE-8), §9.3 (T-QOS-1), §9.5 (T-ECN-1): the IP headers outside, as a capture between our own ends has them'

const FIXTURE = join(repository, 'packages/host/test/fixtures/outside.mjs')
const INNER_ECN = [0, 1, 2, 3]

export async function run(lab) {
  for (const transport of ['tcp', 'udp']) {
    const namespace = await lab.namespace(transport)
    const stdout = await lab.mustIn(namespace, [process.execPath, FIXTURE, transport])
    const { client, gateway, inner, connections, sas, isTheSame } = JSON.parse(stdout)
    if (transport === 'tcp') {
      lab.expect(sas === 1 && isTheSame && connections === 3, 'one IKE SA over three connections', stdout)
      const labels = [...client.flowLabel, ...gateway.flowLabel]
      lab.expect(
        client.flowLabel.length === 1 && client.flowLabel[0] >= 0x80000 && gateway.flowLabel.length === 1,
        `one flow label either way: ${labels.join(' and ')}`,
        stdout,
      )
    }
    lab.expect(`${client.dscp}` === '34' && `${gateway.dscp}` === '46', `${transport}: every packet has the DSCP of its end`, stdout)
    lab.expect(`${client.ecn}` === '0' && `${gateway.ecn}` === '0', `${transport}: none outside is ECN-capable`, stdout)
    lab.expect(`${inner}` === `${INNER_ECN}`, `${transport}: inner ECN fields arrive as they were sent`, stdout)
  }
}
