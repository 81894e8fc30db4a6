// Room: the wire. The server's side of TLS around connections, whoever accepted them.
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import type { Endpoint } from './byte-stream.ts'
import { type CertificatePair, certificateProblem } from './certificate.ts'
import { Handshakes } from './handshakes.ts'
import { serverParameters, type TlsParameters } from './tls-parameters.ts'
import { type TicketSecret, Tickets } from './tls-tickets.ts'
import { TransportError, transportError } from './transport-error.ts'

/** RFC 9329 Appendix A. No client certificate is asked for (Appendix B.1): IKE authenticates. */
export interface TlsServerOptions extends TlsParameters, CertificatePair {
  readonly alpn?: readonly string[]
  /** Milliseconds for a handshake. Default 10,000. */
  readonly handshakeTimeout?: number
  /** Of whoever resumes the sessions of another listener, of another thread, too. Default: one of its own. libssl and Node. */
  readonly tickets?: TicketSecret
}

export class TlsAcceptor {
  readonly #options: Omit<TlsServerOptions, 'tickets' | 'cert' | 'key'>
  readonly #onFailure: (error: TransportError) => void
  readonly #underWay = new Handshakes<Duplex>()
  readonly #tickets: Tickets
  #pair: CertificatePair
  #context: SecureContext
  #isClosed = false

  /** @throws Error where the certificate, its key or the ciphers are not taken */
  constructor(options: TlsServerOptions, onFailure: (error: TransportError) => void) {
    const { tickets, cert, key, ...rest } = options
    this.#options = rest
    this.#onFailure = onFailure
    this.#pair = { cert, key }
    this.#tickets = new Tickets(tickets)
    this.#context = this.#contextFor(this.#pair)
  }

  /** Takes over a connection of which nothing was read, or what was read put back. `accept` is called if the handshake comes to its end. */
  begin(socket: Duplex, remote: Endpoint, accept: (secure: TLSSocket) => void): void {
    const { address } = remote
    if (this.#isClosed || this.#underWay.isFull(address)) {
      socket.on('error', () => {}).destroy()
      return
    }
    this.#underWay.add(socket, address)
    if (this.#tickets.changeDaily()) this.#context = this.#contextFor(this.#pair)
    const secure = new TLSSocket(socket as ConstructorParameters<typeof TLSSocket>[0], {
      isServer: true,
      secureContext: this.#context,
      requestCert: false,
      rejectUnauthorized: false,
      ...(this.#options.alpn === undefined ? {} : { ALPNProtocols: [...this.#options.alpn] }),
    })
    const settle = (): boolean => {
      if (!this.#underWay.remove(socket)) return false
      clearTimeout(timer)
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
    for (const socket of this.#underWay.all()) socket.destroy()
  }

  #contextFor(pair: CertificatePair): SecureContext {
    const problem = certificateProblem(pair)
    if (problem !== undefined) throw new TransportError('BAD_OPTION', problem.reason)
    return createSecureContext({
      ...serverParameters(this.#options),
      cert: pair.cert,
      key: pair.key,
      ticketKeys: Buffer.from(this.#tickets.keys(48, 'session tickets')),
    })
  }
}
