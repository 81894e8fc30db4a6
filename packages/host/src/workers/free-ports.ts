/** SO_REUSEPORT shares a port with whoever asks for it, too: a second gateway by mistake would take half of the peers, and say nothing. */
import { listenTcp, openUdpSockets, type RuntimeOptions } from '../run/index.ts'

/** Throws `UdpError` or `TransportError` ADDRESS_IN_USE where somebody has one of the ports, shared or not. */
export async function requireFreePorts({ tcp, udp }: RuntimeOptions['listeners']): Promise<void> {
  const sockets = await openUdpSockets(
    udp.filter(({ port }) => port !== 0),
    { onDatagram() {} },
  )
  await sockets.close()
  for (const config of tcp) {
    if (config.port === 0) continue
    const listener = await listenTcp(config, (stream) => {
      stream.reset()
      return { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
    })
    await listener.close()
  }
}
