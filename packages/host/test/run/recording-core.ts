/** A core for the wiring's tests: remembers its inputs as text and answers as the test says. */
import type { Input, Output, SessionStatus } from '@underpass/session-manager'
import type { DrivenCore } from '@underpass/session-manager/driver'

export class RecordingCore implements DrivenCore {
  readonly log: string[] = []
  answer: (input: Input) => readonly Output[] | undefined = () => undefined
  readonly #outputs: Output[] = []
  #waiting: { line: RegExp; found: (line: string) => void }[] = []

  handleInput(input: Input): void {
    const line = describe(input)
    this.log.push(line)
    this.#outputs.push(...(this.answer(input) ?? []))
    this.#waiting = this.#waiting.filter(({ line: wanted, found }) => !wanted.test(line) || found(line))
  }

  pollOutput(): Output {
    return this.#outputs.shift() ?? { kind: 'wait-until', time: Number.POSITIVE_INFINITY }
  }

  inspect(): SessionStatus {
    return { peers: [], ikeSas: [], connections: [], halfOpen: 0, counters: {} }
  }

  /** The next input that matches; or one that came already. */
  async heard(line: RegExp): Promise<string> {
    const already = this.log.find((one) => line.test(one))
    return already ?? new Promise((found) => this.#waiting.push({ line, found }))
  }
}

function describe(input: Input): string {
  switch (input.kind) {
    case 'connection-opened':
      return `opened ${input.connection} ${input.role} ${input.local.address} ${input.remote.address} ${input.framing}`
    case 'connection-bytes':
      return `bytes ${input.connection}: ${input.bytes.join(' ')}`
    case 'connection-closed':
      return `closed ${input.connection} ${input.reason}`
    case 'connection-flow':
      return `flow ${input.connection} ${input.state}`
    case 'datagram':
      return `datagram ${input.message} ${input.local.address}:${input.local.port} < ${input.remote.address}: ${input.bytes.length} × ${input.bytes[0]}`
    default:
      return input.kind
  }
}
