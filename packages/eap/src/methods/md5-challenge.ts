/**
 * MD5-Challenge (RFC 3748 §5.4): it makes no key and shows nothing of the server. IKE takes it only where the configuration says so
 * (RFC 7296 §2.16).
 */
import { md5 } from '@noble/hashes/legacy.js'
import type { EapPeerMethod, EapServerMethod, MethodStep, ServerConversation } from '../method.ts'
import { concat, constantTimeEqual, utf8 } from '../octets.ts'
import { EapType } from '../registry.ts'

const LENGTH = 16

export function md5ChallengePeer({ name, password }: { readonly name: string; readonly password: string }): EapPeerMethod {
  const receive = (data: Uint8Array, identifier: number): MethodStep => {
    const size = data[0] ?? 0
    if (size === 0 || data.length < 1 + size) return { kind: 'ignore', reason: 'a challenge that is not as long as it says' }
    const value = digest(identifier, utf8(password), data.subarray(1, 1 + size))
    return { kind: 'done', data: concat(Uint8Array.of(LENGTH), value, utf8(name)) }
  }
  return { type: EapType.MD5_CHALLENGE, create: () => ({ receive, close() {} }) }
}

export function md5ChallengeServer(): EapServerMethod {
  return {
    type: EapType.MD5_CHALLENGE,
    create(identity, users, random): ServerConversation {
      const challenge = random(LENGTH)
      const receive = (data: Uint8Array, identifier: number): MethodStep => {
        const password = users.find(identity)?.password
        const isRight =
          password !== undefined &&
          data[0] === LENGTH &&
          constantTimeEqual(data.subarray(1, 1 + LENGTH), digest(identifier, password, challenge))
        if (isRight) return { kind: 'done' }
        return {
          kind: 'failed',
          reason: password
            ? `the password of ${JSON.stringify(identity)} is wrong`
            : `no user with a password is ${JSON.stringify(identity)}`,
        }
      }
      return { begin: () => ({ kind: 'send', data: concat(Uint8Array.of(LENGTH), challenge) }), receive, close() {} }
    },
  }
}

function digest(identifier: number, password: Uint8Array, challenge: Uint8Array): Uint8Array {
  return md5(concat(Uint8Array.of(identifier), password, challenge))
}
