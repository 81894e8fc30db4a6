/** A proxy that is asked for a stream with HTTP CONNECT (RFC 9110 §9.3.6), and carries octets both ways. It can be restarted. */
import type { Endpoint } from '../../src/index.ts'
import { Host } from './host.ts'
import { octets, targetOf } from './http-connect.ts'
import type { Access, Internet } from './internet.ts'
import type { StreamHandlers, TcpSocket } from './tcp.ts'

export class ConnectProxy extends Host {
  readonly port: number

  constructor(internet: Internet, address: string, access: Access, port = 3_128) {
    super(internet, address, access)
    this.port = port
    this.start()
  }

  start(): void {
    this.listeners.set(this.port, (socket) => this.#serve(socket))
  }

  /** Its connections end with RST, to both sides, and new ones are refused. */
  stop(): void {
    this.listeners.clear()
    this.stack.resetAll()
  }

  restart(downtime: number): void {
    this.stop()
    this.internet.clock.later(downtime, () => this.start())
  }

  #serve(near: TcpSocket): StreamHandlers {
    let asked = ''
    let far: TcpSocket | undefined
    return {
      onOpen: () => undefined,
      onBytes: (bytes) => {
        if (far) return void far.write(bytes)
        asked += String.fromCharCode(...bytes)
        const target = targetOf(asked)
        if (target === 'incomplete') return
        if (target) far = this.#dial(near, target)
        else near.end()
      },
      onDrain: () => undefined,
      onClose: (reason) => {
        if (reason === 'end') {
          near.end()
          far?.end()
        } else far?.reset()
      },
    }
  }

  #dial(near: TcpSocket, target: Endpoint): TcpSocket {
    const far = this.connect(target, {
      onOpen: () => near.write(octets('HTTP/1.1 200 Connection established\r\n\r\n')),
      onBytes: (bytes) => near.write(bytes),
      onDrain: () => undefined,
      onClose: (reason) => {
        if (reason === 'failed') near.write(octets('HTTP/1.1 502 Bad Gateway\r\n\r\n'))
        if (reason === 'reset') return near.reset()
        near.end()
        if (reason === 'end') far.end()
      },
    })
    return far
  }
}
