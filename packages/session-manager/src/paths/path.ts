/** Where an IKE SA's packets go, or where a message came from: a pair of UDP endpoints, or a TCP connection. */
import type { Endpoint } from '../contract.ts'
import type { PathDescription } from '../events.ts'
import type { Connection } from './connection.ts'

export type Path =
  | { readonly transport: 'udp'; readonly local: Endpoint; readonly remote: Endpoint }
  | { readonly transport: 'tcp'; readonly connection: Connection }

export function isSamePath(a: Path | undefined, b: Path): boolean {
  if (a === undefined || a.transport !== b.transport) return false
  if (a.transport === 'tcp') return b.transport === 'tcp' && a.connection === b.connection
  return b.transport === 'udp' && isSameEndpoint(a.remote, b.remote) && isSameEndpoint(a.local, b.local)
}

/** Whether datagrams of this path go to `remote`; `undefined` stands for any. */
export function isToward(path: Path | undefined, remote: Endpoint | undefined): boolean {
  return path?.transport === 'udp' && (remote === undefined || isSameEndpoint(path.remote, remote))
}

export function isOn(path: Path | undefined, connection: Connection): boolean {
  return path?.transport === 'tcp' && path.connection === connection
}

export function remoteOf(path: Path): Endpoint {
  return path.transport === 'udp' ? path.remote : path.connection.remote
}

export function localOf(path: Path): Endpoint {
  return path.transport === 'udp' ? path.local : path.connection.local
}

export function describePath(path: Path): PathDescription {
  if (path.transport === 'udp') return { transport: 'udp', local: path.local, remote: path.remote }
  const { local, remote, framing, carrier } = path.connection
  return { transport: 'tcp', local, remote, framing, ...(carrier === undefined ? {} : { carrier }) }
}

function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.address === b.address
}
