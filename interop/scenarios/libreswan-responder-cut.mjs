import { expectNothingDropped, forSeconds, resetting, stalling } from '../lib/firewall.mjs'
import { startLibreswan } from '../lib/libreswan.mjs'
import { bytesMoved, expectEspInTcp, expectNoDatagrams, spisOf } from '../lib/libreswan-evidence.mjs'
import { CLIENT_ID, libreswanResponder } from '../lib/peer-configs.mjs'
import { until } from '../lib/process.mjs'
import { startEchoFlow } from '../lib/transfer.mjs'
import { startClient } from '../lib/underpass.mjs'

export const title =
  'RFC 9329 §6.1 (T-LIFE-4, T-LIFE-5, T-LIFE-6, T-LIFE-12): our client to Libreswan, the connection reset, stalled and dead unseen: the SAs stay'

export async function run(lab) {
  const namespace = await lab.namespace('a')
  const peerConf = libreswanResponder({ clients: [{ name: 'road', id: CLIENT_ID, pool: '10.8.0.10-10.8.0.20' }] })
  const libreswan = await startLibreswan(lab, namespace, peerConf)
  await lab.allowOnly(namespace, 'tcp')
  await libreswan.serveEcho()
  const client = startClient(lab, namespace, {
    gateway: '10.99.0.2',
    transports: ['tcp:4500'],
    remote: ['10.2.0.0/24'],
    ike: 'aes256gcm16-prfsha256-x25519',
  })
  await client.established()
  const before = await expectEspInTcp(lab, libreswan)
  const cut = { lab, namespace, libreswan, client, spis: spisOf(before) }

  await redials(cut, 'ss -K in the guest resets it', () => libreswan.resetConnections())
  await redials(cut, 'nft answers both ends with a reset', async ({ port }) => {
    const since = client.mark
    await resetting(namespace, port, () => client.waitFor('connection-closed', { since }))
  })
  await stalls(cut)
  await redials(cut, 'it is lost for 1 s, and dies in the guest meanwhile, unheard', async ({ port }) => {
    await stalling(namespace, port, async () => {
      await libreswan.resetConnections()
      await forSeconds(1)()
    })
  })

  lab.expect(client.events('ike-sa-established').length === 1, 'one IKE SA from the beginning to the end')
  lab.expect(client.events('child-sa-installed').length === 1, 'and one Child SA')
  await bytesMoved(lab, libreswan, before, 4e6)
  await client.stop()
  await expectNothingDropped(lab, namespace)
  await expectNoDatagrams(lab, libreswan)
}

/** Our client dials again, says UPDATE_SA_ADDRESSES first, and a TCP connection inside goes through it. */
async function redials({ lab, namespace, libreswan, client, spis }, what, breakIt) {
  const flow = await startEchoFlow(lab, namespace, '10.2.0.1', { label: `flow-${client.mark}` })
  await forSeconds(1)()
  const port = await portOf(client)
  const [since, logged] = [client.mark, libreswan.log().length]
  await breakIt({ port })
  await client.waitFor('connection-opened', { since, timeout: 30_000 })
  const said = await libreswan.waitForLog(/IKETCP ACCEPTED[^\n]*\n(?:[^\n]*IKETCP[^\n]*\n)*[^\n]*MOBIKE update remote address[^\n]*/, {
    since: logged,
  })
  lab.note(
    `pluto, of the new connection: "${said
      .split('\n')
      .at(-1)
      .replace(/^.*?: /, '')
      .trim()}"`,
  )
  const states = await libreswan.xfrmStates()
  const now = await portOf(client)
  const moved = states.length === 2 && states.every(({ encap, ports }) => encap === 'espintcp' && ports.split('→').includes(String(now)))
  lab.expect(
    now !== port && spisOf(states) === spis && moved,
    `the same SPIs, ${spis}, on port ${now} instead of ${port}`,
    states.map(({ spi, encap, ports }) => `${spi} ${encap} ${ports}`).join('; '),
  )
  await forSeconds(1)()
  await flow.end(what)
}

/** A stall that TCP itself survives: nobody dials. */
async function stalls({ lab, namespace, libreswan, client, spis }) {
  const flow = await startEchoFlow(lab, namespace, '10.2.0.1', { label: 'flow-stalled' })
  await forSeconds(1)()
  const since = client.mark
  await stalling(namespace, await portOf(client), forSeconds(2))
  await flow.end('it is lost for 2 s, both ways')
  lab.expect(client.events('connection-closed', since).length === 0, 'on the same connection')
  lab.expect(spisOf(await libreswan.xfrmStates()) === spis, `and the same SPIs, ${spis}`)
}

async function portOf(client) {
  return await until('the SA to be on a connection', async () => (await client.status()).session.ikeSas[0]?.path?.local.port)
}
