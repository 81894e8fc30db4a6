// The least of IKEv2 (RFC 7296) that makes an established SA: one proposal, one PSK, AES-256-GCM, HMAC-SHA2-256.
// It stands alone on purpose. A prober that shared code with the product would share its mistakes.
import {
  createCipheriv,
  createDecipheriv,
  createDiffieHellmanGroup,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
} from 'node:crypto'

export const EXCHANGE = { IKE_SA_INIT: 34, IKE_AUTH: 35, CREATE_CHILD_SA: 36, INFORMATIONAL: 37 }
export const PAYLOAD = {
  SA: 33,
  KE: 34,
  IDi: 35,
  IDr: 36,
  AUTH: 39,
  Nonce: 40,
  N: 41,
  D: 42,
  V: 43,
  TSi: 44,
  TSr: 45,
  SK: 46,
  CP: 47,
  EAP: 48,
}
const INITIATOR = 0x08
const RESPONSE = 0x20
const GROUPS = { x25519: 31, modp2048: 14 }

export const u16 = (value) => Buffer.from([value >> 8, value & 0xff])
export const u32 = (value) => Buffer.from([value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff])
export const prf = (key, ...data) => createHmac('sha256', key).update(Buffer.concat(data)).digest()

/** prf+ of §2.13. */
export function prfPlus(key, seed, length) {
  const blocks = []
  let block = Buffer.alloc(0)
  for (let counter = 1; Buffer.concat(blocks).length < length; counter++) {
    block = prf(key, block, seed, Buffer.from([counter]))
    blocks.push(block)
  }
  return Buffer.concat(blocks).subarray(0, length)
}

/** §3.1 header in front of `body`. */
export function header(spii, spir, nextPayload, exchange, flags, messageId, body) {
  return Buffer.concat([spii, spir, Buffer.from([nextPayload, 0x20, exchange, flags]), u32(messageId), u32(28 + body.length), body])
}

/** Chains [type, body] pairs with generic payload headers (§3.2). */
export function chain(payloads) {
  return Buffer.concat(payloads.flatMap(([, body], index) => [Buffer.from([payloads[index + 1]?.[0] ?? 0, 0]), u16(4 + body.length), body]))
}

/** A message of an SK payload (§3.14) and nothing else, with AES-256-GCM; `inner`: what is in it, from a payload of `firstPayload` on. */
export function sealMessage({ spii, spir, exchange, flags, messageId }, key, firstPayload, inner) {
  const plain = Buffer.concat([inner, Buffer.from([0])])
  const length = 8 + plain.length + 16
  const body = Buffer.concat([Buffer.from([firstPayload, 0]), u16(4 + length), Buffer.alloc(length)])
  const associated = header(spii, spir, PAYLOAD.SK, exchange, flags, messageId, body).subarray(0, 32)
  const iv = randomBytes(8)
  const cipher = createCipheriv('aes-256-gcm', key.subarray(0, 32), Buffer.concat([key.subarray(32), iv]))
  cipher.setAAD(associated)
  return Buffer.concat([associated, iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** The payloads of such a message; throws when the ICV does not verify. */
export function openMessage(key, message) {
  const sealed = message.subarray(32)
  const decipher = createDecipheriv('aes-256-gcm', key.subarray(0, 32), Buffer.concat([key.subarray(32), sealed.subarray(0, 8)]))
  decipher.setAAD(message.subarray(0, 32))
  decipher.setAuthTag(sealed.subarray(-16))
  const plain = Buffer.concat([decipher.update(sealed.subarray(8, -16)), decipher.final()])
  return parsePayloads(message[28], plain.subarray(0, plain.length - 1 - plain[plain.length - 1]))
}

export function parseHeader(message) {
  return {
    spii: message.subarray(0, 8),
    spir: message.subarray(8, 16),
    nextPayload: message[16],
    exchange: message[18],
    isResponse: (message[19] & RESPONSE) !== 0,
    messageId: message.readUInt32BE(20),
  }
}

/** Payloads as [type, body]; SK's body ends the walk, since what follows is inside it. */
export function parsePayloads(type, bytes) {
  const payloads = []
  for (let offset = 0, next = type; next !== 0; ) {
    const length = bytes.readUInt16BE(offset + 2)
    payloads.push([next, bytes.subarray(offset + 4, offset + length)])
    if (next === PAYLOAD.SK) break
    next = bytes[offset]
    offset += length
  }
  return payloads
}

export const find = (payloads, type) => payloads.find(([kind]) => kind === type)?.[1]

/** Notify types below 16384 are errors (§3.10.1). */
export function errorNotifies(payloads) {
  return payloads.filter(([type, body]) => type === PAYLOAD.N && body.readUInt16BE(2) < 16384).map(([, body]) => body.readUInt16BE(2))
}

export const notify = (type, data = Buffer.alloc(0)) => [PAYLOAD.N, Buffer.concat([Buffer.from([0, 0]), u16(type), data])]
export const transform = (isLast, type, id, keyLength) => {
  const attributes = keyLength === undefined ? Buffer.alloc(0) : Buffer.concat([u16(0x800e), u16(keyLength)])
  return Buffer.concat([Buffer.from([isLast ? 0 : 3, 0]), u16(8 + attributes.length), Buffer.from([type, 0]), u16(id), attributes])
}
export const proposal = (protocol, spi, transforms) => {
  const body = Buffer.concat([Buffer.from([1, protocol, spi.length, transforms.length]), spi, ...transforms])
  return Buffer.concat([Buffer.from([0, 0]), u16(4 + body.length), body])
}
export const identity = (text) => {
  const isAddress = /^\d+\.\d+\.\d+\.\d+$/.test(text)
  const data = isAddress ? Buffer.from(text.split('.').map(Number)) : Buffer.from(text.replace(/^@/, ''))
  return Buffer.concat([Buffer.from([isAddress ? 1 : text.slice(1).includes('@') ? 3 : 2, 0, 0, 0]), data])
}
export const everything = Buffer.from([1, 0, 0, 0, 7, 0, 0, 16, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])

export function keyPair(group) {
  if (group === 'modp2048') {
    const dh = createDiffieHellmanGroup('modp14')
    const pad = (bytes) => Buffer.concat([Buffer.alloc(256 - bytes.length), bytes])
    return { publicValue: pad(dh.generateKeys()), agree: (peer) => pad(dh.computeSecret(peer)) }
  }
  // Encoded while it is made, not exported from the KeyObject: Node 20 holds the key's lock while an export allocates, and a garbage
  // collection just then destroys the generating job, which takes the same lock, and waits for itself for ever.
  const { publicKey, privateKey } = generateKeyPairSync('x25519', { publicKeyEncoding: { type: 'spki', format: 'der' } })
  return {
    publicValue: publicKey.subarray(-32),
    agree: (peer) =>
      diffieHellman({
        privateKey,
        publicKey: createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: peer.toString('base64url') }, format: 'jwk' }),
      }),
  }
}

/** An IKE SA as its original initiator. `localAddress`/`remoteAddress` {address, port} feed NAT_DETECTION with the TCP ports (RFC 9329 §6.5). */
export class IkeInitiator {
  messageId = 0
  spir = Buffer.alloc(8)

  constructor({ id, peerId, secret, group = 'x25519', mobike = true }) {
    this.mobike = mobike
    this.id = identity(id)
    this.peerId = peerId === undefined ? undefined : identity(peerId)
    this.secret = Buffer.from(secret)
    this.group = group
    this.spii = randomBytes(8)
    this.nonce = randomBytes(32)
    this.keys = keyPair(group)
    this.espSpi = randomBytes(4)
    this.espSpi[0] |= 0x80
  }

  /** IKE_SA_INIT request; the same octets each time. `padding`: octets of a vendor ID, to make the message large. */
  initRequest(localAddress, remoteAddress, { padding = 0 } = {}) {
    if (this.init !== undefined) return this.init
    const group = GROUPS[this.group]
    const body = [
      [PAYLOAD.SA, proposal(1, Buffer.alloc(0), [transform(false, 1, 20, 256), transform(false, 2, 5), transform(true, 4, group)])],
      [PAYLOAD.KE, Buffer.concat([u16(group), u16(0), this.keys.publicValue])],
      [PAYLOAD.Nonce, this.nonce],
      ...this.#natDetection(localAddress, remoteAddress),
    ]
    if (padding > 0) body.push([PAYLOAD.V, Buffer.alloc(padding, 0x56)])
    this.init = header(this.spii, this.spir, PAYLOAD.SA, EXCHANGE.IKE_SA_INIT, INITIATOR, 0, chain(body))
    return this.init
  }

  /** Takes the IKE_SA_INIT response; returns its payloads. Keys of §2.14 when it is not an error. */
  acceptInit(response) {
    const { nextPayload, spir } = parseHeader(response)
    const payloads = parsePayloads(nextPayload, response.subarray(28))
    const ke = find(payloads, PAYLOAD.KE)
    const nonce = find(payloads, PAYLOAD.Nonce)
    if (ke === undefined || nonce === undefined) return payloads
    this.spir = Buffer.from(spir)
    this.peerNonce = Buffer.from(nonce)
    this.initResponse = Buffer.from(response)
    const skeyseed = prf(Buffer.concat([this.nonce, nonce]), this.keys.agree(ke.subarray(4)))
    const stream = prfPlus(skeyseed, Buffer.concat([this.nonce, nonce, this.spii, this.spir]), 32 + 36 + 36 + 32 + 32)
    this.skd = stream.subarray(0, 32)
    this.skei = stream.subarray(32, 68)
    this.sker = stream.subarray(68, 104)
    this.skpi = stream.subarray(104, 136)
    this.skpr = stream.subarray(136, 168)
    return payloads
  }

  /** IKE_AUTH request with PSK, an address asked for, one Child SA with everything in its selectors. */
  authRequest() {
    const signed = (message, nonce, skp, id) => Buffer.concat([message, nonce, prf(skp, id)])
    const auth = prf(prf(this.secret, Buffer.from('Key Pad for IKEv2')), signed(this.init, this.peerNonce, this.skpi, this.id))
    return this.request(EXCHANGE.IKE_AUTH, [
      [PAYLOAD.IDi, this.id],
      ...(this.peerId === undefined ? [] : [[PAYLOAD.IDr, this.peerId]]),
      [PAYLOAD.AUTH, Buffer.concat([Buffer.from([2, 0, 0, 0]), auth])],
      notify(16384),
      ...(this.mobike ? [notify(16396)] : []),
      [PAYLOAD.CP, Buffer.from([1, 0, 0, 0, 0, 1, 0, 0])],
      [PAYLOAD.SA, proposal(3, this.espSpi, [transform(false, 1, 20, 256), transform(true, 5, 0)])],
      [PAYLOAD.TSi, everything],
      [PAYLOAD.TSr, everything],
    ])
  }

  /** Takes the IKE_AUTH response; returns {innerAddress, childSpi, keymat}, throws with the peer's error notifies. */
  acceptAuth(response) {
    const payloads = this.open(response)
    const errors = errorNotifies(payloads)
    const sa = find(payloads, PAYLOAD.SA)
    const auth = find(payloads, PAYLOAD.AUTH)
    if (sa === undefined || auth === undefined) throw new Error(`IKE_AUTH refused: N(${errors.join(', ')})`)
    const signed = Buffer.concat([this.initResponse, this.nonce, prf(this.skpr, find(payloads, PAYLOAD.IDr))])
    const expected = prf(prf(this.secret, Buffer.from('Key Pad for IKEv2')), signed)
    if (!expected.equals(auth.subarray(4))) throw new Error('the responder does not know the PSK')
    const cp = find(payloads, PAYLOAD.CP)
    let innerAddress
    for (let offset = 4; cp !== undefined && offset + 4 <= cp.length; offset += 4 + cp.readUInt16BE(offset + 2)) {
      if ((cp.readUInt16BE(offset) & 0x7fff) === 1) innerAddress = [...cp.subarray(offset + 4, offset + 8)].join('.')
    }
    this.peerHasMobike = payloads.some(([type, body]) => type === PAYLOAD.N && body.readUInt16BE(2) === 16396)
    const keymat = prfPlus(this.skd, Buffer.concat([this.nonce, this.peerNonce]), 72)
    return { innerAddress, childSpi: Buffer.from(sa.subarray(8, 12)), outKey: keymat.subarray(0, 36), inKey: keymat.subarray(36, 72) }
  }

  /** A sealed request with the next Message ID, unless one is given. `tamper` flips the last octet of the ICV. */
  request(exchange, payloads, { messageId = ++this.messageId, tamper = false } = {}) {
    return this.#seal(exchange, INITIATOR, messageId, payloads, tamper)
  }

  /** The empty response to a request of the peer's (a liveness check, a Delete). */
  emptyResponse(request) {
    const { exchange, messageId } = parseHeader(request)
    return this.#seal(exchange, INITIATOR | RESPONSE, messageId, [], false)
  }

  /** RFC 4555 §3.5, with the addresses and TCP ports of the connection it is to be sent on. */
  updateSaAddresses(localAddress, remoteAddress, options) {
    return this.request(EXCHANGE.INFORMATIONAL, [notify(16400), ...this.#natDetection(localAddress, remoteAddress)], options)
  }

  #natDetection(localAddress, remoteAddress) {
    const hash = ({ address, port }) =>
      createHash('sha1')
        .update(Buffer.concat([this.spii, this.spir, Buffer.from(address.split('.').map(Number)), u16(port)]))
        .digest()
    return [notify(16388, hash(localAddress)), notify(16389, hash(remoteAddress))]
  }

  informational(options) {
    return this.request(EXCHANGE.INFORMATIONAL, [], options)
  }

  deleteRequest() {
    return this.request(EXCHANGE.INFORMATIONAL, [[PAYLOAD.D, Buffer.from([1, 0, 0, 0])]])
  }

  #seal(exchange, flags, messageId, payloads, tamper) {
    const { spii, spir } = this
    const sealed = sealMessage({ spii, spir, exchange, flags, messageId }, this.skei, payloads[0]?.[0] ?? 0, chain(payloads))
    if (tamper) sealed[sealed.length - 1] ^= 1
    return sealed
  }

  /** Payloads inside SK of a message from the responder; throws when the ICV does not verify. */
  open(message) {
    return openMessage(this.sker, message)
  }

  owns(message) {
    return this.spii.equals(message.subarray(0, 8))
  }
}
