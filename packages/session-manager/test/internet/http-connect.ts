/** What the two ends of an HTTP CONNECT say (RFC 9110 §9.3.6). */
import type { Endpoint } from '../../src/index.ts'

/** What a client says first. */
export function askFor({ address, port }: Endpoint): Uint8Array {
  return octets(`CONNECT ${address}:${port} HTTP/1.1\r\nHost: ${address}:${port}\r\n\r\n`)
}

/** Of what a proxy has said so far. `rest`: what came behind its answer. */
export function answerOf(text: string): { isComplete: boolean; isGranted: boolean; rest: Uint8Array } {
  const end = text.indexOf('\r\n\r\n')
  return { isComplete: end >= 0, isGranted: /^HTTP\/1\.1 2\d\d /.test(text), rest: octets(end < 0 ? '' : text.slice(end + 4)) }
}

/** Of what a client has said so far; `undefined`: nothing that one could dial. */
export function targetOf(asked: string): Endpoint | 'incomplete' | undefined {
  if (!asked.includes('\r\n\r\n')) return 'incomplete'
  const [, address, port] = /^CONNECT (\S+):(\d+) HTTP\/1\.1\r\n/.exec(asked) ?? []
  return address === undefined ? undefined : { address, port: Number(port) }
}

export function octets(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}
