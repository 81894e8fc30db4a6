// IKE_SA_INIT and IKE_AUTH between two charons, in CPU time of both: what ours is put beside. Debian's load-tester plugin is not in its
// packages, so the initiating charon is given many connections that start by themselves.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../interop/lib/process.mjs'
import { startStrongswan } from '../../interop/lib/strongswan.mjs'
import { strongswan } from '../contenders/strongswan.mjs'
import { cpuSeconds } from './cpu.mjs'
import { spread } from './measure.mjs'
import { GATEWAY, TwoEnds } from './two-ends.mjs'

/** At once: fewer than the half-open IKE SAs from which on charon asks for cookies. */
const BATCH = 25
const SECRET = 'a shared secret that only a benchmark has'
const IKE = 'aes256gcm16-prfsha256-x25519'
const ESP = 'aes256gcm16'

/** @returns {Promise<{ rows: object[], notes: string[] }>} one row, or a note that says why not */
export async function strongswanHandshakes({ rounds, batches }) {
  const missing = process.getuid?.() === 0 ? strongswan.isInstalled() : 'measured as root only: it makes network namespaces'
  if (missing !== undefined) return { rows: [], notes: [`strongSwan: ${missing}.`] }
  const results = []
  const notes = []
  for (let round = 0; round < rounds; round++) {
    const ends = await TwoEnds.open()
    try {
      results.push(await measure(ends, batches))
    } catch (error) {
      notes.push(`strongSwan, round ${round + 1}: ${error.message.split('\n')[0]}`)
    } finally {
      for (const failure of await ends.close()) console.error(failure)
    }
  }
  if (results.length === 0) return { rows: [], notes }
  const of = (key) => spread(results.map((one) => one[key]))
  const row = { who: 'strongSwan', keyExchange: 'x25519', version: strongswan.version(), handshakes: results[0].handshakes }
  const figures = { perCpuSecond: of('both'), gatewayPerCpuSecond: of('gateway'), clientPerCpuSecond: of('client') }
  return { rows: [{ ...row, ...figures }], notes }
}

async function measure(ends, batches) {
  // An outer address for each client of a batch: charon also limits the half-open IKE SAs of one. And the inner ends, which it looks for.
  const outer = Array.from({ length: BATCH }, (_, i) => `addr add ${clientAddress(i)}/24 dev outer\n`)
  const inner = Array.from({ length: (batches + 1) * BATCH }, (_, i) => `addr add ${innerAddress(i)}/32 dev lo\n`)
  await ends.mustIn(ends.client, ['ip', '-batch', '-'], { input: [...outer, ...inner].join('') })
  await ends.innerAddress(ends.gateway, '10.1.0.1/24')
  const gateway = await startStrongswan(ends, ends.gateway, { swanctlConf: responderSettings(), label: 'gateway' })
  const client = await startStrongswan(ends, ends.client, { swanctlConf: initiatorSettings(BATCH), label: 'client' })
  const isUp = async (count) => {
    const established = () => readFileSync(join(client.dir, 'charon.log'), 'utf8').match(/CHILD_SA \S+ established/g)?.length ?? 0
    await until(`${count} IKE SAs`, () => established() >= count, 20_000, 20)
  }
  await isUp(BATCH)
  const used = () => ({ gateway: cpuSeconds([gateway.charon.pid]), client: cpuSeconds([client.charon.pid]) })
  const before = used()
  for (let batch = 2; batch <= batches + 1; batch++) {
    writeFileSync(join(client.dir, 'swanctl/swanctl.conf'), initiatorSettings(batch * BATCH))
    await client.swanctl('--load-conns')
    await isUp(batch * BATCH)
  }
  const after = used()
  const handshakes = batches * BATCH
  const [onGateway, onClient] = [after.gateway - before.gateway, after.client - before.client]
  return { handshakes, both: handshakes / (onGateway + onClient), gateway: handshakes / onGateway, client: handshakes / onClient }
}

const clientAddress = (i) => `172.30.0.${100 + (i % BATCH)}`

const innerAddress = (i) => `10.64.${i >> 8}.${i & 255}`

const secrets = `secrets {\n  ike-bench {\n    secret = "${SECRET}"\n  }\n}\n`

const responderSettings = () => `connections {
  bench {
    version = 2
    encap = yes
    local_addrs = ${GATEWAY}
    proposals = ${IKE}
    local {
      auth = psk
      id = @gateway
    }
    remote {
      auth = psk
    }
    children {
      net {
        local_ts = 10.1.0.0/24
        remote_ts = 10.64.0.0/16
        esp_proposals = ${ESP}
      }
    }
  }
}
${secrets}`

const initiatorSettings = (count) => `connections {
${Array.from({ length: count }, (_, i) => connection(i)).join('')}}
${secrets}`

const connection = (i) => `  c${i} {
    version = 2
    encap = yes
    local_addrs = ${clientAddress(i)}
    remote_addrs = ${GATEWAY}
    proposals = ${IKE}
    local {
      auth = psk
      id = @client${i}
    }
    remote {
      auth = psk
      id = @gateway
    }
    children {
      n${i} {
        local_ts = ${innerAddress(i)}/32
        remote_ts = 10.1.0.0/24
        esp_proposals = ${ESP}
        start_action = start
      }
    }
  }
`
