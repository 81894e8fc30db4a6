import { expect, it } from 'vitest'
import { type ByteStream, connect, listen, type StreamHandlers, tcpSockets, tlsLibrary } from '../src/index.ts'
import { CERT, KEY } from './streams.ts'

const ROUNDS = 100
/** Measurements, of which the smallest counts: a compiler at work shows in the figure. */
const TRIES = 120
/** What is written at once, in frames of `LENGTH`. */
const FEW = 4
const MANY = 44
const LENGTH = 1_400

// The heap figure of Bun is that of the last collection, and Deno's moves with what its own threads do.
const runtime = ['bun', 'deno'].find((name) => process.versions[name] !== undefined)

it.for(['TCP', 'TLS'] as const)(
  'what a write and a read of native sockets allocate does not grow with their length: %s',
  {
    timeout: 120_000,
  },
  async (kind, { skip }) => {
    if (runtime !== undefined) return skip(`${runtime} does not say exactly what its heap holds`)
    const sockets = tcpSockets()
    if (sockets.kind !== 'native') return skip(`no native sockets: ${sockets.reason}`)
    const library = tlsLibrary()
    if (kind === 'TLS' && library.kind !== 'libssl') return skip(`no TLS of theirs: ${library.reason}`)
    let received = 0
    let accepted: ByteStream | undefined
    const handlers: StreamHandlers = {
      onData: (bytes) => {
        received += bytes.length
      },
    }
    const listener = await listen({ address: '127.0.0.1', tls: kind === 'TLS' && { cert: CERT, key: KEY } }, (stream) => {
      accepted = stream
      return handlers
    })
    const stream = await connect(
      { host: '127.0.0.1', port: listener.local.port, tls: kind === 'TLS' && { rejectUnauthorized: false } },
      handlers,
    )
    const left = async (bytes: Uint8Array): Promise<number> => {
      const before = process.memoryUsage().heapUsed
      const end = received + ROUNDS * bytes.length
      for (let round = 0; round < ROUNDS; round++) {
        if (!stream.write(bytes)) throw new Error('the socket is full')
        // A turn of the event loop, in which it is received.
        await new Promise(setImmediate)
      }
      while (received < end) await new Promise(setImmediate)
      const octets = process.memoryUsage().heapUsed - before
      // No figure where garbage was collected meanwhile.
      return octets < 0 ? Number.POSITIVE_INFINITY : octets
    }
    const [fewFrames, manyFrames] = [new Uint8Array(FEW * LENGTH), new Uint8Array(MANY * LENGTH)]
    let [few, many] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
    for (let i = 0; i < TRIES; i++) {
      // Lets the compiler's thread have a turn, on a machine that is short of them.
      await new Promise((resolve) => setTimeout(resolve, 5))
      const [ofFew, ofMany] = [await left(fewFrames), await left(manyFrames)]
      // The first are the interpreter's.
      if (i < TRIES / 2) continue
      few = Math.min(few, ofFew)
      many = Math.min(many, ofMany)
    }
    expect(Number.isFinite(few)).toBe(true)
    // A write, a read and a turn have their objects, a packet has none: the smallest there can be is of 16 octets. Of a record of TLS, which is of
    // eleven packets, there are addresses.
    expect((many - few) / ROUNDS / (MANY - FEW)).toBeLessThan(kind === 'TLS' ? 14 : 4)

    stream.reset()
    accepted?.reset()
    await listener.close()
  },
)
