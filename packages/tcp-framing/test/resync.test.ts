import { describe, expect, it } from 'vitest'
import { type DeframeResult, Deframer, FramingError, type ResyncOptions } from '../src/index.ts'
import { concat, espPacket, framed, framedIke, hex, ikeMessage, splitEvery } from './stream.ts'

const SPI = 0x0a0b0c0d
const INITIATOR = 0xc0c1c2c3c4c5c6c7n

describe('RFC 9329 §10 resynchronisation', () => {
  // 43,707 octets long, if it were a Length.
  const junk = hex('aabbccddeeff11')

  it('RFC 9329 §10 (T-SEC-2): 7 junk octets; the search finds the next frame and nothing is used unverified', () => {
    const stream = concat(esp(1), esp(2), junk, esp(3), esp(4), framedIke(ikeMessage(80)), esp(5))
    for (const size of [1, 2, 3, 7, 50, 1 << 20]) {
      const owner = receive(splitEvery(stream, size))
      expect(owner.sequences).toEqual([1, 2, 3, 4, 5])
      expect(owner.ike).toBe(1)
      expect(owner.candidates).toBe(1)
      expect(owner.deframer.counters).toMatchObject({ resyncs: 1, resyncAttempts: 1, skippedOctets: 7 })
    }
  })

  it('RFC 9329 §10 (T-SEC-2): the search finds an IKE message by marker and SPIs', () => {
    const owner = receive([concat(esp(1), junk, framedIke(ikeMessage(80)), esp(2))])
    expect(owner.ike).toBe(1)
    expect(owner.sequences).toEqual([1, 2])
  })

  it('RFC 9329 §10 (T-SEC-2): a forged Length does not hide the frames it claims', () => {
    // FFFF and a zero marker: 64 kB of "IKE" whose header has another Length.
    const owner = receive([concat(esp(1), hex('ffff00000000'), esp(2), esp(3), esp(4))])
    expect(owner.sequences).toEqual([1, 2, 3, 4])
  })

  it('RFC 9329 §10 (T-SEC-2): a candidate whose ICV fails is not used, and the search goes on behind it', () => {
    const forged = framed(espPacket(200, SPI, 0xbad))
    for (const size of [1, 11, 1 << 20]) {
      const owner = receive(splitEvery(concat(esp(1), junk, forged, esp(2), esp(3)), size))
      expect(owner.sequences).toEqual([1, 2, 3])
      expect(owner.candidates).toBe(2)
    }
  })

  it('RFC 9329 §6.1 (T-LIFE-13): the owner rejects a known SPI whose ICV failed while in sync', () => {
    // A frame whose Length was lengthened by an attacker so that it swallows the next.
    const longer = framed(concat(espPacket(64, SPI, 0xbad), esp(2)))
    for (const size of [1, 13, 1 << 20]) {
      const owner = receive(splitEvery(concat(esp(1), longer, esp(3)), size))
      expect(owner.sequences).toEqual([1, 2, 3])
    }
  })

  it('RFC 9329 §6.1 (T-LIFE-14): a complete frame with an unknown SPI is returned, and no search begins by itself', () => {
    const deframer = new Deframer('rfc9329', { role: 'originator', resync: known() })
    deframer.push(concat(framed(espPacket(64, 0x99)), framed(espPacket(64, 0x99)), esp(1)))
    expect([deframer.next(), deframer.next(), deframer.next(), deframer.next()]).toEqual(['esp', 'esp', 'esp', 'need-more'])
    expect(deframer.counters.resyncAttempts).toBe(0)
  })

  it('RFC 9329 §10 (T-SEC-2): an unconfirmed candidate counts as rejected', () => {
    for (const step of ['next', 'push'] as const) {
      const deframer = new Deframer('rfc9329', { role: 'originator', resync: known() })
      deframer.push(concat(junk, esp(1), esp(2)))
      expect(deframer.next()).toBe('esp')
      expect(deframer.isCandidate).toBe(true)
      if (step === 'push') deframer.push(esp(3))
      expect(deframer.next()).toBe('esp')
      expect(deframer.isCandidate).toBe(true)
      expect(deframer.counters).toMatchObject({ resyncAttempts: 2, resyncs: 0 })
    }
  })

  it('RFC 9329 §10 (T-SEC-2): a corrupt frame starts a search', () => {
    const owner = receive([concat(hex('000401020003'), esp(1))])
    expect(owner.results).toEqual(['corrupt', 'esp', 'need-more'])
    expect(owner.sequences).toEqual([1])
  })

  it('RFC 9329 §3.1 (T-FRM-5): Length 0 stays fatal with resync on', () => {
    const owner = receive([concat(esp(1), hex('0000'), esp(2))])
    expect(owner.deframer.fatalReason).toBe('ILLEGAL_LENGTH')
    expect(owner.sequences).toEqual([1])
  })

  it('RFC 9329 §10 (T-SEC-3): continuous injection is fatal after maxAttempts searches', () => {
    const frames = Array.from({ length: 20 }, (_, i) => concat(junk, esp(i)))
    const owner = receive(frames, { ...known(), maxAttempts: 5 })
    expect(owner.deframer.fatalReason).toBe('RESYNC_EXHAUSTED')
    expect(owner.sequences.length).toBe(5)
  })

  it('RFC 9329 §10 (T-SEC-3): and after maxOctets skipped, however they come', () => {
    const noise = new Uint8Array(5000).fill(0x42)
    for (const size of [1, 99, 1 << 20]) {
      let asked = 0
      const options: ResyncOptions = { ...known(), isKnownEspSpi: () => ++asked < 0, maxOctets: 1000 }
      const owner = receive(splitEvery(noise, size), options)
      expect(owner.deframer.fatalReason).toBe('RESYNC_EXHAUSTED')
      expect(asked).toBeLessThan(5000)
    }
  })

  it('RFC 9329 §10 (T-SEC-3): after 1,024 good frames the limits start afresh', () => {
    const good = concat(...Array.from({ length: 1100 }, (_, i) => esp(i)))
    const owner = receive([good, concat(junk, esp(7)), good, concat(junk, esp(8)), good], { ...known(), maxAttempts: 1 })
    expect(owner.deframer.fatalReason).toBe(undefined)
    expect(owner.deframer.counters.resyncs).toBe(2)
  })

  it('RFC 9329 §10: the search asks for a plausible sequence number too', () => {
    const stale = framed(espPacket(64, SPI, 0xffff0000))
    const options = { ...known(), isKnownEspSpi: (spi: number, sequence: number) => spi === SPI && sequence < 1000 }
    const owner = receive([concat(junk, stale, esp(1))], options)
    expect(owner.candidates).toBe(1)
    expect(owner.sequences).toEqual([1])
  })

  it('confirm and reject do nothing where there is nothing to confirm or reject', () => {
    const deframer = new Deframer('rfc9329', { role: 'originator' })
    deframer.push(concat(esp(1), esp(2)))
    expect(deframer.next()).toBe('esp')
    deframer.reject()
    deframer.confirm()
    expect(deframer.next()).toBe('esp')
    expect(deframer.next()).toBe('need-more')
    expect(deframer.counters).toMatchObject({ resyncs: 0, resyncAttempts: 0 })
  })

  it('draft-pauly-03: must close at once, so resync is refused', () => {
    expect(() => new Deframer('pauly-03', { role: 'originator', resync: known() })).toThrow(FramingError)
  })
})

function esp(sequence: number): Uint8Array {
  return framed(espPacket(64, SPI, sequence))
}

function known(): ResyncOptions {
  return { isKnownEspSpi: (spi) => spi === SPI, isKnownIkeSpis: (initiator) => initiator === INITIATOR }
}

interface Owner {
  readonly deframer: Deframer
  readonly results: DeframeResult[]
  readonly sequences: number[]
  readonly candidates: number
  readonly ike: number
}

/** An owner as it should be: known SPIs with a good ICV (sequence 0xbad stands for a bad one) are used, the rest is rejected. */
function receive(chunks: readonly Uint8Array[], options: ResyncOptions = known()): Owner {
  const deframer = new Deframer('rfc9329', { role: 'originator', resync: options })
  const results: DeframeResult[] = []
  const sequences: number[] = []
  let candidates = 0
  let ike = 0
  for (const chunk of chunks) {
    deframer.push(chunk)
    for (;;) {
      const kind = deframer.next()
      if (results.length < 10) results.push(kind)
      if (kind === 'need-more') break
      if (kind === 'fatal') return { deframer, results, sequences, candidates, ike }
      if (kind === 'corrupt') continue
      if (deframer.isCandidate) candidates++
      const view = new DataView(deframer.buffer.buffer, deframer.buffer.byteOffset + deframer.offset, deframer.length)
      if (kind === 'ike' && view.getBigUint64(0) === INITIATOR && view.getUint32(24) === deframer.length) {
        ike++
        deframer.confirm()
      } else if (kind === 'esp' && view.getUint32(0) === SPI && view.getUint32(4) !== 0xbad) {
        sequences.push(view.getUint32(4))
        deframer.confirm()
      } else {
        deframer.reject()
      }
    }
  }
  return { deframer, results, sequences, candidates, ike }
}
