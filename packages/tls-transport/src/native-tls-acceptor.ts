// Room: the wire. The server's side of libssl around connections, whoever accepted them.
import { setTimeout } from 'node:timers'
import type { TlsContext } from '@underpass/native'
import type { ByteStream, Endpoint, StreamHandlers } from './byte-stream.ts'
import { type CertificatePair, certificateProblem } from './certificate.ts'
import { Handshakes } from './handshakes.ts'
import { type NativeTls, tlsError } from './native-tls.ts'
import type { Attachable } from './stream-duplex.ts'
import type { TlsServerOptions } from './tls-acceptor.ts'
import { nativeServerParameters } from './tls-parameters.ts'
import { TlsStream } from './tls-stream.ts'
import { Tickets } from './tls-tickets.ts'
import { TransportError, transportError } from './transport-error.ts'

export class NativeTlsAcceptor {
  readonly #tls: NativeTls
  readonly #options: Omit<TlsServerOptions, 'tickets' | 'cert' | 'key'>
  readonly #onFailure: (error: TransportError) => void
  readonly #underWay = new Handshakes<TlsStream>()
  readonly #tickets: Tickets
  #pair: CertificatePair
  #context: TlsContext
  #isClosed = false

  /** @throws Error where the certificate, its key or the ciphers are not taken */
  constructor(tls: NativeTls, options: TlsServerOptions, onFailure: (error: TransportError) => void) {
    const { tickets, cert, key, ...rest } = options
    this.#tls = tls
    this.#options = rest
    this.#onFailure = onFailure
    this.#pair = { cert, key }
    this.#tickets = new Tickets(tickets)
    this.#context = this.#contextFor(this.#pair)
  }

  /** Takes over a connection of which nothing was read. `accept` is called if the handshake comes to its end. */
  begin(below: Attachable, remote: Endpoint, accept: (secure: ByteStream) => StreamHandlers): void {
    const { address } = remote
    if (this.#isClosed || this.#underWay.isFull(address)) return below.reset()
    if (this.#tickets.changeDaily()) this.#context = this.#contextFor(this.#pair)
    const limit = this.#options.handshakeTimeout ?? 10_000
    const settle = (): boolean => {
      clearTimeout(timer)
      return this.#underWay.remove(stream)
    }
    const failed = (cause: unknown): void => {
      if (settle() && !this.#isClosed) this.#onFailure(transportError(tlsError(cause), 'handshake', address, remote.port))
    }
    const stream = new TlsStream(this.#tls, this.#context.createSession(), 'server', {
      failed,
      opened: (open) => {
        settle()
        return accept(open)
      },
    })
    const timer = setTimeout(() => {
      stream.giveUp()
      failed(Object.assign(new Error(`not done in ${limit} ms`), { code: 'ERR_TLS_HANDSHAKE_TIMEOUT' }))
    }, limit)
    this.#underWay.add(stream, address)
    stream.begin(below)
    below.attach(stream.below)
  }

  /** For handshakes from now on; those that are under way, and streams that are open, keep what they began with. */
  replaceCertificate(pair: CertificatePair): void {
    this.#context = this.#contextFor(pair)
    this.#pair = pair
  }

  /** Gives up what is under way. */
  close(): void {
    this.#isClosed = true
    for (const stream of this.#underWay.all()) {
      this.#underWay.remove(stream)
      stream.giveUp()
    }
  }

  /** The one before is freed when nobody has it any more. */
  #contextFor(pair: CertificatePair): TlsContext {
    const problem = certificateProblem(pair)
    if (problem !== undefined) throw new TransportError('BAD_OPTION', problem.reason)
    const { alpn } = this.#options
    try {
      return this.#tls.libssl.createContext({
        ...nativeServerParameters(this.#options),
        ...pair,
        role: 'server',
        alpn,
        ticketKeys: this.#tickets.keys(this.#tls.ticketKeys, 'session tickets of libssl'),
      })
    } catch (cause) {
      throw tlsError(cause)
    }
  }
}
