// Frames out of a TCP stream that a socket delivers in chunks of 64 kB, cut anywhere.
import { Deframer, espFrameOverhead, writeEspFrameHeader } from '@underpass/tcp-framing'
import { interleave } from '../lib/measure.mjs'

const CHUNK = 64 * 1024
/** Long enough that the cuts fall on many different octets. */
const CHUNKS = 64

export function run({ quick }) {
  const cases = [64, 1400].map((size) => {
    const { chunks, frames } = stream(size)
    const deframer = new Deframer('rfc9329', { role: 'originator' })
    return {
      size,
      work: () => {
        let octets = 0
        for (const chunk of chunks) {
          deframer.push(chunk)
          while (deframer.next() === 'esp') octets += deframer.length
        }
        if (octets !== frames * size) throw new Error('frames were lost')
        return frames
      },
    }
  })
  const results = interleave(cases, quick ? { rounds: 3, milliseconds: 200 } : { rounds: 9, milliseconds: 500 })
  return { rows: results.map(({ case: { size }, perSecond, perCpuSecond }) => ({ size, perSecond, perCpuSecond })), notes: [] }
}

/** The last frame ends with the stream, so that each round begins in sync. */
function stream(size) {
  const overhead = espFrameOverhead('rfc9329')
  const frames = Math.floor((CHUNK * CHUNKS) / (overhead + size))
  const bytes = new Uint8Array(frames * (overhead + size)).fill(0x5a)
  for (let i = 0; i < frames; i++) writeEspFrameHeader('rfc9329', bytes, i * (overhead + size), size)
  const chunks = []
  for (let at = 0; at < bytes.length; at += CHUNK) chunks.push(bytes.slice(at, at + CHUNK))
  return { chunks, frames }
}
