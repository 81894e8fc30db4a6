// The demonstration itself, wherever it runs: start both ends, watch the fallback, send traffic, tell what came of it.
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { grouped, megabytes, milliseconds } from './screen.mjs'

const FILE_OCTETS = 20_000_000
const PINGS = 20
const BURST = { count: 1_000, octets: 1_200 }

/** Answers what came of it, for --json; throws where a check fails, with the results on the error. */
export async function tellStory({ lab, screen, options }) {
  const started = performance.now()
  screen.heading('Underpass: a gateway and a client on this machine, and no UDP between them')
  for (const line of lab.words) screen.plain(`  ${line}`)
  if (options.place === 'memory') screen.plain(`  (no namespaces: ${options.reasons.join('; ')})`)

  screen.heading('What happens')
  const file = join(lab.dir, 'file.bin')
  writeFileSync(file, randomBytes(FILE_OCTETS))
  const psk = `0x${randomBytes(32).toString('hex')}`
  const gateway = await lab.startGateway({ psk, file })
  screen.event(`gateway: listening on ${portsOf(gateway.listening)}`)
  const before = await lab.program('reach.mjs', [lab.server.address, lab.server.http])
  screen.event(`client: without a tunnel the server behind the gateway cannot be reached (${before.how})`)

  const tunnel = await raiseTunnel({ lab, screen, psk })
  const udp = lab.udpSeen()
  screen.event(`UDP outside the tunnel: the client sent ${udp.sent} datagrams, ${udp.arrived} arrived at the gateway`)

  screen.heading('Traffic through the tunnel, by programs that know nothing of it')
  const checks = [
    {
      name: 'no way without the tunnel',
      ok: before.reached === false,
      detail: before.reached ? 'the server answered' : `refused before (${before.how})`,
      bytes: 0,
    },
    {
      name: 'fallback to TCP',
      ok: tunnel.transport === 'tcp' && udp.sent > 0 && udp.arrived === 0,
      detail: `${tunnel.path}, ${udp.arrived} of ${udp.sent} UDP datagrams got through`,
      bytes: 0,
    },
  ]
  const atFirst = await espCounters(lab)
  for (const check of [ping, download, burst, () => counted(lab, atFirst)]) {
    for (const result of [await check({ lab, file })].flat()) {
      checks.push(result)
      screen.check(result)
    }
  }

  const ok = checks.every((check) => check.ok)
  screen.heading('Result')
  screen.table([['', 'check', 'figures'], ...checks.map(({ name, ok: passed, detail }) => [passed ? 'ok' : 'FAIL', name, detail])])
  screen.plain(`\n  tried ${tunnel.tried.map(({ transport, outcome }) => `${transport} (${outcome})`).join(', then ')}; ${tunnel.reason}`)
  screen.plain(`  ${checks.filter((check) => check.ok).length} of ${checks.length} passed in ${seconds(started)}`)
  const results = {
    transport: tunnel.transport,
    tried: tunnel.tried,
    traffic: checks.slice(2).map(({ name, ok: passed, bytes, ...figures }) => ({ name, ok: passed, bytes, ...figures })),
    ...lab.facts,
    udp,
    seconds: Number(((performance.now() - started) / 1000).toFixed(1)),
  }
  if (!ok) {
    const failed = checks.filter((check) => !check.ok).map(({ name, detail }) => `${name}: ${detail}`)
    throw Object.assign(new Error(failed.join('; ')), { results })
  }
  return { ok, ...results }
}

/** Keeps the tunnel until `signal` says otherwise; throws where one of both ends by itself. */
export async function hold({ lab, screen, signal }) {
  screen.heading('The tunnel stays up until Ctrl-C. To try next, in another terminal:')
  for (const command of lab.tryNext()) screen.plain(`\n  ${command}`)
  screen.plain()
  while (!signal.aborted) {
    const gone = lab.apps.find(({ exitCode }) => exitCode !== undefined)
    if (gone !== undefined) throw new Error(`the ${gone.label} ended with ${gone.exitCode}`)
    await new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, 500)
      signal.addEventListener('abort', done)
    })
  }
  screen.plain('\nstopping …')
}

/** Follows the client until its tunnel is up, in words. */
async function raiseTunnel({ lab, screen, psk }) {
  const tried = []
  const attempt = ({ transport }) => tried.findLast((one) => one.transport === transport)
  const onEvent = (event) => {
    if (event.kind === 'transport-tried') {
      tried.push({ transport: event.transport, outcome: 'pending', reason: event.reason })
      screen.event(`client: tries ${event.transport} (${event.reason})`)
    } else if (event.kind === 'transport-failed') {
      Object.assign(attempt(event), { outcome: 'failed', reason: event.reason, milliseconds: Math.round(event.afterMilliseconds) })
      screen.event(`client: ${event.transport} failed after ${(event.afterMilliseconds / 1000).toFixed(1)} s: ${event.reason}`, 'bad')
    } else if (event.kind === 'ike-sa-established')
      screen.event(`client: IKE SA with ${event.remoteId} over ${event.path.transport.toUpperCase()} (${event.proposal})`)
    else if (event.kind === 'child-sa-installed') screen.event(`client: Child SA for ESP (${event.proposal})`)
    else if (event.kind === 'transport-chosen') {
      Object.assign(attempt(event), { outcome: 'chosen', reason: event.reason })
      screen.event(`client: chose ${event.transport}: ${event.reason}`, 'good')
    }
  }
  const client = lab.startClient({ psk, onEvent })
  const up = await client.event('tunnel-up', 20_000)
  await lab.tunnelUp?.(up)
  const where = lab.facts.device === 'memory' ? 'in memory, without an interface,' : `on ${up.device}`
  screen.event(`client: the tunnel is up, ${up.addresses.join(', ')} ${where} over ${up.path}, to ${up.remoteTs.join(', ')}`, 'good')
  return { transport: up.path.split(' ')[0], path: up.path, reason: tried.find(({ outcome }) => outcome === 'chosen').reason, tried }
}

async function ping({ lab }) {
  const { by, received, mean, max, octets } = await lab.ping(PINGS)
  const times = received > 0 ? `, mean ${milliseconds(mean)}, longest ${milliseconds(max)}` : ''
  return { name: 'ping', ok: received === PINGS, bytes: octets, detail: `${received} of ${PINGS} answered${times} (${by})` }
}

async function download({ lab, file }) {
  const target = join(lab.dir, 'downloaded.bin')
  const { octets, seconds: took } = await lab.program('download.mjs', [lab.server.address, lab.server.http, target])
  const [sent, received] = [readFileSync(file), readFileSync(target)]
  const ok = sent.equals(received)
  const hash = createHash('sha256').update(received).digest('hex')
  const verdict = ok ? `equal byte for byte, SHA-256 ${hash.slice(0, 12)}…` : 'NOT equal to what was sent'
  return {
    name: 'HTTP download',
    ok,
    bytes: octets,
    detail: `${megabytes(octets)} in ${took.toFixed(2)} s, ${(octets / 1e6 / took).toFixed(0)} MB/s, ${verdict}`,
  }
}

/** UDP: there is no retransmission to hide a loss. */
async function burst({ lab }) {
  const words = [lab.server.address, lab.server.udp, `${BURST.count}`, `${BURST.octets}`]
  const { out, back } = await lab.program('burst.mjs', words)
  const told = (name, { arrived, seconds: took }) => ({
    name,
    ok: arrived === BURST.count,
    bytes: arrived * BURST.octets,
    detail: `${grouped(arrived)} of ${grouped(BURST.count)} UDP datagrams of ${grouped(BURST.octets)} bytes arrived, ${took.toFixed(2)} s`,
  })
  return [told('burst to the gateway', out), told('burst to the client', back)]
}

/** What the gateway says of it: every byte above went through its Child SA. */
async function counted(lab, before) {
  const after = await espCounters(lab)
  const [packetsIn, packetsOut] = [after.packetsIn - before.packetsIn, after.packetsOut - before.packetsOut]
  const [octetsIn, octetsOut] = [after.octetsIn - before.octetsIn, after.octetsOut - before.octetsOut]
  const burstOctets = BURST.count * BURST.octets
  return {
    name: 'ESP counted by the gateway',
    ok: after.transport === 'tcp' && octetsIn > burstOctets && octetsOut > FILE_OCTETS + burstOctets,
    bytes: octetsIn + octetsOut,
    detail: `in ${grouped(packetsIn)} packets, ${megabytes(octetsIn)}; out ${grouped(packetsOut)} packets, ${megabytes(octetsOut)}; over ${after.transport.toUpperCase()}`,
  }
}

async function espCounters(lab) {
  const { session } = await lab.status('gateway')
  const [sa] = session.ikeSas
  const [child] = sa?.children ?? []
  if (child === undefined) throw new Error('the gateway has no Child SA')
  return { ...child, transport: sa.path.transport }
}

/** ['0.0.0.0:500/udp', '[::]:500/udp', '[::]:4500/tcp'] as 'UDP 500, TCP 4500'. */
function portsOf(listening) {
  const words = listening.map((at) => /:(\d+)\/(\w+)$/.exec(at)).map(([, port, protocol]) => `${protocol.toUpperCase()} ${port}`)
  return [...new Set(words)].join(', ')
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}
