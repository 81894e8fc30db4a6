import { describe, expect, it } from 'vitest'
import { type Aead, EspInbound, EspOutbound } from '../src/index.ts'
import { opensslProvider } from '../src/openssl.ts'
import { GCM_256, ipv4, SPI } from './support.ts'

const PACKETS = 20_000
// The heap figure of Bun is that of the last collection.
const hasExactHeap = !('Bun' in globalThis)

/** No cipher, so that what is counted is ours. */
const transparent: Aead = { ivLength: 8, icvLength: 16, seal: () => {}, open: () => true }

describe.runIf(hasExactHeap)('no allocation per packet', () => {
  it('numbering, padding, replay check and unwrapping, in place', async () => {
    expect(await octetsPerPacket(transparent, transparent, [new Uint8Array(2048)], 2)).toBeLessThan(2)
  })

  // Deno's moves with what its own threads do.
  it.skipIf('Deno' in globalThis)(
    'but for addresses, which are above what V8 keeps without an object of 16 octets: sealed and opened by libcrypto',
    async ({ skip }) => {
      const keymat = new Uint8Array(GCM_256.keymatLength)
      let aeads: Aead[]
      try {
        const provider = opensslProvider()
        aeads = [provider.create(GCM_256, keymat), provider.create(GCM_256, keymat)]
      } catch (error) {
        return skip(String(error))
      }
      // A view of a buffer, the smallest mistake there is, would add over 100.
      expect(await octetsPerPacket(aeads[0]!, aeads[1]!, [new Uint8Array(2048), new Uint8Array(2048)], 100)).toBeLessThan(100)
    },
  )
})

/** Of one packet that passes both ends, in the first buffer before and after, in the last between; until it is below `enough`. */
async function octetsPerPacket(sealing: Aead, opening: Aead, buffers: readonly Uint8Array[], enough: number): Promise<number> {
  const outbound = new EspOutbound({ spi: SPI, transform: GCM_256, aead: sealing, esn: true })
  const inbound = new EspInbound({ spi: SPI, transform: GCM_256, aead: opening, esn: true, replayWindow: 1024 })
  const [plain, sealed] = [buffers[0]!, buffers.at(-1)!]
  plain.set(ipv4(1400), 16)
  const run = (): void => {
    for (let i = 0; i < PACKETS; i++) {
      const written = outbound.encapsulate(plain, 16, 1400, 4, sealed, 0, 0, 64)
      if (inbound.decapsulate(sealed, 0, written, plain, 16) !== 1400) throw new Error('lost')
    }
  }
  // A compiler at work and a collection in between both show in the figure; one undisturbed run is what the code needs.
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 200 && least >= enough; i++) {
    // Lets the compiler's thread have a turn, on a machine that is short of them.
    await new Promise((resolve) => setTimeout(resolve, 10))
    const before = process.memoryUsage().heapUsed
    run()
    const octets = process.memoryUsage().heapUsed - before
    // No figure where garbage was collected meanwhile.
    if (octets >= 0) least = Math.min(least, octets / PACKETS)
  }
  return least
}
