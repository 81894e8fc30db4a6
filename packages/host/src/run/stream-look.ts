/**
 * Before the streams inside TLS of a gateway with workers: whose a connection is cannot be seen before it is open, and what it begins with
 * must reach whoever takes it over.
 */
import type { ByteStream, StreamHandlers } from '@underpass/tls-transport'

export interface StreamLook {
  /** After this long the stream is kept, whatever it has said. */
  readonly milliseconds: number
  /** `start` is lent for the call. @returns 'keep' it here; how many octets from the start must be there to decide; or who takes it over */
  decide(start: Uint8Array): 'keep' | number | ((stream: ByteStream) => StreamHandlers)
}

/** What came by then is delivered to whoever has it. */
export function behindStreamLook(look: StreamLook, accept: (stream: ByteStream) => StreamHandlers): (stream: ByteStream) => StreamHandlers {
  return (stream) => {
    let start = new Uint8Array(0)
    let next: StreamHandlers | undefined
    const over = (taken: (stream: ByteStream) => StreamHandlers): void => {
      clearTimeout(timer)
      next = taken(stream)
      if (start.length > 0) next.onData(start)
    }
    const timer = setTimeout(() => over(accept), look.milliseconds)
    timer.unref()
    return {
      onData(bytes) {
        if (next !== undefined) return next.onData(bytes)
        start = Uint8Array.from([...start, ...bytes])
        const decision = look.decide(start)
        if (typeof decision === 'number' && decision > start.length) return
        over(typeof decision === 'function' ? decision : accept)
      },
      onDrain: () => next?.onDrain?.(),
      onEnd: () => next?.onEnd?.(),
      onClose(error) {
        clearTimeout(timer)
        if (error === undefined) next?.onClose?.()
        else next?.onClose?.(error)
      },
    }
  }
}
