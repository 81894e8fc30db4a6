/** What protects EAP-AKA's messages: AT_MAC, AT_ENCR_DATA and AT_CHECKCODE (RFC 4187 §10.12, §10.13, §10.15). */
import { cbc } from '@noble/ciphers/aes.js'
import type { EapRandom } from '../../contract.ts'
import { EapError } from '../../eap-error.ts'
import { concat, constantTimeEqual } from '../../octets.ts'
import { encodePacket } from '../../packet.ts'
import type { AkaKeys, AkaVariant } from './keys.ts'
import {
  type AkaAttribute,
  type AkaMessage,
  At,
  decodeAttributes,
  encodeAttributes,
  encodeMessage,
  has,
  plain,
  plainOf,
} from './message.ts'

/** Of the packet that a message is in: AT_MAC covers it. */
export interface PacketHead {
  /** `EapCode`. */
  readonly code: number
  readonly identifier: number
}

const MAC_LENGTH = 16
const BLOCK = 16
const NOTHING = new Uint8Array(0)

/** With AT_MAC behind the attributes. `extra`: specific to the message (RFC 4187 §10.15). */
export function seal(
  variant: AkaVariant,
  keys: AkaKeys,
  head: PacketHead,
  { subtype, attributes }: AkaMessage,
  extra: Uint8Array = NOTHING,
): Uint8Array {
  const data = encodeMessage({ subtype, attributes: [...attributes, plain(At.MAC, new Uint8Array(MAC_LENGTH))] })
  data.set(variant.mac(keys.aut, concat(packetOf(variant, head, data), extra)), data.length - MAC_LENGTH)
  return data
}

/** @throws EapError where AT_MAC is missing, or another's */
export function checkMac(
  variant: AkaVariant,
  keys: AkaKeys,
  head: PacketHead,
  data: Uint8Array,
  message: AkaMessage,
  extra: Uint8Array = NOTHING,
): void {
  const mac = plainOf(message, At.MAC, MAC_LENGTH)
  const cleared = data.slice()
  cleared.fill(0, mac.byteOffset - data.byteOffset, mac.byteOffset - data.byteOffset + MAC_LENGTH)
  if (!constantTimeEqual(variant.mac(keys.aut, concat(packetOf(variant, head, cleared), extra)), mac))
    throw new EapError('AT_MAC is not what it has to be', 0)
}

/** The packet as it was sent. */
export function packetOf({ type }: AkaVariant, head: PacketHead, data: Uint8Array): Uint8Array {
  return encodePacket({ ...head, type, data })
}

/** AT_IV and AT_ENCR_DATA; nothing of nothing. */
export function encrypted(keys: AkaKeys, random: EapRandom, attributes: readonly AkaAttribute[]): AkaAttribute[] {
  if (attributes.length === 0) return []
  const clear = encodeAttributes(attributes)
  const missing = -clear.length & (BLOCK - 1)
  const padding = missing === 0 ? NOTHING : encodeAttributes([{ type: At.PADDING, value: new Uint8Array(missing - 2) }])
  const iv = random(BLOCK)
  const sealed = cbc(keys.encr, iv, { disablePadding: true }).encrypt(concat(clear, padding))
  return [plain(At.IV, iv), plain(At.ENCR_DATA, sealed)]
}

/** The attributes in AT_ENCR_DATA, none where there is none. @throws EapError */
export function decrypted(keys: AkaKeys, message: AkaMessage): { readonly attributes: readonly AkaAttribute[] } {
  if (has(message, At.IV) !== has(message, At.ENCR_DATA)) throw new EapError('AT_IV and AT_ENCR_DATA do not come together', 0)
  if (!has(message, At.ENCR_DATA)) return { attributes: [] }
  const sealed = plainOf(message, At.ENCR_DATA)
  if (sealed.length === 0 || sealed.length % BLOCK !== 0)
    throw new EapError(`AT_ENCR_DATA: ${sealed.length} octets are not whole blocks of ${BLOCK}`, 0)
  const attributes = decodeAttributes(cbc(keys.encr, plainOf(message, At.IV, BLOCK), { disablePadding: true }).decrypt(sealed))
  const padding = attributes.find(({ type }) => type === At.PADDING)
  if (padding && (padding !== attributes.at(-1) || padding.value.length > 10 || padding.value.some((octet) => octet !== 0)))
    throw new EapError('AT_PADDING is not zeros at the end', 0)
  return { attributes }
}

/** Over the round trips of AKA-Identity that there were, or of no octets. */
export function checkcode(variant: AkaVariant, packets: readonly Uint8Array[]): AkaAttribute {
  return plain(At.CHECKCODE, packets.length === 0 ? NOTHING : variant.hash(concat(...packets)))
}

/** Where it is there. @throws EapError */
export function verifyCheckcode(variant: AkaVariant, message: AkaMessage, packets: readonly Uint8Array[]): void {
  if (!has(message, At.CHECKCODE)) return
  if (!constantTimeEqual(plainOf(message, At.CHECKCODE), checkcode(variant, packets).value.subarray(2)))
    throw new EapError('AT_CHECKCODE: the identities were asked for in other words on the way', 0)
}
