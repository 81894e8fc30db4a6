// Packets a second through EspOutbound and EspInbound, of every provider that runs here: an iteration is one packet, copied from
// buffer to buffer. Run it with Bun or Deno as it is, with Node from 24 on.
import {
  type Aead,
  type AeadProvider,
  EspInbound,
  EspOutbound,
  type EspTransform,
  espTransform,
  nobleProvider,
} from '@underpass/esp-crypto'
import { nodeProvider } from '@underpass/esp-crypto/node'
import { opensslProvider } from '@underpass/esp-crypto/openssl'
import { bench, do_not_optimize, group, run } from 'mitata'

const TRANSFORMS = [espTransform(20, 256, undefined)!, espTransform(28, undefined, undefined)!]
const SIZES = [64, 1400]
const ROUND = 256

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

/** A packet can be opened once, so after a round of them the receiving side is made anew. */
function opening(provider: AeadProvider, transform: EspTransform, size: number): () => void {
  const outbound = outboundSa(provider, transform)
  const wires = Array.from({ length: ROUND }, () => {
    const wire = new Uint8Array(2048)
    return wire.subarray(0, outbound.encapsulate(ipv4(size), 0, size, 4, wire, 0))
  })
  const aead = provider.create(transform, new Uint8Array(transform.keymatLength))
  const packet = new Uint8Array(2048)
  let inbound = inboundSa(transform, aead)
  let next = 0
  return () => {
    if (next === ROUND) {
      next = 0
      inbound = inboundSa(transform, aead)
    }
    const wire = wires[next++]!
    if (inbound.decapsulate(wire, 0, wire.length, packet, 0) !== size) throw new Error('lost a packet')
  }
}

function inboundSa(transform: EspTransform, aead: Aead): EspInbound {
  return new EspInbound({ spi: 0x1000, transform, aead, esn: false, replayWindow: 64 })
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
