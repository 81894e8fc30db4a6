import { frameEsp, frameIke } from '@underpass/tcp-framing'
import { describe, expect, it } from 'vitest'
import { type FramingProfileName, type StreamShard, shardOfStream } from '../src/index.ts'

const PROFILES: readonly FramingProfileName[] = ['rfc9329', 'pauly-03', '3gpp-ftt']

describe.each(PROFILES)('whose a connection is, by its first message (%s)', (profile) => {
  const first = (stream: Uint8Array): StreamShard => {
    // Octet by octet: it asks for more than there is, and never for what a message of this kind does not have.
    let at = 0
    for (;;) {
      const found = shardOfStream(profile, stream.subarray(0, at), 4)
      if (found === 'none' || 'shard' in found) return found
      expect(found.needs).toBeGreaterThan(at)
      expect(found.needs).toBeLessThanOrEqual(Math.min(64, stream.length))
      at++
    }
  }

  it('RFC 9329 §3.2: ESP, by the last bits of its SPI', () => {
    expect(first(frameEsp(profile, Uint8Array.of(0xab, 0xcd, 0xef, 0x43, 0, 0, 0, 1), { prefix: true }))).toEqual({ shard: 3 })
  })

  it('RFC 9329 §3.1: IKE, by the responder’s SPI', () => {
    expect(first(frameIke(profile, ike(0x3fn, 0x1122_3344_5566_7781n), { prefix: true }))).toEqual({ shard: 1 })
    expect(first(frameIke(profile, ike(0x3fn, 0x1122_3344_0000_0000n), { prefix: true }))).toEqual({ shard: 0 })
  })

  it('RFC 7296 §2.2, RFC 9329 §6.1: IKE that the original initiator has not sent, by the initiator’s SPI: we have rekeyed the IKE SA', () => {
    expect(first(frameIke(profile, ike(0x1122_3344_5566_7782n, 0x3fn, 0), { prefix: true }))).toEqual({ shard: 2 })
  })

  it('RFC 9329 §6.3 (T-CK-3): IKE_SA_INIT, by the initiator’s SPI, which stays the same on another connection', () => {
    expect(first(frameIke(profile, ike(0xffff_0000_0000_0003n, 0n), { prefix: true }))).toEqual({ shard: 3, isNew: true })
    expect(first(frameIke(profile, ike(0xffff_0000_8000_0004n, 0n), { prefix: true }))).toEqual({ shard: 0, isNew: true })
  })
})

it('RFC 9329 §4: what does not begin with the prefix is for any, to be closed', () => {
  expect([shardOfStream('rfc9329', text('GET /'), 4), shardOfStream('rfc9329', text('IKETCX'), 4)]).toEqual(['none', 'none'])
})

it('RFC 9329 §3: a message too short to name an SA is for any', () => {
  expect(shardOfStream('rfc9329', Uint8Array.of(...text('IKETCP'), 0, 3, 0xff, 0, 3, 0xff), 4)).toBe('none')
})

function text(letters: string): Uint8Array {
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0))
}

function ike(initiatorSpi: bigint, responderSpi: bigint, flags = 0x08): Uint8Array {
  const octets = new Uint8Array(28)
  const view = new DataView(octets.buffer)
  view.setBigUint64(0, initiatorSpi)
  view.setBigUint64(8, responderSpi)
  octets[19] = flags
  return octets
}
