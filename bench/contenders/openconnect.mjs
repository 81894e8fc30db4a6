import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../../interop/lib/process.mjs'
import { GATEWAY } from '../lib/two-ends.mjs'
import { certificate } from './certificates.mjs'
import { firstLine, needs, TUN } from './installed.mjs'

const PASSWORD = 'a password that only a benchmark has'

/** openconnect to ocserv in TLS over TCP alone: no DTLS beside it. */
export const openconnect = {
  name: 'openconnect + ocserv',
  group: 'peer',
  outer: 'TLS over TCP',
  isInstalled: () => needs({ openconnect: 'openconnect', ocserv: 'ocserv', ocpasswd: 'ocserv', openssl: 'openssl' }, TUN),
  version: () => `${firstLine(['openconnect', '--version'], /version v?(\S+)/)} + ${firstLine(['ocserv', '--version'], /ocserv (\S+)/)}`,

  async start(ends) {
    const { connect, address } = await serveOcserv(ends)
    const client = connect()
    await client.waitForLine(/^Configured as|^Connected as|SSL connected\. DTLS/)
    return { address }
  },
}

/** The server alone. @returns {Promise<{ connect: () => import('../../interop/lib/process.mjs').LabProcess, address: string }>} `connect`: a client begins */
export async function serveOcserv(ends) {
  const dir = ends.folder('ocserv')
  const { ca, of } = await certificate(dir, ['server'])
  const at = (name) => join(dir, name)
  await must(['ocpasswd', '--passwd', at('users'), 'bench'], { input: `${PASSWORD}\n${PASSWORD}\n` })
  writeFileSync(at('ocserv.conf'), serverSettings(at, of('server'), ends.unique('o')))
  writeFileSync(at('client.sh'), CLIENT_SCRIPT, { mode: 0o700 })
  const server = ends.backgroundIn(ends.gateway, 'ocserv', ['ocserv', '--foreground', '--debug', '2', '--config', at('ocserv.conf')])
  await server.waitForLine(/initialized ocserv|listening \(TCP\)/)
  writeFileSync(at('password'), `${PASSWORD}\n`, { mode: 0o600 })
  const words = [
    'openconnect',
    '--no-dtls',
    '--protocol',
    'anyconnect',
    '--user',
    'bench',
    '--passwd-on-stdin',
    '--script',
    at('client.sh'),
  ]
  const withPassword = ['sh', '-c', 'file=$1; shift; exec "$@" < "$file"', 'sh', at('password')]
  const argv = [...withPassword, ...words, '--cafile', ca, '--resolve', `server:${GATEWAY}`, 'https://server']
  return { connect: () => ends.backgroundIn(ends.client, 'openconnect', argv), address: '10.33.0.1' }
}

const serverSettings = (at, { certificate: pem, key }, device) => `auth = "plain[passwd=${at('users')}]"
listen-host = ${GATEWAY}
tcp-port = 443
run-as-user = root
run-as-group = root
socket-file = ${at('ocserv.sock')}
server-cert = ${pem}
server-key = ${key}
isolate-workers = false
max-clients = 16
max-same-clients = 4
keepalive = 32400
compression = false
device = ${device.slice(0, 8)}
ipv4-network = 10.33.0.0
ipv4-netmask = 255.255.255.0
route = 10.33.0.0/255.255.255.0
predictable-ips = true
use-occtl = false
pid-file = ${at('ocserv.pid')}
`

/** Instead of vpnc-script, which would change the machine's resolver. */
const CLIENT_SCRIPT = `#!/bin/sh
[ "$reason" = connect ] || exit 0
ip addr add "$INTERNAL_IP4_ADDRESS/24" dev "$TUNDEV"
ip link set dev "$TUNDEV" mtu "$INTERNAL_IP4_MTU" up
`
