/** What a method is to the two machines: its Type-Data in and out. One object is one end of one conversation. */
import type { EapRandom } from './contract.ts'
import type { AkaSubscriber } from './methods/aka/usim.ts'

interface Conversation {
  /** `identifier`: of the packet that `data` came in. */
  receive(data: Uint8Array, identifier: number): MethodStep
  close(): void
}

export interface PeerConversation extends Conversation {
  /** A request may come yet when it has ended well (RFC 4187 §6.1). */
  readonly takesNotifications?: boolean
}

export interface ServerConversation extends Conversation {
  /** The first request; `identifier`: of its packet. */
  begin(identifier: number): MethodStep
}

export type MethodStep =
  | { readonly kind: 'send'; readonly data: Uint8Array }
  | { readonly kind: 'ignore'; readonly reason: string }
  /** It has ended well. Peer: `data` goes out, and EAP-Success may come now. `identity`: that the method has shown. */
  | { readonly kind: 'done'; readonly data?: Uint8Array; readonly msk?: Uint8Array; readonly identity?: string }
  /** It has ended badly. Peer: `data` goes out, where there is any, and EAP-Failure is to come. */
  | { readonly kind: 'failed'; readonly data?: Uint8Array; readonly reason: string }

export interface EapPeerMethod {
  readonly type: number
  /** Says who to be in Response/Identity where the method knows better than the options: a pseudonym, a fast re-authentication. */
  identity?(): string
  /** `identity`: that was said, or would have been. */
  create(random: EapRandom, identity: string): PeerConversation
}

export interface EapServerMethod {
  readonly type: number
  /** `identity`: of the Response/Identity. */
  create(identity: string, users: EapUsers, random: EapRandom): ServerConversation
}

export interface EapUsers {
  find(identity: string): EapUser | undefined
}

/** What a method can show that somebody knows. */
export interface EapUser {
  readonly password?: Uint8Array
  /** MD4 of the password in UTF-16LE (RFC 2759 §8.3): as good as the password to who has it. */
  readonly ntHash?: Uint8Array
  /** A card's key, as its home has it (3GPP TS 33.102). */
  readonly aka?: AkaSubscriber
}
