import { type AeadProvider, nobleProvider } from '@underpass/esp-crypto'
import { describe, expect, it } from 'vitest'
import { Network } from '../network.ts'
import { clientPeer, GATEWAY_ADDRESS, gatewayPeer, Pair, sessionConfig, TCP, UDP } from '../pair.ts'
import { WatchedPair } from '../rekeying/support.ts'

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

describe('RFC 7296 §2.12: private values are forgotten with what they were for', () => {
  const isErased = (octets: Uint8Array): boolean => octets.every((octet) => octet === 0)

  it('RFC 7296 §2.12: of IKE_SA_INIT when its keys are made', () => {
    const pair = new Pair({ transports: [TCP] })
    pair.initiate()
    pair.run(1_000, () => pair.saOf(pair.client).state.kind === 'IKE_SA_INIT_SENT')
    const { state } = pair.saOf(pair.client)
    const secret = state.kind === 'IKE_SA_INIT_SENT' ? state.secret : new Uint8Array(0)
    expect(isErased(secret)).toBe(false)
    pair.run(5_000, () => pair.isUp)
    expect(pair.isUp).toBe(true)
    expect(isErased(secret)).toBe(true)
  })

  it('RFC 7296 §2.12: of IKE_SA_INIT when nobody answers it', () => {
    const pair = new Pair({ transports: [UDP] })
    pair.link.isUdpBlocked = true
    pair.initiate()
    pair.run(200)
    const sa = pair.saOf(pair.client)
    const secret = sa.state.kind === 'IKE_SA_INIT_SENT' ? sa.state.secret : new Uint8Array(0)
    expect(isErased(secret)).toBe(false)
    pair.command(pair.client, { kind: 'terminate' })
    expect(sa.state.kind).toBe('CLOSED')
    expect(isErased(secret)).toBe(true)
  })

  it('RFC 7296 §2.12: of a rekeying when the IKE SA is closed before its answer', () => {
    const pair = new WatchedPair({ transports: [UDP] })
    pair.connect()
    pair.link.isUdpBlocked = true
    pair.rekey(pair.client, 'ike-sa')
    pair.run(200)
    const sa = pair.saOf(pair.client)
    const [creation] = sa.creations
    const secret = creation!.secret!
    expect(isErased(secret)).toBe(false)
    pair.run(600_000, () => sa.state.kind === 'CLOSED')
    expect(sa.state.kind).toBe('CLOSED')
    expect(isErased(secret)).toBe(true)
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
