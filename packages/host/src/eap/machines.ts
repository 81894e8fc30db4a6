import {
  createEapPeer,
  createEapServer,
  type EapMachine,
  type EapPeerMethod,
  type EapServerMethod,
  md5ChallengePeer,
  md5ChallengeServer,
  mschapv2Peer,
  mschapv2Server,
} from '@underpass/eap'
import { createEapRelay } from '@underpass/radius'
import type { RandomSource } from '@underpass/session-manager'
import type { EapCredentials, EapMethodName } from '../config/eap.ts'

/** What makes our end of a conversation, by the name that the configuration gave it. */
export function eapMachines(credentials: Readonly<Record<string, EapCredentials>>): (name: string, random: RandomSource) => EapMachine {
  return (name, random) => {
    const of = credentials[name]
    if (!of) throw new Error(`no EAP credentials have the name "${name}"`)
    switch (of.kind) {
      case 'peer':
        return createEapPeer({ identity: of.identity, methods: [PEERS[of.method]({ name: of.identity, password: of.password })], random })
      case 'server': {
        const { users } = of
        return createEapServer({
          methods: of.methods.map((method) => SERVERS[method](of)),
          users: { find: (identity) => (Object.hasOwn(users, identity) ? users[identity] : undefined) },
          random,
        })
      }
      case 'relay':
        return createEapRelay(random)
      default:
        return of satisfies never
    }
  }
}

const PEERS: Readonly<Record<EapMethodName, (of: { name: string; password: string }) => EapPeerMethod>> = {
  mschapv2: mschapv2Peer,
  md5: md5ChallengePeer,
}

const SERVERS: Readonly<Record<EapMethodName, (of: { readonly name: string }) => EapServerMethod>> = {
  mschapv2: mschapv2Server,
  md5: md5ChallengeServer,
}
