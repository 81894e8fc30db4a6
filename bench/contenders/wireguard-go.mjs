import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must, until } from '../../interop/lib/process.mjs'
import { GATEWAY } from '../lib/two-ends.mjs'
import { firstLine, needs, TUN } from './installed.mjs'

/** WireGuard in userspace, over UDP. The kernel's own module is not used, also where it is loaded. */
export const wireguardGo = {
  name: 'wireguard-go',
  group: 'peer',
  outer: 'UDP',
  isInstalled: () => needs({ 'wireguard-go': 'wireguard-go', wg: 'wireguard-tools' }, TUN),
  version: () => firstLine(['wireguard-go', '--version'], /wireguard-go v(\S+)/),

  async start(ends) {
    const dir = ends.folder('wireguard')
    const keys = []
    for (const name of ['gateway', 'client']) {
      const secret = (await must(['wg', 'genkey'])).trim()
      writeFileSync(join(dir, name), `${secret}\n`, { mode: 0o600 })
      keys.push({ file: join(dir, name), publicKey: (await must(['wg', 'pubkey'], { input: secret })).trim() })
    }
    const [gatewayKey, clientKey] = keys
    // The control sockets of all namespaces share a folder, so the devices' names are unique.
    const gateway = await end(ends, ends.gateway, ends.unique('g'), '10.34.0.1/24')
    const client = await end(ends, ends.client, ends.unique('c'), '10.34.0.2/24')
    await ends.mustIn(ends.gateway, [
      ...['wg', 'set', gateway.device, 'listen-port', '51820', 'private-key', gatewayKey.file],
      ...['peer', clientKey.publicKey, 'allowed-ips', '10.34.0.2/32'],
    ])
    await ends.mustIn(ends.client, [
      ...['wg', 'set', client.device, 'private-key', clientKey.file],
      ...['peer', gatewayKey.publicKey, 'allowed-ips', '10.34.0.0/24', 'endpoint', `${GATEWAY}:51820`],
    ])
    return { address: '10.34.0.1' }
  },
}

async function end(ends, namespace, device, address) {
  const env = { WG_PROCESS_FOREGROUND: '1', LOG_LEVEL: 'error' }
  const process = ends.backgroundIn(namespace, device, ['wireguard-go', '--foreground', device], { env })
  await until(`wireguard-go's ${device}`, async () => (await ends.in(namespace, ['wg', 'show', device])).code === 0, 10_000, 100)
  await ends.mustIn(namespace, ['ip', 'addr', 'add', address, 'dev', device])
  await ends.mustIn(namespace, ['ip', 'link', 'set', device, 'up'])
  return { device, process }
}
