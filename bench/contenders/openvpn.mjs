import { GATEWAY } from '../lib/two-ends.mjs'
import { certificate } from './certificates.mjs'
import { firstLine, needs, TUN } from './installed.mjs'

/**
 * OpenVPN 2.6 over TCP, data in the process itself (no kernel offload), in its quickest set-up: point to point, for its server mode has an
 * epoll for each client and takes a fifth more CPU; and without Nagle's delay, with which it does half as much.
 */
export const openvpn = {
  name: 'OpenVPN',
  group: 'peer',
  outer: 'TCP',
  isInstalled: () => needs({ openvpn: 'openvpn', openssl: 'openssl' }, TUN),
  version: () => firstLine(['openvpn', '--version'], /OpenVPN (\S+)/),

  async start(ends) {
    const dir = ends.folder('openvpn')
    const { ca, of } = await certificate(dir, ['server', 'client'])
    const common = [
      '--dev',
      'tun',
      '--socket-flags',
      'TCP_NODELAY',
      '--data-ciphers',
      'AES-256-GCM',
      '--disable-dco',
      '--ca',
      ca,
      '--verb',
      '3',
      '--cd',
      dir,
    ]
    const pair = (name) => ['--cert', of(name).certificate, '--key', of(name).key]
    const listen = ['--proto', 'tcp-server', '--local', GATEWAY, '--port', '1194']
    const server = ends.backgroundIn(ends.gateway, 'openvpn-server', [
      ...['openvpn', '--tls-server', '--dh', 'none', '--ifconfig', '10.32.0.1', '10.32.0.2', ...listen],
      ...common,
      ...pair('server'),
    ])
    await server.waitForLine(/Listening for incoming/)
    const dial = ['--proto', 'tcp-client', '--remote', GATEWAY, '1194', '--nobind']
    const client = ends.backgroundIn(ends.client, 'openvpn-client', [
      ...['openvpn', '--tls-client', '--ifconfig', '10.32.0.2', '10.32.0.1', ...dial],
      ...common,
      ...pair('client'),
    ])
    await Promise.all([server, client].map((end) => end.waitForLine(/Initialization Sequence Completed/)))
    return { address: '10.32.0.1' }
  },
}
