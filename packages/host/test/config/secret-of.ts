import type { PeerConfig } from '@underpass/session-manager'

/** The secret by which both ends of a peer prove who they are. */
export function secretOf({ auth: { local, remote } }: Pick<PeerConfig, 'auth'>): Uint8Array {
  if (local.kind !== 'shared-key' || remote.kind !== 'shared-key' || local.secret !== remote.secret)
    throw new Error('not one shared secret')
  return local.secret
}
