import type { ByteStream, StreamHandlers } from '../byte-stream.ts'
import { TransportError } from '../transport-error.ts'
import type { ProxyDialogue, ProxyStep } from './dialogue.ts'
import { describeProxy, type ProxyServer } from './proxy.ts'

/** Of a stream to a proxy: the dialogue's until it is over, then its owner's. */
export class Relay implements StreamHandlers {
  readonly #proxy: ProxyServer
  readonly #dialogue: ProxyDialogue
  readonly #owner: StreamHandlers
  #stream: ByteStream | undefined
  #settle: { resolve(outcome: 'open' | 'reconnect'): void; reject(error: Error): void } | undefined
  #early: Error | undefined
  /** What came behind the proxy's last word, until the owner has the stream. */
  #held: Uint8Array[] | undefined
  #isOpen = false
  /** The dialogue goes on over another connection, or not at all. */
  #isOver = false

  constructor(proxy: ProxyServer, dialogue: ProxyDialogue, owner: StreamHandlers) {
    this.#proxy = proxy
    this.#dialogue = dialogue
    this.#owner = owner
  }

  converse(stream: ByteStream): Promise<'open' | 'reconnect'> {
    this.#stream = stream
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      if (this.#early !== undefined) reject(this.#early)
      else stream.write(this.#dialogue.begin())
    })
  }

  onData(bytes: Uint8Array): void {
    if (this.#held !== undefined) this.#held.push(bytes.slice())
    else if (this.#isOpen) this.#owner.onData(bytes)
    else if (!this.#isOver) this.#take(bytes)
  }

  onDrain(): void {
    if (this.#isOpen) this.#owner.onDrain?.()
  }

  onEnd(): void {
    if (this.#isOpen) this.#owner.onEnd?.()
    else this.#fail(this.#closed())
  }

  onClose(error?: TransportError): void {
    if (!this.#isOpen) this.#fail(error ?? this.#closed())
    else if (error === undefined) this.#owner.onClose?.()
    else this.#owner.onClose?.(error)
  }

  #take(bytes: Uint8Array): void {
    let step: ProxyStep
    try {
      step = this.#dialogue.receive(bytes)
    } catch (error) {
      this.#fail(error as Error)
      return
    }
    if (step.kind === 'send') this.#stream?.write(step.bytes)
    else if (step.kind === 'reconnect') {
      this.#isOver = true
      this.#settle?.resolve('reconnect')
    } else if (step.kind === 'open') this.#open(step.rest)
  }

  #open(rest: Uint8Array): void {
    this.#isOpen = true
    if (rest.length > 0) {
      this.#held = [rest.slice()]
      setImmediate(() => this.#handOver())
    }
    this.#settle?.resolve('open')
  }

  #handOver(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const bytes of held) this.#owner.onData(bytes)
  }

  #fail(error: Error): void {
    this.#isOver = true
    this.#early ??= error
    this.#settle?.reject(error)
  }

  #closed(): TransportError {
    const { host, port } = this.#proxy
    return new TransportError('PROXY_REFUSED', `the proxy ${describeProxy(this.#proxy)} closed the connection without a word`, {
      host,
      port,
    })
  }
}
