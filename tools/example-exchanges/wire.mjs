// Packets that passed between a client and a gateway → what they were, in order: segments, TLS, the stream, IKE and ESP.
import { decodeHeader, decodeMessage, describeMessage, ExchangeType, HeaderFlag } from '@underpass/ike-codec'
import { Deframer } from '@underpass/tcp-framing'
import { openMessage } from '../../packages/session-manager/dist/ike/protection.js'
import { TlsReader } from './tls.mjs'

/** UDP 500 has IKE without the marker (RFC 7296 §3.1). */
const IKE_PORT = 500
const PREFIX = 'IKETCP'

/**
 * `server`: its address. `framing`: of its streams. `keyLog`: TLS's secrets. `protections`: of the IKE SAs, by either SPI. Keeps what a
 * connection needs between calls, so that packets come as they are taken.
 */
export class WireReader {
  #how
  #connections = new Map()

  constructor(how) {
    this.#how = how
  }

  /** Events {kind, side, from, to, …}, each as it was seen on the wire. */
  read(packets) {
    return packets.flatMap((packet) => (packet.protocol === 'udp' ? this.#datagram(packet) : this.#segment(packet)))
  }

  #datagram({ from, to, data }) {
    const side = this.#sideOf(from)
    const isBare = from.port === IKE_PORT || to.port === IKE_PORT
    const isIke = isBare || data.readUInt32BE(0) === 0
    const place = { side, from, to, transport: 'udp' }
    if (!isIke) return [{ kind: 'esp', ...place }]
    return [this.#ike(isBare ? data : data.subarray(4), { ...place, hasMarker: !isBare })]
  }

  #segment({ from, to, sequence, acknowledges, isSyn, isFin, isRst, data }) {
    const side = this.#sideOf(from)
    const key = [from, to]
      .map(({ address, port }) => `${address} ${port}`)
      .sort()
      .join()
    if (isSyn && acknowledges === undefined) this.#connections.set(key, this.#newConnection())
    const connection = this.#connections.get(key)
    if (connection === undefined) return []
    const place = { side, from, to }
    const events = []
    const tcp = (name) => events.push({ kind: 'tcp', name, ...place })
    const other = side === 'client' ? 'server' : 'client'
    if (isRst) tcp('TcpRst')
    if (isSyn) tcp(acknowledges === undefined ? 'TcpSyn' : 'TcpSyn,Ack')
    else if (side === 'client' && !connection.isOpen && acknowledges !== undefined) {
      connection.isOpen = true
      tcp('TcpAck')
    }
    const fresh = this.#freshOf(connection, side, sequence, isSyn, data)
    if (fresh.length > 0)
      for (const found of connection.tls.push(side, fresh))
        if (found.kind === 'tls') events.push({ ...found, ...place })
        else events.push(...this.#stream(connection, side, found.octets, place))
    if (acknowledges !== undefined && connection.fin[other] !== undefined && ((acknowledges - connection.fin[other]) | 0) > 0) {
      connection.fin[other] = undefined
      tcp('Ack')
    }
    if (isFin) {
      connection.fin[side] = (sequence + data.length) >>> 0
      tcp('TcpFin')
    }
    return events
  }

  /** A segment that was sent again has nothing new in it. */
  #freshOf({ next }, side, sequence, isSyn, data) {
    if (isSyn) next[side] = (sequence + 1) >>> 0
    if (data.length === 0) return data
    const known = (next[side] - sequence) | 0
    if (known < 0) throw new Error(`${-known} octets of the ${side}'s passed unseen`)
    if (known >= data.length) return data.subarray(data.length)
    next[side] = (next[side] + data.length - known) >>> 0
    return data.subarray(known)
  }

  #newConnection() {
    const deframers = {
      client: new Deframer(this.#how.framing, { role: 'responder' }),
      server: new Deframer(this.#how.framing, { role: 'originator' }),
    }
    return { isOpen: false, tls: new TlsReader(this.#how.keyLog), deframers, fin: {}, next: {}, hasPrefix: false }
  }

  #stream(connection, side, octets, place) {
    const deframer = connection.deframers[side]
    const events = []
    deframer.push(octets)
    for (let kind = deframer.next(); kind !== 'need-more'; kind = deframer.next()) {
      if (kind === 'fatal' || kind === 'corrupt') throw new Error(`the ${side}'s stream: ${deframer.fatalReason ?? kind}`)
      const message = Buffer.from(deframer.buffer.subarray(deframer.offset, deframer.offset + deframer.length))
      if (kind === 'esp') events.push({ kind: 'esp', ...place, transport: 'stream' })
      else events.push(this.#ike(message, { ...place, transport: 'stream', hasMarker: true }))
    }
    if (side === 'client' && !connection.hasPrefix && octets.subarray(0, PREFIX.length).toString('latin1') === PREFIX) {
      connection.hasPrefix = true
      events.unshift({ kind: 'prefix', ...place })
    }
    return events
  }

  #ike(octets, place) {
    const header = decodeHeader(octets)
    const message = decodeMessage(octets)
    const isFromInitiator = (header.flags & HeaderFlag.INITIATOR) !== 0
    const protection = this.#how.protections.get(isFromInitiator ? header.initiatorSpi : header.responderSpi)
    const opened = protection && openMessage(protection, octets, message)
    const inner = opened?.kind === 'authenticated' ? opened.message.inner : undefined
    const exchange = Object.entries(ExchangeType).find(([, number]) => number === header.exchangeType)[0]
    return { kind: 'ike', ...place, exchange, text: describeMessage(message, inner), octets: octets.toString('hex') }
  }

  #sideOf({ address }) {
    return address === this.#how.server ? 'server' : 'client'
  }
}
