/** Name servers that the gateway named, put to use the way the configuration says. */
import type { DnsHandling } from '../config/client-config.ts'
import { resolvectl, type Step } from './step.ts'

export interface DnsPlan {
  readonly handling: DnsHandling
  readonly servers: readonly string[]
  readonly device: string
  /** Everything goes through the tunnel, so every name is asked there. */
  readonly isDefaultRoute: boolean
}

export function dnsSteps({ handling, servers, device, isDefaultRoute }: DnsPlan, resolvConf = '/etc/resolv.conf'): Step[] {
  if (servers.length === 0 || handling === 'report') return []
  if (handling === 'resolv-conf') {
    const content = [
      '# written by underpass; the former content comes back when the tunnel goes down',
      ...servers.map((server) => `nameserver ${server}`),
      '',
    ].join('\n')
    return [
      {
        key: `file ${resolvConf} ${servers.join(' ')}`,
        what: `${resolvConf} names ${servers.join(', ')}`,
        action: { kind: 'write', path: resolvConf, content },
        undo: 'restore',
        lives: 'disk',
      },
    ]
  }
  const set: Step = {
    key: `dns ${device} ${servers.join(' ')}`,
    what: `name servers ${servers.join(', ')} on ${device} (systemd-resolved)`,
    action: resolvectl('dns', device, ...servers),
    undo: resolvectl('revert', device),
    lives: 'device',
  }
  const all: Step = {
    key: `dns domain ${device}`,
    what: `all names are asked through ${device}`,
    action: resolvectl('domain', device, '~.'),
    undo: 'nothing',
    lives: 'device',
  }
  return isDefaultRoute ? [set, all] : [set]
}
