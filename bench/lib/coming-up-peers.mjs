// How long others take where UDP is dropped, each in the way of its own manual.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cache, repository } from '../../interop/lib/lab.mjs'
import { startLibreswan } from '../../interop/lib/libreswan.mjs'
import { libreswanInitiator } from '../../interop/lib/peer-configs.mjs'
import { startGateway } from '../../interop/lib/underpass.mjs'
import { firstLine, needs, TUN } from '../contenders/installed.mjs'
import { openconnect, serveOcserv } from '../contenders/openconnect.mjs'
import { openvpn } from '../contenders/openvpn.mjs'
import { INNER, serveOpenvpn } from '../contenders/openvpn-fallback.mjs'
import { CLIENT } from './firewall.mjs'
import { firstPing } from './first-ping.mjs'
import { GATEWAY } from './two-ends.mjs'

const KERNELS = [process.env.ESPINTCP_KERNEL, join(repository, '../shared/interop/espintcp/bzImage'), join(cache, 'espintcp/bzImage')]
/** Of the guest, behind the client's namespace. */
const GUESTS = '10.99.0.0/24'

/**
 * `begin` makes what can stand ready, and answers a function that measures once: the seconds from its start to the first answered ping.
 * `seconds`: about how long that takes.
 * @type {{ name: string, carriedIn: string, seconds: number, isInstalled: () => string | undefined, version: () => string | undefined,
 *   begin: (ends: import('./two-ends.mjs').TwoEnds, firewall: import('./firewall.mjs').Firewall) => Promise<() => Promise<number>> }[]}
 */
export const PEERS = [
  libreswan('Libreswan, enable-tcp=fallback', 64, '60s'),
  libreswan('Libreswan, retransmit-timeout=15s', 16, '15s'),
  openvpnWith('OpenVPN, UDP then TCP', 120, undefined),
  openvpnWith('OpenVPN, connect-timeout 10', 10, 10),
  {
    name: 'openconnect + ocserv',
    carriedIn: 'TLS, at once',
    seconds: 1,
    isInstalled: openconnect.isInstalled,
    version: openconnect.version,
    async begin(ends) {
      const { connect, address } = await serveOcserv(ends)
      return () => timed(ends, address, connect, 30_000)
    },
  },
]

function openvpnWith(name, seconds, connectTimeout) {
  return {
    name,
    carriedIn: 'TCP 1194',
    seconds: seconds + 2,
    isInstalled: openvpn.isInstalled,
    version: openvpn.version,
    async begin(ends) {
      const connect = await serveOpenvpn(ends)
      return () => timed(ends, INNER, () => connect({ connectTimeout }), 2_000 * seconds + 30_000)
    },
  }
}

async function timed(ends, address, connect, patience) {
  const ping = firstPing(ends, ends.client, address)
  const began = Date.now()
  const client = connect()
  const answered = await ping.answered(patience)
  await Promise.all([ping.stop(), client.stop()])
  return Math.round(answered - began) / 1000
}

/** As initiator, in a guest whose kernel has ESP in TCP; the responder is our gateway, which takes no time to speak of. */
function libreswan(name, seconds, timeout) {
  return {
    name,
    carriedIn: 'TCP 4500',
    seconds,
    isInstalled: () =>
      needs({ ipsec: 'libreswan', 'qemu-system-x86_64': 'qemu-system-x86', nc: 'netcat-openbsd' }, TUN) ??
      (KERNELS.some((file) => file !== undefined && existsSync(file))
        ? undefined
        : 'no kernel with ESP in TCP (interop/peers/build-kernel.sh)'),
    version: () => firstLine(['ipsec', '--version'], /Libreswan (\S+)/),
    async begin(ends, firewall) {
      await ends.mustIn(ends.client, ['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
      await ends.mustIn(firewall.namespace, ['ip', 'route', 'add', GUESTS, 'via', CLIENT])
      await startGateway(ends, ends.gateway, { label: 'gateway-libreswan', address: GATEWAY, udp: [500, 4500], tcp: [4500] })
      const options = { gateway: GATEWAY, 'enable-tcp': 'fallback', 'retransmit-timeout': timeout, dpddelay: '60s', dpdtimeout: '120s' }
      const guest = await startLibreswan(ends, ends.client, libreswanInitiator(options))
      let hasRun = false
      return async () => {
        if (hasRun) await guest.whack('--terminate --name up', { timeout: 20_000 })
        hasRun = true
        const began = Date.now()
        const pings = 'until ping -q -c 1 -W 0.2 10.1.0.1 > /dev/null; do sleep 0.02; done; echo ANSWERED'
        const initiate = 'ipsec whack --ctlsocket /run/pluto/pluto.ctl --initiate --asynchronous --name up'
        const said = await guest.guest(`${initiate}; ${pings}`, { timeout: 2_000 * seconds + 60_000 })
        if (!said.includes('ANSWERED')) throw new Error(`the guest said ${said.trim().slice(-200)}`)
        return Math.round(Date.now() - began) / 1000
      }
    },
  }
}
