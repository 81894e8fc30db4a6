import { GATEWAY } from '../lib/two-ends.mjs'
import { certificate } from './certificates.mjs'

/** On the gateway, behind both servers. */
export const INNER = '10.36.0.1'

/**
 * OpenVPN as its manual has it for a network that may block UDP: two servers, and a client that is given both, UDP first. Its `keepalive` is
 * the manual's.
 *
 * @returns {Promise<(options?: { connectTimeout?: number, label?: string }) => import('../../interop/lib/process.mjs').LabProcess>} begins a
 *   client; `connectTimeout`: seconds for each server, 120 by default
 */
export async function serveOpenvpn(ends) {
  const dir = ends.folder('openvpn')
  const { ca, of } = await certificate(dir, ['server', 'client'])
  const common = ['--dev', 'tun', '--ca', ca, '--data-ciphers', 'AES-256-GCM', '--disable-dco', '--verb', '3', '--cd', dir]
  const pair = (name) => ['--cert', of(name).certificate, '--key', of(name).key]
  await ends.innerAddress(ends.gateway, `${INNER}/32`)
  for (const [proto, network] of [
    ['udp', '10.32.0.0'],
    ['tcp-server', '10.32.1.0'],
  ]) {
    const server = ends.backgroundIn(ends.gateway, `openvpn-${proto}`, [
      ...['openvpn', '--server', network, '255.255.255.0', '--topology', 'subnet', '--push', `route ${INNER}`, '--dh', 'none'],
      ...['--proto', proto, '--local', GATEWAY, '--port', '1194', '--keepalive', '10', '60'],
      ...common,
      ...pair('server'),
    ])
    await server.waitForLine(/Initialization Sequence Completed/)
  }
  const remotes = ['udp', 'tcp'].flatMap((proto) => ['--remote', GATEWAY, '1194', proto])
  return ({ connectTimeout, label = 'openvpn-client' } = {}) =>
    ends.backgroundIn(ends.client, label, [
      ...['openvpn', '--client', '--nobind', '--persist-tun', ...remotes],
      ...(connectTimeout === undefined ? [] : ['--connect-timeout', String(connectTimeout)]),
      ...common,
      ...pair('client'),
    ])
}
