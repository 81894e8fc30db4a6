// Packets through EspOutbound and EspInbound, copied from buffer to buffer, with each source of ciphers that runs here.
import { EspInbound, EspOutbound, espTransform } from '@underpass/esp-crypto'
import { interleave } from '../lib/measure.mjs'
import { udpPacket } from '../lib/packets.mjs'
import { aeadProviders } from '../lib/providers.mjs'

const TRANSFORMS = [
  ['AES-256-GCM', espTransform(20, 256, undefined)],
  ['ChaCha20-Poly1305', espTransform(28, undefined, undefined)],
]
const PACKETS = 256
const SPI = 0x1000

export function run({ quick }) {
  const { providers, missing } = aeadProviders()
  const notes = [...missing]
  const cases = []
  for (const [transform, row] of TRANSFORMS) {
    for (const provider of providers) {
      // Beyond AES-GCM it is openssl, which stands beside it.
      if (provider.name === 'ipsec-mb' && row.cipher !== 'AES-GCM') continue
      if (!provider.supports(row)) {
        notes.push(`${provider.name} has no ${transform} on this runtime.`)
        continue
      }
      for (const size of [64, 1400])
        for (const [operation, work] of [
          ['seal', sealing(provider, row, size)],
          ['open', opening(provider, row, size)],
        ])
          cases.push({ labels: { transform, size, operation, provider: provider.name }, work })
    }
  }
  const results = interleave(cases, quick ? { rounds: 3, milliseconds: 40 } : { rounds: 7, milliseconds: 150 })
  return { rows: results.map(({ case: { labels }, perSecond, perCpuSecond }) => ({ ...labels, perSecond, perCpuSecond })), notes }
}

function sealing(provider, transform, size) {
  const outbound = outboundSa(provider, transform)
  const packet = udpPacket('10.0.0.2', '10.2.0.1', size)
  const wire = new Uint8Array(2048)
  return () => {
    for (let i = 0; i < PACKETS; i++) if (outbound.encapsulate(packet, 0, size, 4, wire, 0) < size) throw new Error('not sealed')
    return PACKETS
  }
}

/** A packet can be opened once, so each time the receiving side is new; its cipher is not. */
function opening(provider, transform, size) {
  const outbound = outboundSa(provider, transform)
  const source = udpPacket('10.0.0.2', '10.2.0.1', size)
  const wires = Array.from({ length: PACKETS }, () => {
    const wire = new Uint8Array(2048)
    return wire.subarray(0, outbound.encapsulate(source, 0, size, 4, wire, 0))
  })
  const aead = provider.create(transform, new Uint8Array(transform.keymatLength))
  const packet = new Uint8Array(2048)
  return () => {
    const inbound = new EspInbound({ spi: SPI, transform, aead, esn: true, replayWindow: 1024 })
    for (const wire of wires) if (inbound.decapsulate(wire, 0, wire.length, packet, 0) !== size) throw new Error('lost a packet')
    return PACKETS
  }
}

function outboundSa(provider, transform) {
  const aead = provider.create(transform, new Uint8Array(transform.keymatLength))
  return new EspOutbound({ spi: SPI, transform, aead, esn: true })
}
