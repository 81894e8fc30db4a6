// Datagrams of IKE and ESP on ports 500 and 4500 (RFC 3948, RFC 7296 §2.23) by system calls, or over node:dgram.
export { type ClassifiedDatagram, classifyDatagram, type Datagram, NAT_KEEPALIVE, NON_ESP_MARKER } from './datagram.ts'
export type { Endpoint, PacketBatch } from './endpoint.ts'
export type { ReusePortGroup } from './reuse-port-group.ts'
export { UdpError, type UdpErrorCode, type UdpErrorContext } from './udp-error.ts'
export { openUdp, type UdpBuffers, type UdpCounters, type UdpOptions, type UdpSocket, type UdpSocketKind } from './udp-socket.ts'
