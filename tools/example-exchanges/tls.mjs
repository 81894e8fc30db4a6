// TLS 1.3 as it passed on the wire, read with the secrets that the run's own runtime wrote down (RFC 8446; the key log of RFC 9850).
import { createDecipheriv, createHmac } from 'node:crypto'

/** RFC 8446 §5.1. */
const ContentType = { CHANGE_CIPHER_SPEC: 20, ALERT: 21, HANDSHAKE: 22, APPLICATION_DATA: 23 }
/** RFC 8446 §4. */
const HANDSHAKE_NAMES = {
  1: 'ClientHello',
  2: 'ServerHello',
  4: 'NewSessionTicket',
  8: 'EncryptedExtensions',
  11: 'Certificate',
  13: 'CertificateRequest',
  15: 'CertificateVerify',
  20: 'Finished',
}
const HELLO_RETRY_REQUEST = 'cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c'
/** RFC 8446 §B.4. */
const SUITES = {
  4865: { cipher: 'aes-128-gcm', hash: 'sha256', hashLength: 32, keyLength: 16 },
  4866: { cipher: 'aes-256-gcm', hash: 'sha384', hashLength: 48, keyLength: 32 },
  4867: { cipher: 'chacha20-poly1305', hash: 'sha256', hashLength: 32, keyLength: 32 },
}
const TAG = 16
const CLOSE_NOTIFY = 0

/** `keyLog`: its text, as far as it is written. Both directions of one connection, in the order in which they passed. */
export class TlsReader {
  #keyLog
  #clientRandom
  #suite
  #sides = { client: newSide(), server: newSide() }

  constructor(keyLog) {
    this.#keyLog = keyLog
  }

  /** Octets of one direction → what they complete: {kind: 'tls', name} for a message of TLS's own, {kind: 'data', octets} for what is inside. */
  push(side, octets) {
    const state = this.#sides[side]
    state.held = Buffer.concat([state.held, octets])
    const found = []
    while (state.held.length >= 5 && state.held.length >= 5 + state.held.readUInt16BE(3)) {
      const record = state.held.subarray(0, 5 + state.held.readUInt16BE(3))
      state.held = state.held.subarray(record.length)
      found.push(...this.#read(side, record))
    }
    return found
  }

  #read(side, record) {
    // Sent for middleboxes that know an older TLS; it says nothing (RFC 8446 §D.4).
    if (record[0] === ContentType.CHANGE_CIPHER_SPEC) return []
    const { type, content } = record[0] === ContentType.APPLICATION_DATA ? this.#open(side, record) : plain(record)
    if (type === ContentType.APPLICATION_DATA) return [{ kind: 'data', octets: content }]
    if (type === ContentType.ALERT) return [{ kind: 'tls', name: content[1] === CLOSE_NOTIFY ? 'close_notify' : `alert ${content[1]}` }]
    const messages = []
    for (let at = 0; at < content.length; ) {
      const message = content.subarray(at, at + 4 + content.readUIntBE(at + 1, 3))
      messages.push(this.#handshake(side, message))
      at += message.length
    }
    return messages
  }

  #handshake(side, message) {
    const name = HANDSHAKE_NAMES[message[0]] ?? `handshake message ${message[0]}`
    const random = message.subarray(6, 38).toString('hex')
    if (name === 'ClientHello') this.#clientRandom = random
    if (name === 'ServerHello') {
      if (random === HELLO_RETRY_REQUEST) throw new Error('a HelloRetryRequest is not expected')
      this.#suite = SUITES[message.readUInt16BE(39 + message[38])]
      for (const each of ['client', 'server']) this.#use(each, `${each.toUpperCase()}_HANDSHAKE_TRAFFIC_SECRET`)
    }
    // RFC 8446 §A: after its Finished a side speaks with the application's keys.
    if (name === 'Finished') this.#use(side, `${side.toUpperCase()}_TRAFFIC_SECRET_0`)
    // The figures have what is encrypted in braces (RFC 8446 §2).
    const isResumed = hasPreSharedKey(name, message)
    return { kind: 'tls', name: /Hello$/.test(name) ? name : `{${name}}`, ...(isResumed && { isResumed }) }
  }

  #use(side, label) {
    const secret = new RegExp(`^${label} ${this.#clientRandom} ([0-9a-f]+)$`, 'm').exec(this.#keyLog())?.[1]
    if (secret === undefined) throw new Error(`the key log has no ${label} for ${this.#clientRandom}`)
    const { hash, keyLength } = this.#suite
    const expand = (what, length) => expandLabel(hash, Buffer.from(secret, 'hex'), what, length)
    Object.assign(this.#sides[side], { key: expand('key', keyLength), iv: expand('iv', 12), sequence: 0n })
  }

  /** RFC 8446 §5.2, §5.3. */
  #open(side, record) {
    const state = this.#sides[side]
    const nonce = Buffer.from(state.iv)
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ state.sequence++, 4)
    const decipher = createDecipheriv(this.#suite.cipher, state.key, nonce, { authTagLength: TAG })
    decipher.setAAD(record.subarray(0, 5), { plaintextLength: record.length - 5 - TAG })
    decipher.setAuthTag(record.subarray(-TAG))
    const inner = Buffer.concat([decipher.update(record.subarray(5, -TAG)), decipher.final()])
    let end = inner.length
    while (inner[end - 1] === 0) end--
    return { type: inner[end - 1], content: inner.subarray(0, end - 1) }
  }
}

function newSide() {
  return { held: Buffer.alloc(0), key: undefined, iv: undefined, sequence: 0n }
}

function plain(record) {
  return { type: record[0], content: record.subarray(5) }
}

/** The server chose to go on with a session: the extension pre_shared_key in its ServerHello (RFC 8446 §4.2.11). */
function hasPreSharedKey(name, message) {
  if (name !== 'ServerHello') return false
  let at = 38
  at += 1 + message[at] + 3
  const end = at + 2 + message.readUInt16BE(at)
  for (at += 2; at < end; at += 4 + message.readUInt16BE(at + 2)) if (message.readUInt16BE(at) === 41) return true
  return false
}

/** HKDF-Expand-Label (RFC 8446 §7.1) with an empty context; one block of HKDF is enough. */
function expandLabel(hash, secret, label, length) {
  const name = `tls13 ${label}`
  const info = Buffer.concat([Buffer.from([length >> 8, length, name.length]), Buffer.from(name), Buffer.from([0])])
  return createHmac(hash, secret)
    .update(Buffer.concat([info, Buffer.from([1])]))
    .digest()
    .subarray(0, length)
}
