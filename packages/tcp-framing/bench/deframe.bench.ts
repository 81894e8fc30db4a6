// Frames per second out of 64 kB chunks, as a socket delivers them: cut anywhere. Runs as it is on Bun, Deno and Node 22.18 or later.
import { bench, do_not_optimize, run, summary } from 'mitata'
import { Deframer, espFrameOverhead, writeEspFrameHeader } from '../src/index.ts'

const CHUNK = 64 * 1024
/** Long enough that the cuts fall on many different octets. */
const CHUNKS = 64

summary(() => {
  for (const size of [1400, 64]) {
    const { chunks, frames } = stream(size)
    const deframer = new Deframer('rfc9329', { role: 'originator' })
    bench(`deframe ${frames} frames of ${size} B in ${CHUNKS} chunks of 64 kB`, () => {
      let octets = 0
      for (const chunk of chunks) {
        deframer.push(chunk)
        while (deframer.next() === 'esp') octets += deframer.length
      }
      do_not_optimize(octets)
    })
  }
})

const { benchmarks } = await run({ format: 'mitata' })
for (const [i, size] of [1400, 64].entries()) {
  const nanoseconds = benchmarks[i].runs[0].stats?.avg ?? Number.NaN
  const perFrame = nanoseconds / stream(size).frames
  console.log(
    `${size} B: ${(1000 / perFrame).toFixed(1)} M frames/s, ${perFrame.toFixed(1)} ns a frame, ${((8 * size) / perFrame).toFixed(0)} Gbit/s of ESP`,
  )
}

function stream(size: number): { chunks: Uint8Array[]; frames: number } {
  const overhead = espFrameOverhead('rfc9329')
  // The last frame ends with the stream, so that each round begins in sync.
  const frames = Math.floor((CHUNK * CHUNKS) / (overhead + size))
  const bytes = new Uint8Array(frames * (overhead + size)).fill(0x5a)
  for (let i = 0; i < frames; i++) writeEspFrameHeader('rfc9329', bytes, i * (overhead + size), size)
  const chunks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += CHUNK) chunks.push(bytes.slice(at, at + CHUNK))
  return { chunks, frames }
}
