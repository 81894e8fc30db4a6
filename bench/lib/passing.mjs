// The cases of `core`: packets that pass from a client's TUN to a gateway's.
import { createClient, createGateway, Pair } from './cores.mjs'
import { batchOf, udpPacket } from './packets.mjs'
import { fastestProvider, noCipher } from './providers.mjs'

export function passingCases() {
  const provider = fastestProvider()
  const cases = []
  for (const transport of ['tcp', 'udp'])
    for (const size of [64, 1400]) for (const cipher of [provider, noCipher]) cases.push(passing(transport, size, 64, cipher))
  for (const transport of ['tcp', 'udp']) cases.push(passing(transport, 64, 1, provider))
  return cases
}

function passing(transport, size, batch, provider) {
  const gateway = createGateway({ provider })
  const pair = new Pair(gateway, createClient({ name: 'client', provider, transport })).connect()
  const packets = batchOf(Array.from({ length: batch }, () => udpPacket(pair.assigned, '10.2.0.1', size)))
  const times = Math.ceil(256 / batch)
  return {
    labels: { transport, size, batch, provider: provider.name },
    work() {
      const before = pair.received
      for (let i = 0; i < times; i++) pair.send(packets)
      if (pair.received - before !== times * batch) throw new Error(`${transport}: packets were lost`)
      return times * batch
    },
  }
}
