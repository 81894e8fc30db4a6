/** A captive portal (RFC 8952): until somebody has agreed to its terms it answers every connection itself, with a page, and swallows UDP. */

import { octets } from './http-connect.ts'
import type { Clock, Direction, Hop, IpPacket, Relay } from './packet.ts'
import type { Chance } from './random.ts'
import { type StreamHandlers, type TcpSocket, TcpStack } from './tcp.ts'

const PAGE = octets(
  'HTTP/1.1 302 Found\r\nLocation: http://portal.example/agree\r\nConnection: close\r\nContent-Length: 0\r\n\r\n<html><body>Agree</body></html>',
)

export class CaptivePortal implements Hop {
  isUp = true
  readonly #stack: TcpStack
  #relay: Relay | undefined

  constructor(clock: Clock, chance: Chance) {
    this.#stack = new TcpStack(
      clock,
      chance,
      (packet) => this.#relay?.back(packet),
      () => (socket) => answering(socket),
    )
  }

  /** What it had with anybody is gone; packets pass from now on. */
  agree(): void {
    this.isUp = false
    this.#stack.forgetAll()
  }

  take(packet: IpPacket, direction: Direction, relay: Relay): void {
    if (!this.isUp) return relay.forward(packet)
    if (direction === 'in' || packet.body.protocol !== 'tcp') return
    this.#relay = relay
    this.#stack.receive(packet, packet.body)
  }
}

function answering(socket: TcpSocket): StreamHandlers {
  return {
    onOpen: () => undefined,
    onBytes: () => {
      socket.write(PAGE)
      socket.end()
    },
    onDrain: () => undefined,
    onClose: (reason) => {
      if (reason === 'end') socket.end()
    },
  }
}
