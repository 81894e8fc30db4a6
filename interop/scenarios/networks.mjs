import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hundredPings } from '../lib/transfer.mjs'
import { startClient, startGateway } from '../lib/underpass.mjs'

export const title =
  'our client by a name of two addresses, one of them dead; what it learns of a network; a cable that is pulled at the far end'

const NAME = 'gateway.test'
const GATEWAY = '10.98.9.2'
/** Routed, and nobody's. */
const DEAD = 'fd98:9::dead'

export async function run(lab) {
  const [client, router, server] = [await lab.namespace('a'), await lab.namespace('r'), await lab.namespace('b')]
  await lab.link(
    { namespace: client, device: 'cable', address: '10.98.1.1/24' },
    { namespace: router, device: 'cable', address: '10.98.1.2/24' },
  )
  await lab.link(
    { namespace: client, device: 'air', address: '10.98.2.1/24' },
    { namespace: router, device: 'air', address: '10.98.2.2/24' },
  )
  await lab.link(
    { namespace: router, device: 'out', address: '10.98.9.1/24' },
    { namespace: server, device: 'wire', address: `${GATEWAY}/24` },
  )
  await lab.mustIn(client, ['ip', 'addr', 'add', 'fd98:1::1/64', 'dev', 'cable', 'nodad'])
  await lab.mustIn(router, ['ip', 'addr', 'add', 'fd98:1::2/64', 'dev', 'cable', 'nodad'])
  await lab.mustIn(router, ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
  await lab.mustIn(router, ['ip', '-6', 'route', 'add', 'blackhole', 'fd98:9::/64'])
  await lab.mustIn(server, ['ip', 'route', 'add', 'default', 'via', '10.98.9.1'])
  await lab.mustIn(client, ['ip', 'route', 'add', 'default', 'via', '10.98.1.2', 'metric', '100'])
  await lab.mustIn(client, ['ip', 'route', 'add', 'default', 'via', '10.98.2.2', 'metric', '600'])
  await lab.mustIn(client, ['ip', '-6', 'route', 'add', 'default', 'via', 'fd98:1::2'])
  hosts(lab, client, `${DEAD} ${NAME}\n${GATEWAY} ${NAME}\n`)

  const gateway = await startGateway(lab, server, { address: GATEWAY, udp: [500, 4500], tcp: [4500] })
  const settings = { gateway: NAME, transports: ['udp', 'tcp:4500'], remote: ['10.1.0.0/24'] }

  // RFC 8305 §5.
  const open = startClient(lab, client, settings)
  await open.established()
  lab.expect(tried(open).join() === `udp:500 at ${DEAD},udp:500 at ${GATEWAY}`, `tried: ${tried(open).join(', ')}`, tried(open).join())
  lab.expect(chosen(open) === `udp:500 at ${GATEWAY}`, `chosen: ${chosen(open)}`, chosen(open))
  lab.note(`open: ${took(open)} ms, the dead address not known yet`)
  await hundredPings(lab, (argv) => lab.in(client, argv), '10.1.0.1', { from: 'the client by its name' })
  await open.stop()

  const again = startClient(lab, client, settings)
  await again.established()
  lab.note(`open: ${took(again)} ms, the dead address known`)
  const learnt = memory(lab)
  lab.expect(
    learnt.entries.length === 1 && learnt.entries[0].transport === `udp:500 at ${DEAD}`,
    'that UDP gets to one of them only is on disk',
  )
  lab.expect(learnt.mode === 0o600, 'for its owner alone')

  // A switch between us and the router loses its power: our end has no carrier, and the kernel's routes stay.
  const since = again.mark
  const began = Date.now()
  await lab.mustIn(router, ['ip', 'link', 'set', 'cable', 'down'])
  const { to } = await again.waitFor('path-moved', { since, timeout: 15_000 })
  lab.note(`the cable is pulled at the far end: moved after ${Date.now() - began} ms`)
  lab.expect(to.transport === 'udp' && to.local.address === '10.98.2.1', 'to UDP by the air', JSON.stringify(to))
  const way = await lab.in(client, ['ip', 'route', 'get', GATEWAY])
  lab.expect(/dev air/.test(way.stdout), 'where the kernel would have gone on by the cable, the gateway has a route of its own', way.stdout)
  await hundredPings(lab, (argv) => lab.in(client, argv), '10.1.0.1', { from: 'the client by the air' })
  await lab.mustIn(router, ['ip', 'link', 'set', 'cable', 'up'])
  await sleep(1_500)
  const back = await lab.in(client, ['ip', 'route', 'get', GATEWAY])
  lab.expect(/dev cable/.test(back.stdout), 'and none any more once the cable is back', back.stdout)
  await again.stop()

  // RFC 9329 §5.1 (T-FB-4): a network that blocks UDP, met for the first time and again by another process.
  await lab.mustIn(router, ['nft', '-f', '-'], { input: FIREWALL })
  const first = startClient(lab, client, settings)
  await first.established()
  lab.expect(chosen(first) === `tcp:4500 at ${GATEWAY}`, 'UDP is blocked: TCP', chosen(first))
  lab.note(`blocked: ${took(first)} ms the first time`)
  await first.stop()
  const second = startClient(lab, client, settings)
  await second.established()
  lab.expect(chosen(second) === `tcp:4500 at ${GATEWAY}`, 'and once more', chosen(second))
  const reasons = second.events('transport-tried').map(({ reason }) => reason)
  lab.expect(
    reasons.slice(1).every((reason) => /did not get through lately/.test(reason)),
    `a process after it waits for nothing: ${reasons.at(-1)}`,
    reasons.join('; '),
  )
  lab.note(`blocked: ${took(second)} ms where that is known`)
  await second.stop()
  const { packets } = await udpPassed(lab, router)
  lab.expect(packets > 0, `the firewall lost ${packets} datagrams`)
  await gateway.stop()
}

const FIREWALL = `table inet lab {
  chain forward {
    type filter hook forward priority 0
    udp dport { 500, 4500 } counter drop
    udp sport { 500, 4500 } counter drop
  }
}
`

const tried = (app) => app.events('transport-tried').map(({ transport }) => transport)
const chosen = (app) => app.events('transport-chosen').at(-1)?.transport

/** From the first attempt to the tunnel. */
function took(app) {
  const [begun] = app.events('transport-tried')
  return Date.parse(app.events('tunnel-up')[0].at) - Date.parse(begun.at)
}

/** ip-netns(8): what stands there is the namespace's /etc. */
function hosts(lab, namespace, text) {
  const folder = join('/etc/netns', namespace)
  mkdirSync(folder, { recursive: true })
  lab.defer(async () => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'hosts'), `127.0.0.1 localhost\n${text}`)
}

function memory(lab) {
  const file = join(lab.folder('client'), 'underpass/networks.json')
  return { ...JSON.parse(readFileSync(file, 'utf8')), mode: statSync(file).mode & 0o777 }
}

async function udpPassed(lab, router) {
  const { stdout } = await lab.in(router, ['nft', '-j', 'list', 'ruleset'])
  const counters = [...stdout.matchAll(/"packets": ?(\d+)/g)].map(([, packets]) => Number(packets))
  return { packets: counters.reduce((sum, one) => sum + one, 0) }
}
