import {
  type AkaPeerOptions,
  type AkaServerOptions,
  akaPeer,
  akaPrimePeer,
  akaPrimeServer,
  akaServer,
  createEapPeer,
  createEapServer,
  type EapPeerMethod,
  type EapServerMethod,
  type EapUser,
  milenageUsim,
  type Usim,
  type UsimAnswer,
} from '../src/index.ts'
import { type Conversation, converse, counting } from './support.ts'

const CARD = { k: new Uint8Array(16).fill(0x4b), opc: new Uint8Array(16).fill(0x0c) }
const IMSI = '001010123456789'
const REALM = '@wlan.mnc001.mcc001.3gppnetwork.org'
const USERS = { find: (name: string): EapUser | undefined => (name === IMSI ? { aka: { ...CARD, sqn: 0n } } : undefined) }

export interface Ends {
  readonly peer: EapPeerMethod
  readonly server: EapServerMethod
}

export const VARIANTS = ['EAP-AKA', "EAP-AKA'"] as const
export type Variant = (typeof VARIANTS)[number]

export function identityOf(variant: Variant): string {
  return `${variant === 'EAP-AKA' ? '0' : '6'}${IMSI}${REALM}`
}

/** Both ends, which remember what they are given from one conversation to the next. `cardSqn`: what the card has seen already. */
export function ends(
  variant: Variant,
  {
    server = {},
    peer = {},
    cardSqn = 0n,
    card = CARD,
  }: {
    readonly server?: AkaServerOptions & { readonly isPrimePreferred?: boolean; readonly networkName?: string }
    readonly peer?: Partial<AkaPeerOptions> & { readonly isPrimePreferred?: boolean; readonly networkName?: string }
    readonly cardSqn?: bigint
    readonly card?: typeof CARD
  } = {},
): Ends {
  const options = { identity: identityOf(variant), usim: milenageUsim({ ...card, sqn: cardSqn }), ...peer }
  return variant === 'EAP-AKA'
    ? { peer: akaPeer(options), server: akaServer(server) }
    : { peer: akaPrimePeer({ networkName: 'WLAN', ...options }), server: akaPrimeServer({ networkName: 'WLAN', ...server }) }
}

let seed = 1

/** `closes`: both ends afterwards. */
export function talk(
  { peer, server }: Ends,
  meddle?: (packet: Uint8Array, index: number) => Uint8Array,
  identity: string = identityOf('EAP-AKA'),
  closes = false,
): Conversation {
  seed += 2
  const machines = [
    createEapServer({ methods: [server], users: USERS, random: counting(seed) }),
    createEapPeer({ identity, methods: [peer], random: counting(seed + 1) }),
  ] as const
  const said = converse(...machines, meddle)
  if (closes) for (const machine of machines) machine.close()
  return said
}

/** The subscriber's card, and what it gave out last. */
export function watchedUsim(): { readonly usim: Usim; last(): { ck: Uint8Array; ik: Uint8Array; autn: Uint8Array } } {
  const card = milenageUsim(CARD)
  let last = { ck: new Uint8Array(16), ik: new Uint8Array(16), autn: new Uint8Array(16) }
  const authenticate = (rand: Uint8Array, autn: Uint8Array): UsimAnswer => {
    const answer = card.authenticate(rand, autn)
    if (answer.kind === 'authenticated') last = { ck: answer.ck.slice(), ik: answer.ik.slice(), autn: autn.slice() }
    return answer
  }
  return { usim: { authenticate }, last: () => last }
}

/** The subtypes that were said, of the method's packets; of others the code. */
export function subtypes({ packets }: Conversation): string[] {
  return packets.map((packet) => (packet.length === 4 ? `code ${packet[0]}` : packet[4] === 1 ? 'Identity' : String(packet[5])))
}
