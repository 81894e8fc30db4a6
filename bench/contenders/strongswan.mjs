import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { cache } from '../../interop/lib/lab.mjs'
import { SUITES, strongswanInitiator, strongswanResponder } from '../../interop/lib/peer-configs.mjs'
import { startStrongswan } from '../../interop/lib/strongswan.mjs'
import { CLIENT, GATEWAY } from '../lib/two-ends.mjs'
import { hasTun } from './installed.mjs'

const CHARON = join(cache, 'strongswan/root/usr/lib/ipsec/charon')
const [suite] = SUITES

/** strongSwan with ESP in charon itself (kernel-libipsec), in UDP, with a shared secret. */
export const strongswan = {
  name: 'strongSwan kernel-libipsec',
  group: 'peer',
  outer: 'UDP',
  isInstalled() {
    if (!existsSync(CHARON)) return 'not installed (bench/install.sh unpacks it)'
    return hasTun() ? undefined : 'not possible: this machine has no /dev/net/tun'
  },
  version: () => readdirSync(join(cache, 'strongswan/debs')).flatMap((file) => /^strongswan-charon_([\d.]+)/.exec(file)?.[1] ?? [])[0],

  async start(ends) {
    const responder = strongswanResponder({ address: GATEWAY, suites: [suite] }).replace('10.2.0.0/24', '10.1.0.0/24')
    await ends.innerAddress(ends.gateway, '10.1.0.1/24')
    await startStrongswan(ends, ends.gateway, { swanctlConf: responder, label: 'gateway' })
    const initiator = strongswanInitiator({ address: CLIENT, gateway: GATEWAY, suites: [suite] })
    const client = await startStrongswan(ends, ends.client, { swanctlConf: initiator, label: 'client' })
    await client.swanctl('--initiate', '--child', `net-${suite.name}`)
    return { address: '10.1.0.1' }
  },
}
