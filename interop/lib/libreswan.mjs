// Libreswan 4.10 in a guest whose kernel has ESP in TCP.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Guest } from './guest.mjs'
import { must } from './process.mjs'

const WHACK = 'ipsec whack --ctlsocket /run/pluto/pluto.ctl'

/**
 * Boots the guest in `namespace` and waits until pluto listens.
 * @param {import('./lab.mjs').Lab} lab
 * @param {{ipsecConf: string, secrets: string, env?: Record<string, string>, prepare?: (nss: string) => Promise<void>}} options `prepare` puts certificates into its database.
 */
export async function startLibreswan(lab, namespace, { ipsecConf, secrets, env, label = 'libreswan', prepare = async () => {} }) {
  const dir = lab.folder(label)
  writeFileSync(join(dir, 'ipsec.conf'), ipsecConf)
  writeFileSync(join(dir, 'ipsec.secrets'), secrets)
  const nss = lab.folder(`${label}/nss`)
  await must(['ipsec', 'initnss', '--nssdir', nss])
  await prepare(nss)
  return await new Libreswan(lab, namespace, dir).boot(label, env)
}

class Libreswan extends Guest {
  whack(argumentsText, options) {
    return this.guest(`${WHACK} ${argumentsText} 2>&1`, options)
  }

  /** pluto's own counters, e.g. globalStatus().get('total.iketcp.server.started'). */
  async globalStatus() {
    const text = await this.whack('--globalstatus')
    return new Map([...text.matchAll(/^(\S+?)=(.*)$/gm)].map(([, key, value]) => [key, value]))
  }

  /** One line a Child SA. */
  async trafficStatus() {
    return (await this.whack('--trafficstatus')).replaceAll(/^\d+ /gm, '').trim()
  }

  /** Resets every TCP connection of the IKE port from inside the guest; returns how many. */
  async resetConnections(port = 4500) {
    const killed = await this.guest(`ss -K -tn state established '( sport = :${port} or dport = :${port} )'`)
    return killed.split('\n').filter((line) => line.includes(`:${port}`)).length
  }
}
