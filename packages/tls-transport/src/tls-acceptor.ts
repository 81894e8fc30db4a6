// Room: the wire. The server's side of TLS around connections, whoever accepted them.
import { createHash, hkdfSync, randomFillSync } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { AddressCounts } from './address-counts.ts'
import type { Endpoint } from './byte-stream.ts'
import { type CertificatePair, certificateProblem } from './certificate.ts'
import { serverParameters, type TlsParameters } from './tls-parameters.ts'
import { TransportError, transportError } from './transport-error.ts'

/** RFC 9329 Appendix A. No client certificate is asked for (Appendix B.1): IKE authenticates. */
export interface TlsServerOptions extends TlsParameters, CertificatePair {
  readonly alpn?: readonly string[]
  /** Milliseconds for a handshake. Default 10,000. */
  readonly handshakeTimeout?: number
  /** Of whoever resumes the sessions of another listener, of another thread, too. Default: one of its own. Node only. */
  readonly tickets?: TicketSecret
}

/**
 * What session tickets are sealed with is made of it, anew each day (RFC 9325 §3.4). Plain data: it may be sent to another thread. A listener
 * copies the octets: overwrite them once the last one is there, for of them the secrets of all days can be had.
 */
export interface TicketSecret {
  readonly octets: Uint8Array
  /** When it was made, by the system's clock. */
  readonly since: number
}

export function ticketSecret(): TicketSecret {
  return { octets: randomFillSync(new Uint8Array(32)), since: Date.now() }
}

/** Handshakes under way at once, in all and of one address: each takes a descriptor and some hundred kilobytes, and says nothing of who asks. */
const MAX_HANDSHAKES = 1_024
const MAX_HANDSHAKES_OF_AN_ADDRESS = 64
const DAY = 86_400_000

export class TlsAcceptor {
  readonly #options: Omit<TlsServerOptions, 'tickets' | 'cert' | 'key'>
  readonly #onFailure: (error: TransportError) => void
  readonly #underWay = new Set<Duplex>()
  readonly #ofAddress = new AddressCounts()
  #pair: CertificatePair
  #context: SecureContext
  #tickets: TicketSecret
  /** Days that what tickets are sealed with has been made anew. */
  #day = 0
  #isClosed = false

  /** @throws Error where the certificate, its key or the ciphers are not taken */
  constructor(options: TlsServerOptions, onFailure: (error: TransportError) => void) {
    const { tickets, cert, key, ...rest } = options
    this.#options = rest
    this.#onFailure = onFailure
    this.#pair = { cert, key }
    this.#tickets = tickets === undefined ? ticketSecret() : { octets: tickets.octets.slice(), since: tickets.since }
    this.#context = this.#contextFor(this.#pair)
  }

  /** Takes over a connection of which nothing was read, or what was read put back. `accept` is called if the handshake comes to its end. */
  begin(socket: Duplex, remote: Endpoint, accept: (secure: TLSSocket) => void): void {
    const { address } = remote
    if (this.#isClosed || this.#underWay.size >= MAX_HANDSHAKES || this.#ofAddress.of(address) >= MAX_HANDSHAKES_OF_AN_ADDRESS) {
      socket.on('error', () => {}).destroy()
      return
    }
    this.#ofAddress.add(address)
    this.#underWay.add(socket)
    this.#changeTicketsDaily()
    const secure = new TLSSocket(socket as ConstructorParameters<typeof TLSSocket>[0], {
      isServer: true,
      secureContext: this.#context,
      requestCert: false,
      rejectUnauthorized: false,
      ...(this.#options.alpn === undefined ? {} : { ALPNProtocols: [...this.#options.alpn] }),
    })
    const settle = (): boolean => {
      if (!this.#underWay.delete(socket)) return false
      clearTimeout(timer)
      this.#ofAddress.remove(address)
      secure.off('error', fail).off('secure', succeed).off('close', onClose)
      return true
    }
    const fail = (cause: unknown): void => {
      if (!settle()) return
      // TLS reports what happens below it, now or later.
      for (const each of [secure, socket]) each.on('error', () => {}).destroy()
      if (!this.#isClosed) this.#onFailure(transportError(cause, 'handshake', address, remote.port))
    }
    const succeed = (): void => {
      if (settle()) accept(secure)
    }
    const onClose = (): void => fail(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }))
    const limit = this.#options.handshakeTimeout ?? 10_000
    const timer = setTimeout(() => fail(Object.assign(new Error(`not done in ${limit} ms`), { code: 'ERR_TLS_HANDSHAKE_TIMEOUT' })), limit)
    secure.on('error', fail).on('secure', succeed).on('close', onClose)
    socket.on('error', fail).on('close', onClose)
  }

  /** For handshakes from now on; those that are under way, and streams that are open, keep what they began with. */
  replaceCertificate(pair: CertificatePair): void {
    this.#context = this.#contextFor(pair)
    this.#pair = pair
  }

  /** Gives up what is under way. */
  close(): void {
    this.#isClosed = true
    for (const socket of this.#underWay) socket.destroy()
  }

  #changeTicketsDaily(): void {
    const day = Math.floor((Date.now() - this.#tickets.since) / DAY)
    if (day <= this.#day) return
    // What was is not to be had of what is: who learns today's secret cannot read yesterday's tickets.
    let { octets } = this.#tickets
    for (; this.#day < day; this.#day++) {
      const next = createHash('sha256').update(octets).digest()
      octets.fill(0)
      octets = next
    }
    this.#tickets = { octets, since: this.#tickets.since }
    this.#context = this.#contextFor(this.#pair)
  }

  #contextFor(pair: CertificatePair): SecureContext {
    const problem = certificateProblem(pair)
    if (problem !== undefined) throw new TransportError('BAD_OPTION', problem.reason)
    return createSecureContext({
      ...serverParameters(this.#options),
      cert: pair.cert,
      key: pair.key,
      ticketKeys: Buffer.from(hkdfSync('sha256', this.#tickets.octets, new Uint8Array(0), 'session tickets', 48)),
    })
  }
}
