import { describe, expect, it } from 'vitest'
import {
  Deframer,
  espFrameOverhead,
  FRAMING_PROFILES,
  FramingError,
  type FramingProfileName,
  frameEsp,
  frameIke,
  STREAM_PREFIX,
  writeEspFrameHeader,
} from '../src/index.ts'
import { concat, drain, espPacket, hex, ikeMessage, toHex } from './stream.ts'
import golden from './vectors/golden-octets.json' with { type: 'json' }

const PROFILES: readonly FramingProfileName[] = ['rfc9329', 'pauly-03', '3gpp-ftt']

describe('RFC 9329 §3 golden octets', () => {
  it('RFC 9329 §3.1 (T-FRM-1): the IKE message of RFC 7634 App. B frames to 75 octets', () => {
    const frame = frameIke('rfc9329', hex(golden.ike.message))
    expect(toHex(frame)).toBe(golden.ike.frame)
    expect(frame.length).toBe(75)
  })

  it('RFC 9329 §3.2 (T-FRM-1): the ESP packet of RFC 7634 App. A frames to 122 octets', () => {
    expect(toHex(frameEsp('rfc9329', hex(golden.esp.packet)))).toBe(golden.esp.frame)
    const buffer = concat(new Uint8Array(2), hex(golden.esp.packet))
    writeEspFrameHeader('rfc9329', buffer, 0, 120)
    expect(toHex(buffer)).toBe(golden.esp.frame)
  })

  it('RFC 9329 §4 (T-PFX-2): the prefix is IKETCP, in one buffer with the first frame', () => {
    expect(toHex(STREAM_PREFIX)).toBe(golden.prefix)
    expect(toHex(frameIke('rfc9329', hex(golden.ike.message), { prefix: true }))).toBe(golden.prefix + golden.ike.frame)
    expect(toHex(frameEsp('rfc9329', hex(golden.esp.packet), { prefix: true }))).toBe(golden.prefix + golden.esp.frame)
  })

  it('RFC 9329 §6.6 (T-KA-2): the keepalive frame is 00 03 ff, and 00 00 00 05 ff in pauly-03', () => {
    expect(toHex(FRAMING_PROFILES.rfc9329.keepalive)).toBe(golden.keepalive)
    expect(toHex(FRAMING_PROFILES['pauly-03'].keepalive)).toBe('00000005ff')
  })

  it('draft-pauly-03: Length has 32 bits and counts itself and the marker; there is no prefix', () => {
    const frame = frameIke('pauly-03', hex(golden.ike.message), { prefix: true })
    expect(toHex(frame)).toBe(`0000004d00000000${golden.ike.message}`)
    expect(espFrameOverhead('pauly-03')).toBe(4)
  })

  it('TS 24.302 F.3.2: the 3GPP envelope equals the RFC 9329 frame, without a prefix', () => {
    expect(toHex(frameIke('3gpp-ftt', hex(golden.ike.message), { prefix: true }))).toBe(golden.ike.frame)
  })
})

describe('RFC 9329 §3 limits of the Length field', () => {
  it('RFC 9329 §3 (T-FRM-1): Length is the message plus 2, for every size up to 65,533', () => {
    const buffer = new Uint8Array(2 + 65533)
    for (let size = 1; size <= 65533; size++) {
      writeEspFrameHeader('rfc9329', buffer, 0, size)
      if (((buffer[0] << 8) | buffer[1]) !== size + 2) expect.unreachable(`size ${size}`)
    }
  })

  it('RFC 9329 §3 (T-FRM-3): 65,533 octets are framed and read back, 65,534 are refused', () => {
    const largest = espPacket(65533)
    const deframer = new Deframer('rfc9329', { role: 'originator' })
    expect(drain(deframer, [frameEsp('rfc9329', largest)]).messages).toEqual([{ kind: 'esp', bytes: largest }])
    expect(codeOf(() => frameEsp('rfc9329', espPacket(65534)))).toBe('MESSAGE_TOO_LONG')
    expect(codeOf(() => writeEspFrameHeader('rfc9329', new Uint8Array(70000), 0, 65534))).toBe('MESSAGE_TOO_LONG')
  })

  it('RFC 9329 §3.1 (T-FRM-3): the Non-ESP marker counts, so IKE ends at 65,529', () => {
    expect(frameIke('rfc9329', ikeMessage(65529)).length).toBe(65535)
    expect(codeOf(() => frameIke('rfc9329', ikeMessage(65530)))).toBe('MESSAGE_TOO_LONG')
  })

  it('RFC 9329 §3.1 (T-FRM-5): nothing that would get a Length of 0, 1 or 2 is framed', () => {
    for (const profile of PROFILES) {
      expect(codeOf(() => frameIke(profile, new Uint8Array(0)))).toBe('EMPTY_MESSAGE')
      expect(codeOf(() => frameEsp(profile, new Uint8Array(0)))).toBe('EMPTY_MESSAGE')
      expect(codeOf(() => writeEspFrameHeader(profile, new Uint8Array(10), 0, 0))).toBe('EMPTY_MESSAGE')
    }
  })

  it('RFC 9329 §3.2 (T-FRM-6): an ESP packet with SPI 0 is not framed', () => {
    expect(codeOf(() => frameEsp('rfc9329', espPacket(40, 0)))).toBe('ZERO_SPI')
    expect(codeOf(() => frameEsp('rfc9329', Uint8Array.of(1, 2, 3)))).toBe('ZERO_SPI')
  })

  it('RFC 9329 §3.2: a header is not written where the frame does not fit', () => {
    expect(codeOf(() => writeEspFrameHeader('rfc9329', new Uint8Array(41), 0, 40))).toBe('NO_ROOM')
    expect(codeOf(() => writeEspFrameHeader('rfc9329', new Uint8Array(42), 0, 40))).toBe(undefined)
    expect(codeOf(() => writeEspFrameHeader('rfc9329', new Uint8Array(80), -1, 40))).toBe('NO_ROOM')
  })

  it('RFC 9329 §3.2: headers are written in place, several frames in one buffer', () => {
    for (const profile of PROFILES) {
      const overhead = espFrameOverhead(profile)
      const packets = [espPacket(64), espPacket(1400), espPacket(300)]
      const buffer = new Uint8Array(packets.reduce((sum, packet) => sum + overhead + packet.length, 0))
      let at = 0
      for (const packet of packets) {
        buffer.set(packet, at + overhead)
        writeEspFrameHeader(profile, buffer, at, packet.length)
        at += overhead + packet.length
      }
      const { messages } = drain(new Deframer(profile, { role: 'originator' }), [buffer])
      expect(messages.map((message) => toHex(message.bytes))).toEqual(packets.map(toHex))
    }
  })
})

function codeOf(call: () => unknown): string | undefined {
  try {
    call()
    return undefined
  } catch (error) {
    if (error instanceof FramingError) return error.code
    throw error
  }
}
