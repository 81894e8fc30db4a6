/** A machine: its address, its way to the middle, its TCP. */
import type { Endpoint } from '../../src/index.ts'
import type { Access, Internet } from './internet.ts'
import { type IcmpError, type IpPacket, icmpFor } from './packet.ts'
import { type StreamHandlers, type TcpSocket, TcpStack } from './tcp.ts'

/** Any machine that speaks TCP. */
export class Host {
  readonly stack: TcpStack
  readonly internet: Internet
  address: string
  access: Access
  /** More addresses of it, and those of all that are down: nothing gets there, and nothing leaves from there. */
  readonly others: Set<string> = new Set()
  readonly down: Set<string> = new Set()
  /** Without power: it hears and says nothing. */
  isOff = false
  /** TCP ports that programs listen on. */
  readonly listeners: Map<number, (socket: TcpSocket) => StreamHandlers> = new Map()
  #nextPort = 32_768

  constructor(internet: Internet, address: string, access: Access) {
    this.internet = internet
    this.address = address
    this.access = access
    this.stack = new TcpStack(
      internet.clock,
      internet.chance,
      (packet) => this.send(packet),
      ({ port }) => this.listeners.get(port),
    )
  }

  /** Packets with an address that is not ours any more leave by no way. */
  send(packet: IpPacket): void {
    this.internet.clock.later(0, () => {
      if (!this.isOff && this.has(packet.source.address)) this.internet.carryOut(this.access, packet)
    })
  }

  has(address: string): boolean {
    return (address === this.address || this.others.has(address)) && !this.down.has(address)
  }

  receive(packet: IpPacket): void {
    if (this.isOff) return
    const { body } = packet
    if (body.protocol === 'tcp') this.stack.receive(packet, body)
    else if (body.protocol === 'icmp') this.receiveError(body)
    else this.receiveDatagram(packet)
  }

  receiveError(error: IcmpError): void {
    if (error.about.body.protocol === 'tcp') this.stack.receiveError(error)
  }

  receiveDatagram(packet: IpPacket): void {
    this.send(icmpFor(packet, 'port unreachable'))
  }

  connect(remote: Endpoint, handlers: StreamHandlers): TcpSocket {
    return this.stack.connect({ address: this.address, port: this.freshPort() }, remote, handlers)
  }

  freshPort(): number {
    const port = this.#nextPort
    this.#nextPort = port === 60_999 ? 32_768 : port + 1
    return port
  }
}
