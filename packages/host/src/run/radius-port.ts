/** The sockets of a RADIUS client: one to each server while something is asked, so that only that server is heard (RFC 2865 §3). */
import { createSocket, type Socket } from 'node:dgram'
import type { EapWork, EapWorkResult } from '@underpass/eap'
import { type EapAnswer, RadiusClient } from '@underpass/radius'
import type { RandomSource } from '@underpass/session-manager'
import type { RadiusSettings } from '../config/radius.ts'
import { reasonOf } from '../host-error.ts'
import { parseIp } from '../ip-prefix.ts'
import { familyOf, plainAddress } from './addresses.ts'

export class RadiusPort {
  readonly #servers: readonly RadiusSettings[]
  readonly #client: RadiusClient
  readonly #sockets = new Map<number, Socket>()
  readonly #waiting = new Map<number, (result: EapWorkResult) => void>()
  #timer: NodeJS.Timeout | undefined
  /** What was discarded last, which may be why nothing else came. */
  #discarded = ''

  constructor(servers: readonly RadiusSettings[], random: RandomSource) {
    this.#servers = servers
    this.#client = new RadiusClient({ servers, random })
  }

  relay({ packet, identity, state }: EapWork): Promise<EapWorkResult> {
    return new Promise((resolve) => {
      this.#waiting.set(this.#client.ask({ packet, identity, state }, performance.now()), resolve)
      this.#drain()
    })
  }

  #drain(): void {
    for (let output = this.#client.pollOutput(); ; output = this.#client.pollOutput()) {
      switch (output.kind) {
        case 'send':
          this.#send(output.server, output.octets)
          break
        case 'answer':
          this.#settle(output.question, asResult(output.answer))
          break
        case 'failed':
          this.#settle(output.question, {
            kind: 'failed',
            detail: this.#discarded === '' ? output.detail : `${output.detail}; ${this.#discarded}`,
          })
          break
        case 'discarded':
          this.#discarded = `what came from RADIUS server ${output.server + 1} was discarded: ${output.detail}`
          break
        case 'wait-until':
          return this.#wait(output.time)
        default:
          return output satisfies never
      }
    }
  }

  #settle(question: number, result: EapWorkResult): void {
    if (result.kind !== 'failed') this.#discarded = ''
    this.#waiting.get(question)?.(result)
    this.#waiting.delete(question)
  }

  /** Nothing is left open that nothing is asked on. */
  #wait(time: number): void {
    clearTimeout(this.#timer)
    if (time < Number.POSITIVE_INFINITY) {
      this.#timer = setTimeout(
        () => {
          this.#client.timeout(performance.now())
          this.#drain()
        },
        Math.max(0, time - performance.now()),
      )
      return
    }
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
  }

  /** What cannot be sent is asked again, and the next server after that. */
  #send(server: number, octets: Uint8Array): void {
    const { address, port } = this.#servers[server]!
    const socket = this.#sockets.get(server) ?? this.#open(server)
    this.#sockets.set(server, socket)
    socket.send(octets, port, address, (error) => {
      if (error) this.#note(server, error)
    })
  }

  #open(server: number): Socket {
    const { address, port } = this.#servers[server]!
    const socket = createSocket(familyOf(address) === 6 ? 'udp6' : 'udp4')
    socket.on('message', (octets, remote) => {
      if (remote.port !== port || !isSameAddress(remote.address, address)) return
      this.#client.receive(server, octets, performance.now())
      this.#drain()
    })
    socket.on('error', (error) => this.#note(server, error))
    return socket
  }

  #note(server: number, error: Error): void {
    this.#discarded = `RADIUS server ${server + 1}: ${reasonOf(error)}`
  }
}

function isSameAddress(a: string, b: string): boolean {
  const [one, other] = [parseIp(plainAddress(a)), parseIp(plainAddress(b))]
  return one !== undefined && one.family === other?.family && one.value === other.value
}

function asResult(answer: EapAnswer): EapWorkResult {
  switch (answer.outcome) {
    case 'challenge':
      return { kind: 'relay', outcome: 'challenge', packet: answer.packet, ...(answer.state && { state: answer.state }) }
    case 'reject':
      return { kind: 'relay', outcome: 'reject', packet: answer.packet }
    case 'accept': {
      const { packet, msk, identity, addresses, sessionTimeout } = answer
      const grant = { addresses, sessionTimeout }
      return { kind: 'relay', outcome: 'accept', packet, grant, ...(msk && { msk }), ...(identity !== undefined && { identity }) }
    }
    default:
      return answer satisfies never
  }
}
