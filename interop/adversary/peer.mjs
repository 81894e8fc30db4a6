// An end of IKEv2 in either role that does what a script asks of it, right or wrong. It shares its pieces with the prober, and none with the
// product. One suite: AES-256-GCM, HMAC-SHA2-256, X25519.
import { randomBytes } from 'node:crypto'
import {
  chain,
  EXCHANGE,
  everything,
  find,
  header,
  identity,
  keyPair,
  notify,
  openMessage,
  PAYLOAD,
  parseHeader,
  parsePayloads,
  prf,
  prfPlus,
  proposal,
  sealMessage,
  transform,
  u16,
} from '../prober/ike.mjs'

const INITIATOR = 0x08
const RESPONSE = 0x20
const GROUP = 31
const KEY_PAD = Buffer.from('Key Pad for IKEv2')
const NONE = Buffer.alloc(0)

/** Public values that are none (RFC 7748 §6.1: an all-zero result; and a length that X25519 does not have). */
const PUBLIC_VALUES = {
  zeros: Buffer.alloc(32),
  one: Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]),
  short: Buffer.alloc(31, 9),
  long: Buffer.alloc(33, 9),
}

export class Peer {
  /** Of ours that were sent, in order; of theirs, the last one that was accepted. */
  nextMessageId = 0
  spii = Buffer.alloc(8)
  spir = Buffer.alloc(8)

  constructor({ role, id, peerId, secret }) {
    this.role = role
    this.id = identity(id)
    this.peerId = identity(peerId)
    this.secret = Buffer.from(secret)
    this.nonce = randomBytes(32)
    this.keys = keyPair('x25519')
    if (role === 'initiator') this.spii = randomBytes(8)
    else this.spir = randomBytes(8)
  }

  /** IKE_SA_INIT of our role. `with`: what is other than it should be. */
  init({
    publicValue,
    nonceLength,
    encryption = 20,
    group = GROUP,
    version = 0x20,
    spi,
    omit = [],
    twice = [],
    critical,
    payloads = [],
  } = {}) {
    const transforms = [transform(false, 1, encryption, 256), transform(false, 2, 5), transform(true, 4, group)]
    const ke = publicValue === undefined ? this.keys.publicValue : PUBLIC_VALUES[publicValue]
    const all = [
      ['SA', [PAYLOAD.SA, proposal(1, NONE, transforms)]],
      ['KE', [PAYLOAD.KE, Buffer.concat([u16(group), u16(0), ke])]],
      ['Nonce', [PAYLOAD.Nonce, nonceLength === undefined ? this.nonce : Buffer.alloc(nonceLength, 7)]],
    ]
    const body = [
      ...all.filter(([name]) => !omit.includes(name)).flatMap(([name, payload]) => (twice.includes(name) ? [payload, payload] : [payload])),
      ...payloads.map(raw),
    ]
    const spii = spi === undefined ? this.spii : Buffer.from(spi, 'hex')
    const octets = header(spii, this.spir, body[0]?.[0] ?? 0, EXCHANGE.IKE_SA_INIT, this.#flags(this.role === 'responder'), 0, chain(body))
    octets[17] = version
    if (critical !== undefined) markCritical(octets.subarray(28), body, critical)
    this.nextMessageId = this.role === 'initiator' ? 1 : 0
    this.sentInit = octets
    return octets
  }

  /** Takes the other end's IKE_SA_INIT; the keys of RFC 7296 §2.14 where ours is sent or about to be. */
  acceptInit(message) {
    const { nextPayload, spii, spir } = parseHeader(message)
    const payloads = parsePayloads(nextPayload, message.subarray(28))
    if (this.role === 'initiator') this.spir = Buffer.from(spir)
    else this.spii = Buffer.from(spii)
    this.theirInit = Buffer.from(message)
    this.theirNonce = Buffer.from(find(payloads, PAYLOAD.Nonce))
    const nonces = this.role === 'initiator' ? [this.nonce, this.theirNonce] : [this.theirNonce, this.nonce]
    const skeyseed = prf(Buffer.concat(nonces), this.keys.agree(find(payloads, PAYLOAD.KE).subarray(4)))
    const stream = prfPlus(skeyseed, Buffer.concat([...nonces, this.spii, this.spir]), 32 + 36 + 36 + 32 + 32)
    const [ei, er, pi, pr] = [stream.subarray(32, 68), stream.subarray(68, 104), stream.subarray(104, 136), stream.subarray(136, 168)]
    Object.assign(this, this.role === 'initiator' ? { ours: ei, theirs: er, skp: pi } : { ours: er, theirs: ei, skp: pr })
  }

  /** The payloads of IKE_AUTH of our role: the right ones, but for what `with` says. */
  auth({ secret, id, method = 2, signs = 'init', omit = [], twice = [], selectors = everything, payloads = [] } = {}) {
    const ours = id === undefined ? this.id : identity(id)
    const message = signs === 'theirs' ? this.theirInit : this.sentInit
    const signed = Buffer.concat([message, this.theirNonce, prf(this.skp, ours)])
    const auth = prf(prf(secret === undefined ? this.secret : Buffer.from(secret), KEY_PAD), signed)
    const isInitiator = this.role === 'initiator'
    const all = [
      ['ID', [isInitiator ? PAYLOAD.IDi : PAYLOAD.IDr, ours]],
      ...(isInitiator ? [['IDr', [PAYLOAD.IDr, this.peerId]]] : []),
      ['AUTH', [PAYLOAD.AUTH, Buffer.concat([Buffer.from([method, 0, 0, 0]), auth])]],
      ['CP', [PAYLOAD.CP, Buffer.from(isInitiator ? [1, 0, 0, 0, 0, 1, 0, 0] : [2, 0, 0, 0, 0, 1, 0, 4, 10, 9, 0, 10])]],
      ['SA', [PAYLOAD.SA, proposal(3, randomEspSpi(), [transform(false, 1, 20, 256), transform(true, 5, 0)])]],
      ['TSi', [PAYLOAD.TSi, isInitiator ? selectors : selector([10, 9, 0, 10], [10, 9, 0, 10])]],
      ['TSr', [PAYLOAD.TSr, isInitiator ? selectors : selector([10, 1, 0, 0], [10, 1, 0, 255])]],
    ]
    return [
      ...all.filter(([name]) => !omit.includes(name)).flatMap(([name, payload]) => (twice.includes(name) ? [payload, payload] : [payload])),
      ...payloads.map(raw),
    ]
  }

  /** A protected message. `tamper`: the ICV is wrong. `plain`: no protection at all. */
  message(exchange, isResponse, payloads, { messageId, tamper = false, plain = false, flags, spir, cut, critical } = {}) {
    const number = messageId ?? (isResponse ? this.answering : this.nextMessageId++)
    const used = {
      spii: this.spii,
      spir: spir === undefined ? this.spir : Buffer.from(spir, 'hex'),
      flags: flags ?? this.#flags(isResponse),
    }
    if (plain) return header(used.spii, used.spir, payloads[0]?.[0] ?? 0, exchange, used.flags, number, chain(payloads))
    const inner = chain(payloads)
    if (critical !== undefined) markCritical(inner, payloads, critical)
    const content = cut === undefined ? inner : inner.subarray(0, cut)
    const sealed = sealMessage({ ...used, exchange, messageId: number }, this.ours, payloads[0]?.[0] ?? 0, content)
    if (tamper) sealed[sealed.length - 1] ^= 1
    return sealed
  }

  /** The payloads of a message of theirs; throws where its ICV is wrong. */
  open(message) {
    const { nextPayload } = parseHeader(message)
    if (nextPayload !== PAYLOAD.SK) return parsePayloads(nextPayload, message.subarray(28))
    return openMessage(this.theirs, message)
  }

  owns(message) {
    return this.role === 'initiator'
      ? this.spii.equals(message.subarray(0, 8))
      : this.spii.equals(Buffer.alloc(8)) || this.spii.equals(message.subarray(0, 8))
  }

  #flags(isResponse) {
    return (this.role === 'initiator' ? INITIATOR : 0) | (isResponse ? RESPONSE : 0)
  }
}

/** The critical bit (RFC 7296 §2.5) of the first payload of a type in a chain. */
function markCritical(octets, payloads, type) {
  const index = payloads.findIndex(([one]) => one === (PAYLOAD[type] ?? type))
  octets[1 + payloads.slice(0, index).reduce((sum, [, body]) => sum + 4 + body.length, 0)] |= 0x80
}

/** As a script writes payloads: {type: 'N', notify: 16384, hex: ''}, {type: 'D', hex: '01000000'}, {type: 200, length: 70}. */
export function raw({ type, notify: notifyType, hex = '', length }) {
  const data = length === undefined ? Buffer.from(hex, 'hex') : Buffer.alloc(length, 0x55)
  return notifyType === undefined ? [PAYLOAD[type] ?? type, data] : notify(notifyType, data)
}

function randomEspSpi() {
  const spi = randomBytes(4)
  spi[0] |= 0x80
  return spi
}

function selector(first, last) {
  return Buffer.from([1, 0, 0, 0, 7, 0, 0, 16, 0, 0, 0xff, 0xff, ...first, ...last])
}
