import { TransportError } from '../transport-error.ts'
import { describeProxy, type ProxyServer } from './proxy.ts'

/** What a connection to a proxy has to be one to. A name is the proxy's to resolve. */
export interface ProxyTarget {
  readonly host: string
  readonly port: number
}

/** What goes over a connection to a proxy until it is one to the target: octets in, octets out, no sockets. */
export interface ProxyDialogue {
  /** Octets that begin a connection to the proxy; the same dialogue may begin several. */
  begin(): Uint8Array
  /**
   * Octets of the proxy, in order, which are lent for the call.
   *
   * @throws TransportError `PROXY_REFUSED`, `PROXY_AUTHENTICATION`, `PROXY_PROTOCOL`, or what the proxy says of the target
   */
  receive(bytes: Uint8Array): ProxyStep
}

export type ProxyStep =
  /** More octets are needed. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** This connection has served: the dialogue goes on over a new one. */
  | { readonly kind: 'reconnect' }
  /** `rest` is the target's already. */
  | { readonly kind: 'open'; readonly rest: Uint8Array }

export const WAIT: ProxyStep = { kind: 'wait' }

export function proxyError(
  code: 'PROXY_REFUSED' | 'PROXY_AUTHENTICATION' | 'PROXY_PROTOCOL' | 'UNREACHABLE' | 'CONNECTION_REFUSED' | 'TIMED_OUT',
  proxy: ProxyServer,
  text: string,
): TransportError {
  return new TransportError(code, `the proxy ${describeProxy(proxy)} ${text}`, { host: proxy.host, port: proxy.port })
}

export const asksWithoutEnd = (proxy: ProxyServer): TransportError =>
  proxyError('PROXY_AUTHENTICATION', proxy, 'asks again and again who we are')

/** What came so far and was not understood yet. */
export class Gathered {
  #bytes = new Uint8Array(0)

  get bytes(): Uint8Array {
    return this.#bytes
  }

  add(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#bytes.length + bytes.length)
    joined.set(this.#bytes)
    joined.set(bytes, this.#bytes.length)
    this.#bytes = joined
  }

  take(length: number): Uint8Array {
    const taken = this.#bytes.slice(0, length)
    this.#bytes = this.#bytes.slice(length)
    return taken
  }

  clear(): void {
    this.#bytes = new Uint8Array(0)
  }
}
