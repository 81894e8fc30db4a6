/**
 * Room "deframe" (RFC 9329 §3, §6.1): the octets of one connection → its deframer → ESP in or IKE in, and what came of each message
 * decides whether the connection stays.
 */
import { FRAMING_PROFILES } from '@underpass/tcp-framing'
import type { Core } from '../core.ts'
import { receiveEsp } from '../data-path/inbound.ts'
import type { TunBatch } from '../data-path/tun-batch.ts'
import { handleIkeMessage } from '../ike/ike-engine.ts'
import type { Connection } from './connection.ts'
import { becameIdle } from './idle.ts'

/**
 * IKE messages in the octets of one read. Requests have a window of one each way (RFC 7296 §2.3), so that a peer has few out; hundreds of
 * them, each with an answer to compute, would hold up everybody else's packets.
 */
const MAX_IKE_MESSAGES_AT_ONCE = 32
/** Of one connection before an IKE SA is established on it: more than any authentication takes. */
const MAX_IKE_MESSAGES_OF_A_STRANGER = 128
/** Octets of answers that a stranger leaves unread. */
const MAX_SEND_QUEUE_OF_A_STRANGER = 16_384

/** The octets are lent. Nothing is allocated for a frame of ESP. */
export function receiveStream(core: Core, tun: TunBatch, connection: Connection, bytes: Uint8Array): void {
  const { deframer, path } = connection
  deframer.push(bytes)
  connection.hasOctets = true
  let ikeMessages = 0
  for (;;) {
    const result = deframer.next()
    if (deframer.isPrefixComplete && core.timers.has(connection, 'prefix')) prefixComplete(core, connection)
    if (result === 'need-more') return
    if (result === 'fatal') return closeUnparsable(core, connection, deframer.fatalReason ?? 'corrupt')
    const { buffer, offset, length } = deframer
    if (result === 'esp') judge(core, connection, receiveEsp(core, tun, buffer, offset, length, path))
    else if (result === 'ike') {
      const isStranger = !connection.hasEstablished
      if (++ikeMessages > MAX_IKE_MESSAGES_AT_ONCE || (isStranger && ++connection.strangeMessages > MAX_IKE_MESSAGES_OF_A_STRANGER))
        return closeAtLimit(core, connection, 'ikeMessages')
      judge(core, connection, handleIkeMessage(core, buffer.subarray(offset, offset + length), path))
    } else judge(core, connection, 'unparsable')
    if (!core.connections.has(connection.id)) return
    // Who asks and never reads loses the connection: IKE is not dropped, so this is what bounds it.
    if (connection.queuedIkeOctets > maxSendQueueOf(core, connection)) return closeAtLimit(core, connection, 'maxSendQueue')
  }
}

function maxSendQueueOf(core: Core, connection: Connection): number {
  const { maxSendQueue } = core.config.limits
  return connection.hasEstablished ? maxSendQueue : Math.min(maxSendQueue, MAX_SEND_QUEUE_OF_A_STRANGER)
}

/** T-LIFE-3: from now on an IKE SA must come, or the connection goes. */
function prefixComplete(core: Core, connection: Connection): void {
  core.timers.clear(connection, 'prefix')
  if (connection.ikeSas.size === 0) becameIdle(core, connection)
}

/** T-LIFE-13, T-LIFE-14. */
function judge(core: Core, connection: Connection, verdict: 'valid' | 'ignored' | 'unparsable' | 'unauthentic' | 'unknown-spi'): void {
  const { limits } = core.config
  switch (verdict) {
    case 'valid':
      connection.hasMessages = true
      connection.unknownSpis = 0
      connection.corruptFrames = 0
      return
    case 'ignored':
      connection.hasMessages = true
      return
    case 'unknown-spi':
      if (++connection.unknownSpis >= limits.maxUnknownSpis) closeAtLimit(core, connection, 'maxUnknownSpis')
      return
    case 'unparsable':
      // The draft's MUST; RFC 9329 has patience.
      if (FRAMING_PROFILES[connection.framing].unparsable === 'fatal') return closeUnparsable(core, connection, 'UNPARSABLE')
      if (++connection.corruptFrames >= limits.maxCorruptFrames) closeAtLimit(core, connection, 'maxCorruptFrames')
      return
    case 'unauthentic':
      if (++connection.icvFailures >= limits.maxIcvFailures) closeAtLimit(core, connection, 'maxIcvFailures')
      return
    default:
      return verdict satisfies never
  }
}

function closeUnparsable(core: Core, connection: Connection, reason: string): void {
  if (reason === 'TOO_LONG' || reason === 'BUFFER_FULL') return closeAtLimit(core, connection, 'maxBufferedPerConnection')
  core.count(`connection-${reason.toLowerCase().replaceAll('_', '-')}`)
  core.closeConnection(connection, 'reset', reason)
}

function closeAtLimit(core: Core, connection: Connection, limit: string): void {
  core.count(`limit-${limit}`)
  core.event({ kind: 'limit-reached', limit, remote: connection.remote })
  core.closeConnection(connection, 'reset', `limit ${limit}`)
}
