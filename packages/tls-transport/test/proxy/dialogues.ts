import { TransportError } from '../../src/index.ts'
import type { ProxyDialogue } from '../../src/proxy/dialogue.ts'

export const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes)

export const octets = (written: string): Uint8Array => Uint8Array.from(written, (letter) => letter.charCodeAt(0))

/** What a dialogue begins with and does at each of `pieces`, until it is open or over; waiting is left out. */
export function told(dialogue: ProxyDialogue, pieces: readonly string[]): string[] {
  const steps = [text(dialogue.begin())]
  try {
    for (const piece of pieces) {
      const step = dialogue.receive(octets(piece))
      if (step.kind === 'wait') continue
      if (step.kind === 'send') steps.push(`send: ${text(step.bytes)}`)
      else return [...steps, step.kind === 'open' ? `open: ${text(step.rest)}` : step.kind]
    }
  } catch (error) {
    if (!(error instanceof TransportError)) throw error
    steps.push(`${error.code}: ${error.message}`)
  }
  return steps
}
