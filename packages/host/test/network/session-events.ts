import type { PathDescription, SessionEvent } from '@underpass/session-manager'

interface Tunnel {
  readonly remoteTs: readonly string[]
  /** Ours inside the tunnel. */
  readonly address?: string
  readonly gateway?: string
  readonly domains?: readonly string[]
}

/** What a session says when its tunnel comes up. */
export function comesUp({ remoteTs, address = '10.99.0.2', gateway = '192.0.2.9', domains = [] }: Tunnel): SessionEvent[] {
  const of = { ikeSa: '1', peer: 'p' } as const
  const selectors = { localTs: [`${address}/32`], remoteTs }
  return [
    { kind: 'ike-sa-established', ...of, role: 'initiator', localId: '@me', remoteId: '@gw', proposal: 'x', path: pathTo(gateway) },
    {
      kind: 'addresses-assigned',
      ...of,
      addresses: [{ address, prefixLength: 24 }],
      dns: ['10.2.0.53'],
      subnets: [],
      domains,
      pCscf: [],
    },
    { kind: 'child-sa-installed', ...of, inboundSpi: 'c1', outboundSpi: 'c2', proposal: 'x', ...selectors },
  ]
}

export function pathTo(address: string): PathDescription {
  return { transport: 'tcp', local: { address: '198.51.100.7', port: 40_000 }, remote: { address, port: 4500 }, framing: 'rfc9329' }
}
