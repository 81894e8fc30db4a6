// Byte streams under the IKE and ESP stream: TCP (RFC 9329), TLS around it (RFC 9329 Appendix A). TCP by the system's calls where
// @underpass/native can be loaded; names, TLS and all else by node:net and node:tls, on every runtime.
export type { ByteStream, Endpoint, StreamHandlers, TlsInfo } from './byte-stream.ts'
export { type ConnectOptions, connect, type TlsClientOptions } from './connect.ts'
export type { FirstLook } from './first-look.ts'
export { type Listener, type ListenOptions, listen, type TlsServerOptions } from './listen.ts'
export { tcpSockets } from './native-sockets.ts'
export { type SocketTuning, untunable } from './native-tuning.ts'
export { describeProxy, type ProxyCredentials, type ProxyServer, parseProxy, proxyFromEnvironment } from './proxy/proxy.ts'
export type { SocketOptions } from './socket-stream.ts'
export { TransportError, type TransportErrorCode, type TransportErrorContext } from './transport-error.ts'
