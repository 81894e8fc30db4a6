/** Name servers that the gateway named, put to use the way the configuration says. */
import type { DnsHandling } from '../config/client-config.ts'
import { resolvectl, type Step } from './step.ts'

export interface DnsPlan {
  readonly handling: DnsHandling
  readonly servers: readonly string[]
  /** Whose names they are for, as the gateway says (RFC 8598); none: it does not say. */
  readonly domains: readonly string[]
  readonly device: string
  /** Everything goes through the tunnel, so every name is asked there. */
  readonly isDefaultRoute: boolean
}

export function dnsSteps({ handling, servers, domains, device, isDefaultRoute }: DnsPlan, resolvConf = '/etc/resolv.conf'): Step[] {
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
  // RFC 8598 §2: with everything in the tunnel, domains are not heeded.
  const asked = isDefaultRoute ? ['.'] : domains
  if (asked.length === 0) return [set]
  const routed: Step = {
    key: `dns domain ${device} ${asked.join(' ')}`,
    what: `${isDefaultRoute ? 'all names' : `names in ${domains.join(', ')}`} are asked through ${device}`,
    action: resolvectl('domain', device, ...asked.map((domain) => `~${domain}`)),
    undo: 'nothing',
    lives: 'device',
  }
  return [set, routed]
}
