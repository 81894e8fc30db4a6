// IKE_SA_INIT and IKE_AUTH with a shared secret, an inner address and a Child SA, between two cores over TCP in memory; beside it
// strongSwan's, between two of its daemons.
import { createClient, createGateway, Pair } from '../lib/cores.mjs'
import { interleave } from '../lib/measure.mjs'
import { fastestProvider } from '../lib/providers.mjs'
import { strongswanHandshakes } from '../lib/strongswan-handshakes.mjs'

/** A gateway is replaced before the number of its SAs matters; `memory` is about many. */
const PER_GATEWAY = 200

export async function run({ quick }) {
  const provider = fastestProvider()
  const cases = ['x25519', 'ecp256', 'modp2048'].map((keyExchange) => handshaking(keyExchange, provider))
  const results = interleave(cases, quick ? { rounds: 3, milliseconds: 400 } : { rounds: 7, milliseconds: 1000 })
  const rows = results.map(({ case: { keyExchange }, perSecond, perCpuSecond, extra }) => ({
    who: 'Underpass',
    keyExchange,
    perSecond,
    perCpuSecond,
    ...extra,
  }))
  const peer = await strongswanHandshakes(quick ? { rounds: 1, batches: 4 } : { rounds: 5, batches: 10 })
  return { rows: [...rows, ...peer.rows], notes: peer.notes }
}

function handshaking(keyExchange, provider) {
  const ike = `aes256gcm16-prfsha256-${keyExchange}`
  let gateway
  let number = 0
  let done = 0
  let cpuSeconds
  return {
    keyExchange,
    begin() {
      gateway = undefined
      done = 0
      cpuSeconds = { client: 0, gateway: 0 }
    },
    work() {
      if (gateway === undefined || number % PER_GATEWAY === 0) gateway = createGateway({ provider, ike })
      number++
      const client = createClient({ name: `client${number}`, provider, transport: 'tcp', ike })
      const pair = new Pair(gateway, client, number)
      pair.isTimed = true
      pair.connect()
      done++
      cpuSeconds.client += pair.cpuSeconds.client
      cpuSeconds.gateway += pair.cpuSeconds.gateway
      return 1
    },
    end: () => ({ clientPerCpuSecond: done / cpuSeconds.client, gatewayPerCpuSecond: done / cpuSeconds.gateway }),
  }
}
