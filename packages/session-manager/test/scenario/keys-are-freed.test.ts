import { type AeadProvider, nobleProvider } from '@underpass/esp-crypto'
import { describe, expect, it } from 'vitest'
import { Network } from '../network.ts'
import { clientPeer, GATEWAY_ADDRESS, gatewayPeer, sessionConfig, TCP } from '../pair.ts'

describe('RFC 7296 §2.12: the keys of a closed connection are forgotten', () => {
  it('both ciphers of a Child SA are freed with it, each once, and the IKE keys are zero', () => {
    const counts = { made: 0, freed: 0 }
    const network = new Network()
    const gateway = network.add('gateway', GATEWAY_ADDRESS, { ...sessionConfig([gatewayPeer()], true), aeadProvider: counting(counts) })
    const client = network.add('client', '192.0.2.10', { ...sessionConfig([clientPeer([TCP])], false), aeadProvider: counting(counts) })
    network.command(client, { kind: 'initiate', peer: 'gateway' })
    network.run(1_000, () => gateway.core.sad.size > 0 && client.core.sad.size > 0)
    const keys = Object.values([...client.core.ikeSas.values()][0]!.protection!.keys) as Uint8Array[]
    expect(counts).toEqual({ made: 4, freed: 0 })
    expect(keys.some((key) => key.some((octet) => octet !== 0))).toBe(true)

    network.command(client, { kind: 'terminate' })
    network.run(1_000)
    expect(counts).toEqual({ made: 4, freed: 4 })
    expect(keys.every((key) => key.every((octet) => octet === 0))).toBe(true)
  })
})

function counting(counts: { made: number; freed: number }): AeadProvider {
  return {
    name: 'counting',
    supports: (transform) => nobleProvider.supports(transform),
    create: (transform, keymat) => {
      counts.made++
      return Object.assign(nobleProvider.create(transform, keymat), { free: () => counts.freed++ })
    },
  }
}
