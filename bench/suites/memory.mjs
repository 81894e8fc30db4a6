// What an idle client costs a gateway's core: one TCP connection, one IKE SA, one Child SA, its leased address. Sockets are not in it.
import { setImmediate } from 'node:timers/promises'
import { nobleProvider } from '@underpass/esp-crypto'
import { createClient, createGateway, Pair } from '../lib/cores.mjs'
import { spread } from '../lib/measure.mjs'
import { aeadProviders } from '../lib/providers.mjs'

/** The quickest of the key exchanges: it leaves nothing behind. */
const IKE = 'aes256gcm16-prfsha256-ecp256'

export async function run({ quick }) {
  if (globalThis.gc === undefined) throw new Error('memory is measured under --expose-gc')
  const { providers, missing } = aeadProviders()
  const rows = []
  for (const provider of providers) rows.push(await measure(provider, quick ? 300 : 2000, quick ? 3 : 4))
  return { rows, notes: missing }
}

async function measure(provider, clients, steps) {
  // What is made once, code included, is not a client's.
  connectMany(createGateway({ provider, ike: IKE }), 0, 100)
  const gateway = createGateway({ provider, ike: IKE })
  connectMany(gateway, 0, 10)
  const before = await usage()
  const perStep = Math.floor(clients / steps)
  const heap = []
  const external = []
  let last = before
  for (let step = 0; step < steps; step++) {
    connectMany(gateway, 10 + step * perStep, perStep)
    const now = await usage()
    heap.push((now.heap - last.heap) / perStep)
    external.push((now.external - last.external) / perStep)
    last = now
  }
  const counted = perStep * steps
  if (gateway.ikeSas.size !== counted + 10) throw new Error(`${gateway.ikeSas.size} IKE SAs are there, not ${counted + 10}`)
  return {
    provider: provider.name,
    clients: counted,
    heap: spread(heap),
    external: spread(external),
    total: Math.round((last.heap + last.external - before.heap - before.external) / counted),
    resident: Math.round((last.resident - before.resident) / counted),
  }
}

/** The client's end is forgotten as soon as it is up; its ciphers hold nothing outside the heap. */
function connectMany(gateway, from, count) {
  for (let i = 0; i < count; i++) {
    const client = createClient({ name: `client${from + i}`, provider: nobleProvider, transport: 'tcp', ike: IKE })
    new Pair(gateway, client, from + i).connect()
  }
}

async function usage() {
  // Finalizers run between turns and free what the next collection then does not find.
  for (let i = 0; i < 4; i++) {
    globalThis.gc()
    await setImmediate()
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed, external, resident: rss }
}
