// What the checks act on: a target, IKE_SA_INIT attempts against it, and an established IKE SA that can change connections.
import { setTimeout as sleep } from 'node:timers/promises'
import { EspSa, echoRequest, isEchoReply } from './esp.mjs'
import { EXCHANGE, errorNotifies, find, IkeInitiator, PAYLOAD, parseHeader } from './ike.mjs'
import { frame, ikeFrame, isIke, PREFIX, Stream } from './stream.mjs'

/** One fresh connection on which an IKE_SA_INIT is tried, dressed up by `pieces(initFrame)`. */
export async function tryInit(target, pieces, { wait = 2_500, padding = 0 } = {}) {
  const stream = await Stream.open(target)
  const ike = new IkeInitiator(target)
  const request = ike.initRequest(stream.local, stream.remote, { padding })
  await stream.send(...pieces(ikeFrame(request)))
  const response = await stream.ike((message) => ike.owns(message) && parseHeader(message).isResponse, wait)
  const observed = response !== undefined ? 'answered' : await silentOrClosed(stream, 300)
  const result = { observed, detail: describe(stream), response, ike, stream }
  stream.close()
  return result
}

/** 'closed' when the responder closed having said nothing, 'closed-after-reply' when it said something, else 'silent' or 'said-something'. */
export async function silentOrClosed(stream, wait) {
  const closed = await stream.waitForClose(wait)
  if (closed !== undefined) return stream.octets === 0 ? 'closed' : 'closed-after-reply'
  return stream.octets === 0 ? 'silent' : 'said-something'
}

export function describe(stream) {
  const end = stream.closed === undefined ? 'open' : `${stream.closed.how} after ${stream.closed.after} ms`
  return `${stream.octets} octets received, ${end}`
}

export class Session {
  /** Tries again where the responder is one that is known to die, and is started again. */
  static async establish(target) {
    for (let left = target.resume === 'mobike' ? 4 : 0; ; left--) {
      try {
        return await Session.#establishOnce(target)
      } catch (error) {
        if (left === 0) throw error
        await sleep(1_000)
      }
    }
  }

  static async #establishOnce(target) {
    const session = new Session(target)
    const { ike } = session
    session.stream = await Stream.open(target)
    await session.stream.send(Buffer.concat([PREFIX, ikeFrame(ike.initRequest(session.stream.local, session.stream.remote))]))
    const init = await session.stream.ike((message) => ike.owns(message))
    if (init === undefined) throw new Error(`no answer to IKE_SA_INIT: ${describe(session.stream)}`)
    const payloads = ike.acceptInit(init)
    if (find(payloads, PAYLOAD.KE) === undefined) throw new Error(`IKE_SA_INIT refused: N(${errorNotifies(payloads).join(', ')})`)
    await session.stream.send(ikeFrame(ike.authRequest()))
    const auth = await session.stream.ike((message) => ike.owns(message) && parseHeader(message).exchange === EXCHANGE.IKE_AUTH, 6_000)
    if (auth === undefined) throw new Error(`no answer to IKE_AUTH: ${describe(session.stream)}`)
    session.esp = new EspSa({ ...ike.acceptAuth(auth), ownSpi: ike.espSpi })
    session.#answerRequests(session.stream)
    return session
  }

  constructor(target) {
    this.target = target
    this.ike = new IkeInitiator(target)
    this.others = []
  }

  /** Another connection, nothing sent on it. */
  async connect() {
    const stream = await Stream.open(this.target)
    this.others.push(stream)
    this.#answerRequests(stream)
    return stream
  }

  /** Leaves the connection there was (reset unless told otherwise) and goes on upon a new one, whose first write is prefix + `first` (octets, or what makes them of the stream). */
  async redial(first, { leave = 'reset' } = {}) {
    if (leave === 'reset') this.stream.reset()
    this.others.push(this.stream)
    this.stream = await this.connect()
    await this.stream.send(Buffer.concat([PREFIX, typeof first === 'function' ? first(this.stream) : first]))
  }

  /** Whether the peer answers this request (sent already) on `stream`, with an ICV that verifies. */
  async isAnswered(request, stream = this.stream, wait = 2_500, since = 0) {
    const { messageId } = parseHeader(request)
    const matches = (message) => this.ike.owns(message) && parseHeader(message).isResponse && parseHeader(message).messageId === messageId
    const response = await stream.ike(matches, wait, since)
    return response !== undefined && this.ike.open(response) !== undefined
  }

  /** An empty INFORMATIONAL on the current connection. Unanswered, it stays outstanding: the window is 1 (RFC 7296 §2.3). */
  async isAlive(wait = 2_500) {
    this.outstanding = this.ike.informational()
    await this.stream.send(ikeFrame(this.outstanding))
    return this.#settle(wait)
  }

  /** Whether the SA goes on upon a new connection after this one is gone; the outstanding request is repeated there (RFC 9329 §6.2). */
  async continuesOnNewConnection() {
    if (this.target.resume === 'mobike') return this.movesByMobike()
    this.outstanding ??= this.ike.informational()
    await this.redial(ikeFrame(this.outstanding))
    return this.#settle(2_500)
  }

  /** The same with UPDATE_SA_ADDRESSES as the first message (RFC 9329 §6.1, RFC 4555 §3.5). It takes the place of a request that never arrived. */
  async movesByMobike() {
    const lost = this.outstanding === undefined ? {} : { messageId: parseHeader(this.outstanding).messageId }
    await this.redial((stream) => {
      this.outstanding = this.ike.updateSaAddresses(stream.local, stream.remote, lost)
      return ikeFrame(this.outstanding)
    })
    return this.#settle(2_500)
  }

  async #settle(wait) {
    const isAnswered = await this.isAnswered(this.outstanding, this.stream, wait)
    if (isAnswered) this.outstanding = undefined
    return isAnswered
  }

  echoFrame(sequence, options) {
    return frame(this.esp.seal(echoRequest(this.esp.innerAddress, this.target.inner, sequence), options))
  }

  async isEchoed(sequence, stream = this.stream, wait = 2_500) {
    return (await stream.next((message) => this.innerPacket(message, (packet) => isEchoReply(packet, sequence)), wait)) !== undefined
  }

  innerPacket(message, matches) {
    if (isIke(message)) return undefined
    const packet = this.esp.open(message)
    return packet !== undefined && matches(packet)
  }

  /** Deletes the IKE SA, wherever it is now, and closes every connection. */
  async end() {
    if (this.stream.closed !== undefined && this.target.resume !== 'mobike') await this.redial(Buffer.alloc(0)).catch(() => {})
    const request = this.ike.deleteRequest()
    await this.stream.send(ikeFrame(request))
    if (this.outstanding === undefined) await this.isAnswered(request, this.stream, 1_500).catch(() => false)
    for (const stream of [this.stream, ...this.others]) stream.close()
  }

  /** A request of the peer's (a liveness check) is answered where it arrives, so that it does not give us up. */
  #answerRequests(stream) {
    stream.onFrame = (message) => {
      if (!isIke(message)) return
      const ike = message.subarray(4)
      if (this.ike.owns(ike) && !parseHeader(ike).isResponse) stream.send(ikeFrame(this.ike.emptyResponse(ike))).catch(() => {})
    }
  }
}
