// Room: the wire. What a connection begins with, looked at before anybody owns it, so that it can still go elsewhere whole.
import { setTimeout } from 'node:timers'
import type { Watch } from '@underpass/native'
import type { NativeSockets } from './native-sockets.ts'
import { LONGEST_PROXY_HEADER, type Origin } from './proxy-protocol.ts'

export interface FirstLook {
  /** After this long the connection is kept, whatever it has said. */
  readonly milliseconds: number
  /** Of these addresses as many connections are looked at as of all together: a relay of ours brings those of many. */
  isRelay?(address: string): boolean
  /**
   * `start` is lent for the call and stays unread.
   *
   * @returns 'keep' it here; how many octets from the start must be there to decide; or what gives the descriptor away, to another
   * listener's `adopt`, say, of another thread of this process, which misses nothing of the stream. `origin` goes with it, where whoever
   * stands in front has said it
   */
  decide(start: Uint8Array, descriptor: number): 'keep' | number | ((descriptor: number, origin?: Origin) => void)
}

/** Octets that are looked at: more is never asked for. */
const LONGEST = LONGEST_PROXY_HEADER
const buffer = new Uint8Array(LONGEST)

export interface PendingLook {
  begin(): void
  /** Closes the descriptor, unless it is decided. */
  giveUp(): void
}

/** `decided` is called once, by `begin` or later. */
export function takeFirstLook(
  sockets: NativeSockets,
  descriptor: number,
  { milliseconds, decide }: FirstLook,
  decided: (isKept: boolean) => void,
): PendingLook {
  const { calls, reactor, tcpOption, pollEvent, errno } = sockets
  let watch: Watch | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let isOver = false
  let wanted = 0

  const over = (isKept: boolean): void => {
    if (isOver) return
    isOver = true
    clearTimeout(timer)
    watch?.close()
    if (wanted > 1) calls.setOption(descriptor, tcpOption.RCVLOWAT, 1)
    decided(isKept)
  }
  const look = (): void => {
    const length = calls.peek(descriptor, buffer, 0, LONGEST)
    const isWorthWaiting = length > 0 || length === -errno.EAGAIN
    // Woken for less than was wanted: FIN. An error is the stream's to find, too.
    if (!isWorthWaiting || (watch !== undefined && length < wanted)) return over(true)
    const decision = decide(buffer.subarray(0, Math.max(0, length)), descriptor)
    if (typeof decision === 'number' && decision > length && decision <= LONGEST) return wait(decision)
    over(typeof decision !== 'function')
    // Nothing of ours may be on it by now: its owner may close it, and another get its number.
    if (typeof decision === 'function') decision(descriptor)
  }
  const wait = (octets: number): void => {
    wanted = octets
    try {
      calls.setOption(descriptor, tcpOption.RCVLOWAT, octets)
      watch ??= reactor.watch(descriptor, pollEvent.POLLIN, look)
    } catch {
      // No more descriptors can be watched: that, too, is the stream's to find.
      over(true)
    }
  }

  return {
    begin() {
      look()
      if (!isOver) timer = setTimeout(() => over(true), milliseconds)
    },
    giveUp() {
      if (isOver) return
      over(false)
      sockets.close(descriptor)
    },
  }
}
