// A router with a firewall and a proxy between the two ends, as in a hotel or an office.
import { startTinyproxy } from '../../interop/lib/proxies.mjs'
import { GATEWAY } from './two-ends.mjs'

/** Of the client's side; the router has the other one. */
export const CLIENT = '172.30.1.2'
export const ROUTER = '172.30.1.254'
const ROUTER_FAR = '172.30.0.254'
const PROXY_PORT = 8888
/** Where the proxy is. */
export const PROXY = `${ROUTER}:${PROXY_PORT}`

/** What the router lets through, as nftables rules of its forwarding; nobody is told of what is dropped. */
export const RULES = {
  open: [],
  'no-udp': ['meta l4proto udp counter drop'],
  'only-443': ['tcp dport 443 accept', 'tcp sport 443 accept', 'counter drop'],
  'only-proxy': ['counter drop'],
}

export class Firewall {
  #ends

  /** The two ends have no link yet. */
  static async between(ends) {
    const firewall = new Firewall()
    firewall.#ends = ends
    firewall.namespace = await ends.namespace('m')
    const router = firewall.namespace
    await ends.link(
      { namespace: ends.client, device: 'outer', address: `${CLIENT}/24` },
      { namespace: router, device: 'near', address: `${ROUTER}/24` },
    )
    await ends.link(
      { namespace: ends.gateway, device: 'outer', address: `${GATEWAY}/24` },
      { namespace: router, device: 'far', address: `${ROUTER_FAR}/24` },
    )
    await ends.mustIn(router, ['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
    await ends.mustIn(ends.gateway, ['ip', 'route', 'add', 'default', 'via', ROUTER_FAR])
    await ends.mustIn(ends.client, ['ip', 'route', 'add', 'default', 'via', ROUTER])
    // Inner addresses before there is a tunnel: no answer, as on the Internet.
    await ends.mustIn(router, ['ip', 'route', 'add', 'blackhole', '10.0.0.0/8'])
    return firewall
  }

  /** From here on, in the place of what was. */
  allow(rules) {
    const text = rules.map((rule) => `    ${rule}\n`).join('')
    const input = `flush ruleset\ntable inet lab {\n  chain forward {\n    type filter hook forward priority 0\n${text}  }\n}\n`
    return this.#ends.mustIn(this.namespace, ['nft', '-f', '-'], { input })
  }

  /** Packets that were dropped, since the rules are there. */
  async dropped() {
    const text = await this.#ends.mustIn(this.namespace, ['nft', 'list', 'ruleset'])
    return [...text.matchAll(/counter packets (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0)
  }

  startProxy() {
    return startTinyproxy(this.#ends, this.namespace, { address: ROUTER, port: PROXY_PORT })
  }
}
