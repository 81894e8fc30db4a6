// Packets through EspOutbound and EspInbound, per provider: node packages/esp-crypto/bench/esp.bench.ts (Node 24, Bun, Deno), or
// the same on the built package with Node 20. One packet is one iteration, copied from buffer to buffer.

import { type AeadProvider, EspInbound, EspOutbound, type EspTransform, espTransform, nobleProvider } from '@underpass/esp-crypto'
import { nodeProvider } from '@underpass/esp-crypto/node'
import { opensslProvider } from '@underpass/esp-crypto/openssl'
import { bench, do_not_optimize, group, run } from 'mitata'

const TRANSFORMS = [espTransform(20, 256, undefined)!, espTransform(28, undefined, undefined)!]
const SIZES = [64, 1400]

for (const transform of TRANSFORMS) {
  for (const size of SIZES) {
    group(`${transform.name} ${size} B`, () => {
      for (const provider of [nobleProvider, nodeProvider, ...openssl()]) {
        if (!provider.supports(transform)) continue
        bench(`seal ${provider.name}`, sealing(provider, transform, size))
        bench(`open ${provider.name}`, opening(provider, transform, size))
      }
    })
  }
}
await run()

function openssl(): AeadProvider[] {
  try {
    return [opensslProvider()]
  } catch (error) {
    console.log(String(error))
    return []
  }
}

function sealing(provider: AeadProvider, transform: EspTransform, size: number): () => void {
  const outbound = outboundSa(provider, transform)
  const packet = ipv4(size)
  const wire = new Uint8Array(2048)
  return () => do_not_optimize(outbound.encapsulate(packet, 0, size, 4, wire, 0))
}

/** A packet can be opened once, so the replay window is that of a new SA each time; making it costs next to nothing. */
function opening(provider: AeadProvider, transform: EspTransform, size: number): () => void {
  const wire = new Uint8Array(2048)
  const length = outboundSa(provider, transform).encapsulate(ipv4(size), 0, size, 4, wire, 0)
  const aead = provider.create(transform, new Uint8Array(transform.keymatLength))
  const packet = new Uint8Array(2048)
  return () => {
    const inbound = new EspInbound({ spi: 0x1000, transform, aead, esn: false, replayWindow: 64 })
    if (inbound.decapsulate(wire, 0, length, packet, 0) !== size) throw new Error('lost a packet')
  }
}

function outboundSa(provider: AeadProvider, transform: EspTransform): EspOutbound {
  const aead = provider.create(transform, new Uint8Array(transform.keymatLength))
  return new EspOutbound({ spi: 0x1000, transform, aead, esn: false })
}

function ipv4(size: number): Uint8Array {
  const packet = new Uint8Array(size)
  packet.set([0x45, 0, size >>> 8, size])
  return packet
}
