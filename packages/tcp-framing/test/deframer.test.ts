import { describe, expect, it } from 'vitest'
import { Deframer, FramingError, STREAM_PREFIX } from '../src/index.ts'
import { concat, deframe, drain, espPacket, framed, framedIke, hex, ikeMessage, splitEvery } from './stream.ts'
import golden from './vectors/golden-octets.json' with { type: 'json' }

const IKE = { kind: 'ike', bytes: hex(golden.ike.message) } as const
const ESP = { kind: 'esp', bytes: hex(golden.esp.packet) } as const

describe('RFC 9329 §3 TCP-Encapsulated Data Formats', () => {
  it('RFC 9329 §3 (T-FRM-1): the golden frames give back their messages', () => {
    const { messages } = deframe([hex(golden.ike.frame + golden.esp.frame + golden.ike.frame)])
    expect(messages).toEqual([IKE, ESP, IKE])
  })

  it('RFC 9329 §3 (T-FRM-4): Length 2 is ignored silently', () => {
    const { messages, end, deframer } = deframe([hex(golden.ike.frame + golden.empty + golden.esp.frame)])
    expect(messages).toEqual([IKE, ESP])
    expect(end).toBe('need-more')
    expect(deframer.counters).toMatchObject({ empty: 1, corrupt: 0, frames: 3 })
  })

  it.each(['0000', '0001'])('RFC 9329 §3.1 (T-FRM-5): Length %s is fatal, and stays so', (length) => {
    const { messages, end, deframer } = deframe([hex(golden.ike.frame + length + golden.esp.frame)])
    expect(messages).toEqual([IKE])
    expect(end).toBe('fatal')
    expect(deframer.fatalReason).toBe('ILLEGAL_LENGTH')
    deframer.push(hex(golden.ike.frame))
    expect(deframer.next()).toBe('fatal')
  })

  it('RFC 9329 §3.2 (T-FRM-6): a first word of 0 is the Non-ESP marker, anything else an SPI', () => {
    const { messages } = deframe([framed(espPacket(40, 1)), framed(espPacket(40, 0x80000000)), framed(espPacket(40, 0))])
    expect(messages.map((message) => message.kind)).toEqual(['esp', 'esp', 'ike'])
  })

  it('RFC 9329 §3 (T-FRM-7): one octet at a time', () => {
    const stream = hex(golden.prefix + golden.ike.frame + golden.keepalive + golden.esp.frame + golden.empty + golden.ike.frame)
    expect(deframe(splitEvery(stream, 1), 'rfc9329', { role: 'responder' }).messages).toEqual([IKE, ESP, IKE])
  })

  it('RFC 9329 §3 (T-FRM-7): split in two at every offset, inside prefix, Length and marker', () => {
    const stream = hex(golden.prefix + golden.ike.frame + golden.esp.frame)
    for (let at = 0; at <= stream.length; at++) {
      const { messages } = deframe([stream.subarray(0, at), stream.subarray(at)], 'rfc9329', { role: 'responder' })
      expect(messages).toEqual([IKE, ESP])
    }
  })

  it('RFC 9329 §3 (T-FRM-7): chunks of 1 MB with thousands of frames, cut anywhere', () => {
    const frames = Array.from({ length: 20_000 }, (_, i) => framed(espPacket(40 + (i % 200), 0x1000 + i, i)))
    const stream = concat(...frames)
    const deframer = new Deframer('rfc9329', { role: 'originator' })
    let count = 0
    for (const chunk of splitEvery(stream, 1 << 20)) {
      deframer.push(chunk)
      while (deframer.next() === 'esp') {
        const spi = new DataView(deframer.buffer.buffer, deframer.buffer.byteOffset + deframer.offset).getUint32(0)
        if (spi !== 0x1000 + count || deframer.length !== 40 + (count % 200)) expect.unreachable(`frame ${count}`)
        count++
      }
    }
    expect(count).toBe(20_000)
    expect(deframer.buffered).toBe(0)
  })

  it.each([
    ['3 octets, not 0xFF', '0003fe'],
    ['4 octets', '0004ffff'],
    ['5 octets', '0005000000'],
    ['an IKE header one octet short', `0021${'00'.repeat(31)}`],
    ['the marker alone', '000600000000'],
  ])('RFC 9329 §3: %s is corrupt, and the stream goes on', (_, octets) => {
    const { messages, deframer } = deframe([hex(octets + golden.esp.frame)])
    expect(messages.map((message) => message.kind)).toEqual(['corrupt', 'esp'])
    expect(messages[0].bytes).toEqual(hex(octets).subarray(2))
    expect(deframer.counters).toMatchObject({ corrupt: 1, esp: 1 })
  })

  it('RFC 9329 §3.1: the smallest IKE message is its header, Length 34', () => {
    expect(deframe([framedIke(ikeMessage(28))]).messages).toEqual([{ kind: 'ike', bytes: ikeMessage(28) }])
  })

  it('RFC 9329 §6.6 (T-KA-2): keepalives mid-stream are dropped and are no corruption', () => {
    const { messages, deframer } = deframe([
      hex(golden.keepalive + golden.esp.frame + golden.keepalive + golden.keepalive + golden.ike.frame),
    ])
    expect(messages).toEqual([ESP, IKE])
    expect(deframer.counters).toMatchObject({ keepalives: 3, corrupt: 0 })
  })
})

describe('RFC 9329 §4 TCP-Encapsulated Stream Prefix', () => {
  const responder = { role: 'responder' } as const

  it('RFC 9329 §6.1 (T-PFX-4): nothing is parsed before the whole prefix, then the frame once', () => {
    const deframer = new Deframer('rfc9329', responder)
    expect(drain(deframer, [hex('494b45')]).messages).toEqual([])
    expect(deframer.isPrefixComplete).toBe(false)
    expect(drain(deframer, [hex(`544350${golden.ike.frame}`)]).messages).toEqual([IKE])
    expect(deframer.isPrefixComplete).toBe(true)
  })

  it('RFC 9329 §4 (T-PFX-2): the Responder sends no prefix, so its stream begins with a Length', () => {
    const originator = deframe([hex(golden.ike.frame)])
    expect(originator.messages).toEqual([IKE])
    expect(originator.deframer.isPrefixComplete).toBe(true)
    // To an originator "IK" is a Length of 18,763 like any other.
    expect(deframe([STREAM_PREFIX]).end).toBe('need-more')
  })

  it('RFC 9329 §4 (T-PFX-2): a prefix sent twice is not one the second time', () => {
    const { messages } = deframe([hex(golden.prefix + golden.prefix + golden.ike.frame)], 'rfc9329', responder)
    expect(messages).toEqual([])
  })

  it.each([
    ['HTTP', '474554202f20'],
    ['a TLS ClientHello', '160301020001'],
    ['IKEv2', '494b45763200'],
    ['draft-04, lower case', '696b65763200'],
    ['a frame without a prefix', golden.ike.frame],
    ['IKETCX', '494b45544358'],
  ])('RFC 9329 §10 (T-PFX-7): %s instead of the prefix is fatal', (_, octets) => {
    for (const size of [1, 1000]) {
      const { messages, end, deframer } = deframe(splitEvery(hex(octets + golden.ike.frame), size), 'rfc9329', responder)
      expect(messages).toEqual([])
      expect(end).toBe('fatal')
      expect(deframer.fatalReason).toBe('BAD_PREFIX')
    }
  })

  it('RFC 9329 §10 (T-PFX-7): a prefix cut short leaves isPrefixComplete false for the owner to time out', () => {
    const { end, deframer } = deframe([hex('494b455443')], 'rfc9329', responder)
    expect(end).toBe('need-more')
    expect(deframer.isPrefixComplete).toBe(false)
  })
})

describe('RFC 9329 §6.1 the connection breaks', () => {
  it('RFC 9329 §6.1 (T-LIFE-9): half a frame is not prepended to the next connection', () => {
    const half = hex(golden.prefix + golden.esp.frame.slice(0, 100))
    const deframer = new Deframer('rfc9329', { role: 'responder' })
    drain(deframer, [half])
    expect(deframer.buffered).toBe(50)
    deframer.reset()
    expect(deframer.buffered).toBe(0)
    expect(deframer.isPrefixComplete).toBe(false)
    expect(drain(deframer, [hex(golden.prefix + golden.ike.frame)]).messages).toEqual([IKE])
  })

  it('RFC 9329 §6.1 (T-LIFE-9): after a fatal stream too', () => {
    const deframer = new Deframer('rfc9329', { role: 'responder' })
    expect(drain(deframer, [hex('00')]).end).toBe('fatal')
    deframer.reset()
    expect(deframer.fatalReason).toBe(undefined)
    expect(drain(deframer, [hex(golden.prefix + golden.ike.frame)]).messages).toEqual([IKE])
  })
})

describe('what is held', () => {
  it('RFC 9329 §3: a frame whole in the chunk is handed out where it lies', () => {
    const chunk = hex(golden.esp.frame + golden.ike.frame + golden.esp.frame.slice(0, 20))
    const deframer = new Deframer('rfc9329', { role: 'originator' })
    deframer.push(chunk)
    expect(deframer.next()).toBe('esp')
    expect(deframer.buffer).toBe(chunk)
    expect(deframer.offset).toBe(2)
    expect(deframer.next()).toBe('ike')
    expect(deframer.buffer).toBe(chunk)
    expect(deframer.offset).toBe(122 + 6)
    expect(deframer.next()).toBe('need-more')
    expect(deframer.buffer).not.toBe(chunk)
    expect(deframer.buffered).toBe(10)
  })

  it('RFC 9329 §10: a claimed Length costs nothing before its octets come', () => {
    const { deframer } = deframe([hex('ffff01020304')])
    expect(deframer.buffered).toBe(6)
    expect(deframer.buffer.length).toBeLessThanOrEqual(512)
  })

  it('a frame above maxBuffered is fatal, however it is chunked', () => {
    for (const size of [1, 7, 5000]) {
      const { messages, deframer } = deframe(splitEvery(concat(framed(espPacket(98)), framed(espPacket(99))), size), 'rfc9329', {
        role: 'originator',
        maxBuffered: 100,
      })
      expect(messages.length).toBe(1)
      expect(deframer.fatalReason).toBe('TOO_LONG')
    }
  })

  it('a chunk pushed before the last is drained is kept up to maxBuffered, then fatal', () => {
    const deframer = new Deframer('rfc9329', { role: 'responder', maxBuffered: 300 })
    for (const octet of hex(golden.prefix + golden.esp.frame + golden.ike.frame)) deframer.push(Uint8Array.of(octet))
    expect(drain(deframer, [new Uint8Array(0)]).messages).toEqual([ESP, IKE])
    for (let i = 0; i < 4; i++) deframer.push(framed(espPacket(98)))
    expect(drain(deframer, [framed(espPacket(98))])).toEqual({ messages: [], end: 'fatal' })
    expect(deframer.fatalReason).toBe('BUFFER_FULL')
  })

  it('a maxBuffered without room for an IKE header is a caller error', () => {
    expect(() => new Deframer('rfc9329', { role: 'originator', maxBuffered: 33 })).toThrow(FramingError)
    expect(() => new Deframer('rfc9329', { role: 'originator', maxBuffered: Number.NaN })).toThrow(FramingError)
  })

  it('a dribbled frame is not recopied per octet: 65,535 octets, one at a time, well under a second', () => {
    const frame = framed(espPacket(65533))
    const deframer = new Deframer('rfc9329', { role: 'originator' })
    const started = performance.now()
    for (let round = 0; round < 4; round++) {
      for (let at = 0; at < frame.length; at++) {
        deframer.push(frame.subarray(at, at + 1))
        const result = deframer.next()
        if (result !== (at === frame.length - 1 ? 'esp' : 'need-more')) expect.unreachable(`${result} at ${at}`)
      }
    }
    // 4 × 65,535 recopies of up to 64 kB would be 8.6 GB.
    expect(performance.now() - started).toBeLessThan(1500)
  })
})

describe('draft-pauly-ipsecme-tcp-encaps-03', () => {
  const originator = { role: 'responder' } as const

  it('draft-pauly-03: a responder expects no prefix; Length has 32 bits', () => {
    const stream = concat(framedIke(ikeMessage(60), 4), framed(espPacket(100), 4))
    for (const size of [1, 3, 1000]) {
      const { messages, deframer } = deframe(splitEvery(stream, size), 'pauly-03', originator)
      expect(messages.map((message) => message.kind)).toEqual(['ike', 'esp'])
      expect(deframer.isPrefixComplete).toBe(true)
    }
  })

  it('draft-pauly-03 (T-KA-2): the keepalive 00 00 00 05 ff is dropped', () => {
    const { messages, deframer } = deframe([concat(hex('00000005ff'), framed(espPacket(50), 4))], 'pauly-03', originator)
    expect(messages.length).toBe(1)
    expect(deframer.counters).toMatchObject({ keepalives: 1, corrupt: 0 })
  })

  it.each([
    ['Length 0', '00000000', 'ILLEGAL_LENGTH'],
    ['Length 3', '00000003', 'ILLEGAL_LENGTH'],
    ['an empty message', '00000004', 'UNPARSABLE'],
    ['one octet, not 0xFF', '0000000501', 'UNPARSABLE'],
    ['a truncated IKE header', `00000010${'00'.repeat(12)}`, 'UNPARSABLE'],
    ['a Length beyond any datagram', '00010004', 'TOO_LONG'],
    ['a Length of 4 GiB', 'ffffffff', 'TOO_LONG'],
    ['IKETCP', '494b45544350', 'TOO_LONG'],
  ])('draft-pauly-03: %s closes at once', (_, octets, reason) => {
    const { messages, end, deframer } = deframe([concat(hex(octets), framed(espPacket(50), 4))], 'pauly-03', originator)
    expect(messages).toEqual([])
    expect(end).toBe('fatal')
    expect(deframer.fatalReason).toBe(reason)
  })
})

describe('TS 24.302 F.3.2 envelopes', () => {
  it('TS 24.302 F.3.2.4: any envelope of Length 2 to 6 is a keep-alive and dropped', () => {
    const keepalives = ['0002', '0003ff', '000301', '0004ffff', '0005000000', '000600000000', '000601020304']
    const { messages, deframer } = deframe([hex(keepalives.join('') + golden.ike.frame + golden.esp.frame)], '3gpp-ftt', {
      role: 'responder',
    })
    expect(messages).toEqual([IKE, ESP])
    expect(deframer.counters).toMatchObject({ keepalives: keepalives.length, empty: 0, corrupt: 0 })
  })

  it('TS 24.302 F.3.2.1: Length counts itself, so 0 and 1 are fatal', () => {
    expect(deframe([hex('0001')], '3gpp-ftt', { role: 'responder' }).deframer.fatalReason).toBe('ILLEGAL_LENGTH')
  })
})
