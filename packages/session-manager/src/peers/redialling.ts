/**
 * An IKE SA that lost its connection gets another (RFC 9329 §6.1, T-LIFE-5), after back-off with jitter, and not for ever. With MOBIKE and other
 * transports there, they are looked for after the first that is dialled in vain (`mover.ts`).
 */
import type { Core } from '../core.ts'
import type { IkeSa } from '../ike/ike-sa.ts'
import { closeIkeSa } from '../ike/ike-sa-life.ts'
import type { Connection } from '../paths/connection.ts'
import { openStream } from './dial.ts'
import type { Initiator } from './initiator.ts'
import { withJitter } from './jitter.ts'
import type { TransportList } from './transport-list.ts'

/** Connections that were opened for an IKE SA and died unanswered: more than this, and the peer has lost the SA. */
const MAX_FRUITLESS = 3

/** Of the connection before the present one, until the peer answers on this one. */
export interface ConnectionLoss {
  /** When the connection was lost. */
  readonly since: number
  /** The one before it had served for a while: dialled again at once. Who cuts every connection is not served faster for it. */
  readonly isSudden: boolean
  readonly tries: number
  readonly fruitless: number
}

export class Redialling {
  declare readonly timerNames: 'redial'
  readonly timers: Map<string, unknown> = new Map()
  /** Rekeying makes another of it. */
  sa: IkeSa
  readonly index: number
  readonly #initiator: Initiator
  readonly #transports: TransportList
  #loss: ConnectionLoss
  #connection: Connection | undefined

  constructor(initiator: Initiator, transports: TransportList, sa: IkeSa, index: number, loss: ConnectionLoss) {
    this.#initiator = initiator
    this.#transports = transports
    this.sa = sa
    this.index = index
    this.#loss = loss
  }

  /** The connection is lost, or the one that was dialled came to nothing. */
  redialLater(core: Core, reason: string): void {
    const { redial, maxRedial, reconnect } = core.config.timers
    const { since, isSudden, tries, fruitless } = this.#loss
    const { sa } = this
    const lasted = core.now - since
    this.#connection = undefined
    core.timers.clear(this, 'redial')
    // It was dialled at once, and in vain: there may be another way.
    if (tries > 0 && this.#canMove) return this.#initiator.redialledInVain(core, sa, this.index, reason)
    if (lasted >= reconnect) return closeIkeSa(core, sa.series.current, `no connection for ${lasted} ms: ${reason}`, false)
    if (fruitless >= MAX_FRUITLESS)
      return closeIkeSa(
        core,
        sa.series.current,
        `${fruitless} new connections were opened and none was answered on: the peer does not go on with this IKE SA`,
        false,
      )
    const inMilliseconds = isSudden && tries === 0 ? 0 : withJitter(core, Math.min(maxRedial, redial * 2 ** tries))
    this.#loss = { ...this.#loss, tries: tries + 1 }
    core.timers.set(this, 'redial', core.now + inMilliseconds)
    core.event({ kind: 'reconnecting', peer: this.#initiator.peer.name, ikeSa: sa.id, inMilliseconds, reason })
  }

  /** There is a reason to think that it would succeed now. */
  hasten(core: Core): void {
    if (this.#connection === undefined) core.timers.hasten(this, 'redial', core.now)
  }

  connectionOpened(core: Core, connection: Connection): void {
    if (this.#connection !== connection) return
    core.timers.clear(this, 'redial')
    this.#initiator.redialled(core, this.sa, this.index, connection, { ...this.#loss, fruitless: this.#loss.fruitless + 1 })
  }

  connectionClosed(core: Core, connection: Connection, reason: string): void {
    if (this.#connection === connection) this.redialLater(core, reason)
  }

  stop(core: Core, reason: string): void {
    const connection = this.#connection
    this.#connection = undefined
    core.timers.clearAll(this)
    if (connection) core.closeConnection(connection, 'reset', reason)
  }

  onTimer(core: Core, _name: Redialling['timerNames']): void {
    const way = this.#transports.at(this.index)
    const { handshake, resume } = core.config.timers
    // Where nothing answers the attempt it is not waited for longer than a handshake, and not as long where there are others.
    const patience = this.#canMove ? Math.min(resume, handshake) : handshake
    if (this.#connection) return core.closeConnection(this.#connection, 'reset', `not open within ${patience} ms`)
    if (way.transport !== 'tcp') return
    this.#connection = openStream(core, this.#initiator, way)
    core.timers.set(this, 'redial', core.now + patience)
  }

  get #canMove(): boolean {
    return this.sa.isMobike && this.#transports.length > 1
  }
}
