// node --tls-keylog=FILE record.mjs FILE, in a network namespace of its own with lo up: runs the example exchanges of RFC 9329 Appendix B
// between a real client and a real gateway, in this process, over the sockets of the system, and prints what passed as JSON: {name: [event…]}.
import { argv } from 'node:process'
import { addAddresses, Run, stream } from './run.mjs'

const KEY_LOG = argv[2]

addAddresses()
const recorded = { ...(await establishReestablishDelete()), ...(await moveWithMobike()), ...(await severalOnOneConnection()) }
process.stdout.write(JSON.stringify(recorded))

/** B.1, B.3 and B.2: one session's life. */
async function establishReestablishDelete() {
  const run = await Run.start(KEY_LOG, [stream('rfc9329')])
  await run.up()
  await run.packetsBothWays()
  const established = run.take()
  run.gateway.resetConnections()
  await run.client.event('connection-closed')
  run.take()
  await run.gateway.event('path-moved')
  await run.client.event('liveness')
  await run.packetsBothWays()
  const reestablished = run.take()
  return { 'B.1': established, 'B.3': reestablished, 'B.2': await run.end() }
}

/** B.4: begins over UDP, and comes to a network that has no UDP. */
async function moveWithMobike() {
  const run = await Run.start(KEY_LOG, [{ transport: 'udp', port: 500, natPort: 4500 }, stream('rfc9329')])
  await run.up()
  await run.packetsBothWays()
  run.move()
  await run.gateway.event('path-moved')
  await run.settled()
  await run.packetsBothWays()
  const moved = run.take()
  await run.end()
  return { 'B.4': moved }
}

/** The framing of the draft: two IKE SAs on one connection, each deleted alone. */
async function severalOnOneConnection() {
  const run = await Run.start(KEY_LOG, [stream('pauly-03')], ['one', 'two'])
  await run.up('one')
  await run.packetsBothWays('one')
  await run.up('two')
  await run.packetsBothWays('two')
  const events = run.take()
  run.client.runtime.driver.command({ kind: 'terminate', peer: 'one' })
  await run.gateway.event('ike-sa-closed')
  await run.settled()
  await run.packetsBothWays('two')
  return { 'pauly-03': [...events, ...run.take(), ...(await run.end())] }
}
