/** What a transport that is dialled begins with: an IKE SA of its own (T-FB-3), and a connection, where it has one. */
import { KeyExchangeMethod, NotifyType, notify } from '@underpass/ike-codec'
import type { IkeSuite, PeerConfig } from '../config.ts'
import type { Core } from '../core.ts'
import { IkeSa } from '../ike/ike-sa.ts'
import { NONCE_LENGTH } from '../ike/ike-sa-init.ts'
import { freshIkeSpi, startKeyExchange } from '../ike/ike-sa-init-engine.ts'
import { attachPath } from '../ike/ike-sa-life.ts'
import { ppkSupport } from '../ike/ppk.ts'
import { ikeOffer } from '../ike/proposals.ts'
import { Connection } from '../paths/connection.ts'
import type { Path } from '../paths/path.ts'
import { sharedConnection } from '../paths/shared-connection.ts'
import type { Initiator } from './initiator.ts'
import type { StreamWay, Way } from './transport-list.ts'

/** A new IKE SA; `startIkeSa` sets it going. */
export function newIkeSa(core: Core, initiator: Initiator, way: Way): IkeSa {
  const sa = new IkeSa({
    role: 'initiator',
    transport: way.transport,
    initiatorSpi: freshIkeSpi(core),
    responderSpi: 0n,
    state: { kind: 'KE_INITIATE', offer: offerOf(core, initiator.peer, way) },
    path: undefined,
    now: core.now,
  })
  sa.peer = initiator.peer
  sa.initiator = initiator
  core.ikeSas.set(sa.localSpi, sa)
  return sa
}

export function startIkeSa(core: Core, sa: IkeSa, initiator: Initiator, way: Way): void {
  core.timers.set(sa, 'handshake', core.now + core.config.timers.handshake)
  if (way.transport === 'tcp') attachPath(core, sa, (sharedConnection(core, initiator, way) ?? openStream(core, initiator, way)).path)
  else attachPath(core, sa, udpPath(way.address, way.port))
  if (sa.state.kind === 'KE_INITIATE') startKeyExchange(core, sa, sa.state.offer)
}

/** From any of our sockets. */
export function udpPath(address: string, port: number): Path {
  return { transport: 'udp', local: { address: address.includes(':') ? '::' : '0.0.0.0', port: 0 }, remote: { address, port } }
}

export function openStream(core: Core, initiator: Initiator, way: StreamWay): Connection {
  const { address, port, framing, carrier } = way
  const remote = { address, port }
  const connection = new Connection(
    { id: core.nextConnectionId(), role: 'originator', framing, local: { address: '', port: 0 }, remote, isOpen: false, carrier },
    core.config,
  )
  connection.initiator = initiator
  connection.dialled = { address, port, carrier }
  core.connections.set(connection.id, connection)
  core.emit({ kind: 'open-connection', connection: connection.id, remote, framing, ...(carrier === undefined ? {} : { carrier }) })
  return connection
}

/** P-5: what is too long for a datagram is not in IKE_SA_INIT over UDP, which has no fragments, unless there is nothing else. */
function suitesFor(transport: Way['transport'], suites: readonly IkeSuite[]): readonly IkeSuite[] {
  const short = suites.filter(({ keyExchange }) => !LONG_METHODS.includes(keyExchange))
  return transport === 'tcp' || short.length === 0 ? suites : short
}

const LONG_METHODS: readonly number[] = [KeyExchangeMethod.ML_KEM_768, KeyExchangeMethod.ML_KEM_1024]

function offerOf(core: Core, peer: PeerConfig, way: Way): Parameters<typeof startKeyExchange>[2] {
  const suites = suitesFor(way.transport, peer.ikeProposals)
  return {
    proposals: ikeOffer(suites, 'offered'),
    nonce: core.random(NONCE_LENGTH),
    method: suites[0]!.keyExchange,
    refusedMethods: [],
    cookie: undefined,
    natMismatch: way.transport === 'udp' ? core.random(20) : undefined,
    // RFC 9370 §2.2.1: a proposal with additional key exchanges needs it.
    extensions: [
      ...(suites.some(({ additionalKeyExchanges }) => additionalKeyExchanges) ? [notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED)] : []),
      ...ppkSupport([peer]),
    ],
    repetitions: 0,
  }
}
