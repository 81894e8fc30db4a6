// A tunnel of ours for the suite `overhead`: any transport, ESP suite and outer IP version; what `underpass.mjs` of the contenders has no words for.
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../../tools/runtimes.mjs'
import { CLIENT, GATEWAY } from './two-ends.mjs'

const PROGRAMS = { gateway: join(root, 'apps/gateway/dist/underpass-gateway.js'), client: join(root, 'apps/client/dist/underpass.js') }
const SECRET = 'a shared secret that only a benchmark has'
const OUTER = { 4: { gateway: GATEWAY, client: CLIENT }, 6: { gateway: 'fd00:30::1', client: 'fd00:30::2' } }

/**
 * @param {{ transport: 'tcp' | 'udp', suite: string, esn: boolean, family: 4 | 6, mtu: number }} how `family`: the outer IP version
 * @returns {Promise<{ address: string }>} the gateway's inner address
 */
export async function startTunnel(ends, { transport, suite, esn, family, mtu }) {
  const { gateway, client } = OUTER[family]
  if (family === 6)
    for (const [namespace, address] of [
      [ends.gateway, gateway],
      [ends.client, client],
    ])
      await ends.mustIn(namespace, ['ip', '-6', 'addr', 'add', `${address}/64`, 'dev', 'outer', 'nodad'])
  const child = `esp = ["${suite}"]\nesn = ${esn}`
  const tun = `[tun]\ndevice = "tun"\nmtu = ${mtu}`
  const answering = start(
    ends,
    ends.gateway,
    'gateway',
    [PROGRAMS.gateway, 'run'],
    [
      `[listen]\naddress = ["${gateway}"]\nudp = [${transport === 'udp' ? '500, 4500' : ''}]\ntcp = [${transport === 'tcp' ? '4500' : ''}]`,
      `${tun}\naddress = ["10.30.0.1/24"]`,
      `[[connection]]\nname = "bench"\nlocal_id = "@gateway"\nremote_id = "@client"\npsk = "${SECRET}"`,
      `local = ["10.30.0.0/24"]\npool = { ranges = ["10.31.0.10-10.31.0.20"] }\n${child}`,
    ],
  )
  await answering.waitForLine(/"listening"|"ready"|"started"/, 5_000).catch(() => {})
  const dialling = start(
    ends,
    ends.client,
    'client',
    [PROGRAMS.client, 'up'],
    [
      `[peer]\ngateway = "${gateway}"\ntransports = ["${transport === 'tcp' ? 'tcp:4500' : 'udp'}"]\nlocal_id = "@client"\nremote_id = "@gateway"`,
      `psk = "${SECRET}"\nremote = ["10.30.0.0/24"]\n${child}\n${tun}`,
    ],
  )
  await dialling.waitForLine(/"tunnel-up"/, 20_000)
  return { address: '10.30.0.1' }
}

function start(ends, namespace, label, words, settings) {
  const file = join(ends.folder(label), 'config.toml')
  const control = join(tmpdir(), `${ends.prefix}-${label}.sock`)
  ends.defer(async () => rmSync(control, { force: true }))
  writeFileSync(file, `control = "${control}"\n${settings.join('\n')}\n`, { mode: 0o600 })
  return ends.backgroundIn(namespace, label, [process.execPath, ...words, '--config', file, '--json'])
}
