/**
 * Rooms "ESP in" (RFC 4303 §3.4, RFC 4301 §5.2), in the packet's order: SA by SPI → replay check → open → replay accept →
 * unpad (all in esp-crypto) → selector check → the SA's path → TUN batch. Nothing is allocated for a packet, and what is wrong
 * is a verdict and a counter, not an exception.
 */
import { EspDrop, nameOfDrop } from '@underpass/esp-crypto'
import { takeOver } from '../child/child-life.ts'
import { isIpPacket } from '../child/packet-selector.ts'
import type { Core } from '../core.ts'
import type { IkeSa } from '../ike/ike-sa.ts'
import { movePath } from '../ike/ike-sa-life.ts'
import { wearChildSa } from '../ike/rekeying/timers.ts'
import { checkRoutability } from '../ike/return-routability.ts'
import { resend, sendNextRequest } from '../ike/transmission.ts'
import type { Path } from '../paths/path.ts'
import type { TunBatch } from './tun-batch.ts'

export type EspVerdict = 'valid' | 'ignored' | 'unknown-spi' | 'unauthentic' | 'unparsable'

/** One ESP packet at `buffer[offset, offset + length)`, SPI to ICV. The octets are lent and left as they are. */
export function receiveEsp(core: Core, tun: TunBatch, buffer: Uint8Array, offset: number, length: number, arrival: Path): EspVerdict {
  if (length < 8) return dropped(core, 'esp-truncated', 'unparsable')
  const child = core.sad.ofPacket(buffer, offset)
  if (child === undefined) {
    if (core.earlyEsp.hold(core, buffer, offset, length, arrival)) return 'ignored'
    return dropped(core, 'esp-unknown-spi', 'unknown-spi')
  }
  const sa = child.ikeSa
  if (sa.transport !== arrival.transport && !isOnItsWay(sa, arrival)) return dropped(core, 'esp-wrong-transport', 'ignored')
  const at = tun.reserve(length, core.emit)
  const opened = child.inbound.decapsulate(buffer, offset, length, tun.buffer, at)
  if (opened < 0) return dropped(core, DROP_COUNTERS[-opened] ?? 'esp-dropped', opened === EspDrop.ICV ? 'unauthentic' : 'ignored')
  // Authentic and no replay: the peer sends from here now (T-LIFE-18, T-LIFE-21).
  // Asked first: each new time is an object, which packets of one input share.
  if (sa.lastInboundAt !== core.now) sa.lastInboundAt = core.now
  const mayMove = sa.series.role === 'responder' && (sa.transport === arrival.transport || sa.path === undefined)
  if (mayMove && movePath(core, sa, arrival)) {
    resend(core, sa)
    checkRoutability(core, sa)
    sendNextRequest(core, sa)
  }
  // The peer has the Child SA that we answered with (RFC 7296 §2.8).
  if (child.awaitsTraffic) takeOver(core, child)
  if (opened === 0) return dropped(core, 'esp-dummies', 'valid')
  if (!isIpPacket(tun.buffer, at, opened)) return dropped(core, 'esp-inner-malformed', 'valid')
  if (!child.accepts(tun.buffer, at, opened)) return dropped(core, 'esp-selector-mismatch', 'valid')
  child.packetsIn++
  child.octetsIn += opened
  tun.commit(opened)
  if (child.isWorn) wearChildSa(core, child)
  return 'valid'
}

/** Sent before its sender moved to another transport, or after it and before we know (T-LIFE-19, RFC 9329 §7.1), or to check a path; it moves nothing where there is a path. */
function isOnItsWay({ isMobike, series, path, lastPath, pathChecks }: IkeSa, arrival: Path): boolean {
  return (
    isMobike && (series.role === 'initiator' || pathChecks !== undefined || path === undefined || lastPath?.transport === arrival.transport)
  )
}

function dropped<Verdict extends EspVerdict>(core: Core, counter: string, verdict: Verdict): Verdict {
  core.count(counter)
  return verdict
}

/** By the drop's number: no string is built for a packet. */
const DROP_COUNTERS: readonly string[] = Array.from({ length: 32 }, (_, drop) =>
  drop === 0 ? '' : `esp-drop-${nameOfDrop(-drop)?.toLowerCase() ?? drop}`,
)
