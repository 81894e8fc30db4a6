import { describe, expect, it } from 'vitest'
import { type Aead, EspDrop, EspInbound, EspOutbound, espSpi, espTransform, nameOfDrop, nobleProvider } from '../src/index.ts'
import { GCM_256, hex, ipv4, ipv6, octets, open, Seeded, SPI, sa, seal } from './support.ts'

const M = 0xffffffff

/** A packet with an authentic ICV around whatever trailer: what only a peer with the key can do wrong. */
function authentic(plaintext: Uint8Array, low = 1): { wire: Uint8Array; inbound: EspInbound } {
  const keymat = new Uint8Array(36).fill(9)
  const aead = nobleProvider.create(GCM_256, keymat)
  const wire = new Uint8Array(16 + plaintext.length + 16)
  wire.set([SPI >>> 24, SPI >>> 16, SPI >>> 8, SPI, low >>> 24, low >>> 16, low >>> 8, low, 1, 2, 3, 4, 5, 6, 7, 8])
  wire.set(plaintext, 16)
  aead.seal(wire.slice(8, 16), wire, 8, wire, 16, plaintext.length)
  return { wire, inbound: new EspInbound({ spi: SPI, transform: GCM_256, aead, esn: false, replayWindow: 64 }) }
}

function opened(plaintext: Uint8Array | string): Uint8Array | number {
  const { wire, inbound } = authentic(typeof plaintext === 'string' ? octets(plaintext) : plaintext)
  return open(inbound, wire)
}

const trailer = (packet: Uint8Array, rest: string): string => hex(packet) + rest

describe('RFC 4303 §2.4 (E-3): padding', () => {
  it('0 to 255 octets are consumed', () => {
    for (const padLength of [0, 1, 2, 3, 4, 100, 254, 255]) {
      const padding = hex(Uint8Array.from({ length: padLength }, (_, i) => i + 1))
      const result = opened(trailer(ipv4(40), `${padding}${padLength.toString(16).padStart(2, '0')}04`))
      expect(hex(result as Uint8Array)).toBe(hex(ipv4(40)))
    }
  })

  it('that is not 1, 2, 3… is a drop', () => {
    expect(opened(trailer(ipv4(40), '0103020304'))).toBe(EspDrop.PADDING)
    expect(opened(trailer(ipv4(40), '0001020304'))).toBe(EspDrop.PADDING)
    expect(opened(trailer(ipv4(40), '00000304'))).toBe(EspDrop.PADDING)
  })

  it('longer than the packet is a drop', () => {
    expect(opened('0104')).toBe(EspDrop.PADDING)
    expect(opened('ff04')).toBe(EspDrop.PADDING)
    expect(opened(trailer(ipv4(40), 'ff04'))).toBe(EspDrop.PADDING)
  })

  it('need not align: that is the sender’s duty', () => {
    expect(opened(trailer(ipv4(41), '0004'))).toHaveLength(41)
  })
})

describe('RFC 4303 §2.6 (E-4): Next Header', () => {
  it('59 is discarded without being looked at', () => {
    expect(opened('003b')).toHaveLength(0)
    expect(opened('ffffffffff003b')).toHaveLength(0)
  })

  it('in tunnel mode only IP goes through', () => {
    for (const nextHeader of ['00', '06', '11', '32', '90']) expect(opened(trailer(ipv4(40), `00${nextHeader}`))).toBe(EspDrop.NEXT_HEADER)
  })

  it('in transport mode anything does, as it is', () => {
    const { outbound, inbound } = sa({ mode: 'transport' })
    expect(hex(open(inbound, seal(outbound, octets('0035d4310008ffff'), 17)) as Uint8Array)).toBe('0035d4310008ffff')
    expect(inbound.nextHeader).toBe(17)
  })
})

describe('RFC 4303 §2.7 (E-5, the stripping): the inner length', () => {
  it('says where TFC padding begins, IPv4 and IPv6', () => {
    expect(opened(trailer(ipv4(40), `${'deadbeef'.repeat(100)}0004`))).toHaveLength(40)
    expect(opened(trailer(ipv6(60), `${'deadbeef'.repeat(100)}0029`))).toHaveLength(60)
  })

  it('an IPv6 header with nothing after it is a packet', () => {
    expect(opened(trailer(ipv6(40), '0029'))).toHaveLength(40)
  })

  it('beyond the packet, or less than a header, is a drop', () => {
    expect(opened(trailer(ipv4(40).subarray(0, 39), '0004'))).toBe(EspDrop.INNER_LENGTH)
    expect(opened(trailer(ipv6(60).subarray(0, 59), '0029'))).toBe(EspDrop.INNER_LENGTH)
    expect(opened(trailer(ipv4(19), '0004'))).toBe(EspDrop.INNER_LENGTH)
    expect(opened(trailer(ipv4(40).fill(19, 3, 4), '0004'))).toBe(EspDrop.INNER_LENGTH)
    expect(opened('0004')).toBe(EspDrop.INNER_LENGTH)
  })

  it('of another IP version is a drop', () => {
    expect(opened(trailer(ipv4(40), '0029'))).toBe(EspDrop.INNER_VERSION)
    expect(opened(trailer(ipv6(60), '0004'))).toBe(EspDrop.INNER_VERSION)
  })
})

describe('RFC 4303 §3.4: the order of the checks', () => {
  it('§3.4.3 (E-2): a replay costs no cryptography', () => {
    const { outbound } = sa()
    const inner = nobleProvider.create(GCM_256, new Uint8Array(36))
    let opens = 0
    const aead: Aead = {
      ivLength: 8,
      icvLength: 16,
      seal: inner.seal.bind(inner),
      open: () => {
        opens++
        return false
      },
    }
    const inbound = new EspInbound({ spi: SPI, transform: GCM_256, aead, esn: false, replayWindow: 64 })
    const wire = seal(outbound, ipv4(40))
    inbound.replayWindow.accept(0, 1)
    expect(open(inbound, wire)).toBe(EspDrop.REPLAY)
    expect(opens).toBe(0)
    expect(open(inbound, seal(outbound, ipv4(40)))).toBe(EspDrop.ICV)
    expect(opens).toBe(1)
  })

  it('§3.4.3 (E-2): a forged number ahead of the window does not move it', () => {
    const { outbound, inbound } = sa()
    const first = seal(outbound, ipv4(40))
    const forged = first.slice()
    forged[4] = 0x7f
    expect(open(inbound, forged)).toBe(EspDrop.ICV)
    expect(inbound.replayWindow.topLow).toBe(0)
    expect(open(inbound, first)).toHaveLength(40)
  })

  it('§3.4.3: an authentic packet that is malformed inside still counts as received', () => {
    const { wire, inbound } = authentic(octets('ff04'))
    expect(open(inbound, wire)).toBe(EspDrop.PADDING)
    expect(open(inbound, wire)).toBe(EspDrop.REPLAY)
  })

  it('§3.4.2: a packet of another SPI is not of this SA', () => {
    const { outbound, inbound } = sa()
    const wire = seal(outbound, ipv4(40))
    expect(espSpi(wire, 0)).toBe(SPI)
    wire[0]! ^= 1
    expect(open(inbound, wire)).toBe(EspDrop.SPI)
    expect(inbound.counters.icv).toBe(0)
  })

  it('what is too short, or not whole cipher blocks, is not decrypted', () => {
    const cbc = espTransform(12, 256, 12)!
    for (const [transform, minimum] of [
      [GCM_256, 8 + 8 + 2 + 16],
      [cbc, 8 + 16 + 16 + 16],
    ] as const) {
      const { inbound } = sa({ transform })
      const wire = new Uint8Array(200)
      wire.set([SPI >>> 24, SPI >>> 16, SPI >>> 8, SPI, 0, 0, 0, 1])
      expect(open(inbound, wire.subarray(0, minimum - 1))).toBe(EspDrop.TRUNCATED)
      expect(open(inbound, wire.subarray(0, minimum))).toBe(EspDrop.ICV)
      expect(open(inbound, wire.subarray(0, minimum + 1))).toBe(transform === cbc ? EspDrop.TRUNCATED : EspDrop.ICV)
    }
  })

  it('counts each drop once, and names it', () => {
    const { outbound, inbound } = sa()
    open(inbound, new Uint8Array(5))
    const wire = seal(outbound, ipv4(40))
    open(inbound, wire)
    open(inbound, wire)
    const forged = seal(outbound, ipv4(40))
    forged[20]! ^= 1
    open(inbound, forged)
    open(inbound, seal(outbound, ipv4(40), 6))
    open(inbound, seal(outbound, ipv4(40).subarray(0, 30)))
    expect(inbound.counters).toEqual({
      packets: 1,
      octets: 40,
      dummies: 0,
      truncated: 1,
      replay: 1,
      icv: 1,
      padding: 0,
      nextHeader: 1,
      inner: 1,
      resynchronisations: 0,
    })
    expect([-1, -2, -3, -4, -5, -6, -7, -8, -9].map(nameOfDrop)).toEqual(Object.keys(EspDrop))
    expect(nameOfDrop(0)).toBeUndefined()
  })
})

describe('RFC 4303 Appendix A (E-2): extended sequence numbers', () => {
  const transforms = [GCM_256, espTransform(12, 256, 12)!, espTransform(28, undefined, undefined)!]

  it.each(transforms)('$name: the high half is inferred across the boundary, in and out of order', (transform) => {
    const { outbound, inbound } = sa({ transform, esn: true, sequence: { high: 0, low: M - 5 } })
    inbound.replayWindow.accept(0, M - 50)
    const wires = Array.from({ length: 12 }, (_, i) => seal(outbound, ipv4(40, i)))
    const order = [0, 1, 7, 2, 3, 8, 4, 5, 6, 11, 10, 9]
    for (const i of order) expect([i, open(inbound, wires[i]!)]).toEqual([i, ipv4(40, i)])
    for (const wire of wires) expect(open(inbound, wire)).toBe(EspDrop.REPLAY)
    expect([inbound.replayWindow.topHigh, inbound.replayWindow.topLow]).toEqual([1, 6])
  })

  it.each(transforms)('$name: a packet of one subspace is not valid in another', (transform) => {
    const low = sa({ transform, esn: true }).outbound
    const { inbound } = sa({ transform, esn: true })
    inbound.replayWindow.accept(5, 1000)
    const wire = seal(low, ipv4(40))
    expect(open(inbound, wire)).toBe(EspDrop.ICV)
  })

  it('Appendix A3: after 2^32 lost packets the high half is found again, once many in a row have failed', () => {
    const { outbound, inbound } = sa({ esn: true, sequence: { high: 3, low: 1000 } })
    const results: (number | Uint8Array)[] = []
    for (let i = 0; i < 66; i++) results.push(open(inbound, seal(outbound, ipv4(40))))
    expect(results.slice(0, 63).every((result) => result === EspDrop.ICV)).toBe(true)
    expect(results.slice(63)).toEqual([ipv4(40), ipv4(40), ipv4(40)])
    expect(inbound.counters).toMatchObject({ resynchronisations: 1, icv: 63, packets: 3 })
    expect([inbound.replayWindow.topHigh, inbound.replayWindow.topLow]).toEqual([3, 1066])
  })

  it('Appendix A3: forgeries find nothing', () => {
    const { outbound, inbound } = sa({ esn: true })
    const wire = seal(outbound, ipv4(40))
    const forged = wire.slice()
    forged[30]! ^= 1
    for (let i = 0; i < 200; i++) expect(open(inbound, forged)).toBe(EspDrop.ICV)
    expect(open(inbound, wire)).toHaveLength(40)
    expect(inbound.counters.resynchronisations).toBe(0)
  })

  it('Appendix A3.1: an authentic packet starts the count of failures again', () => {
    const { outbound } = sa({ esn: true })
    const keymat = new Seeded(GCM_256.keymatLength).octets(GCM_256.keymatLength)
    const inner = nobleProvider.create(GCM_256, keymat)
    let opens = 0
    const open_: Aead['open'] = (...parameters) => {
      opens++
      return inner.open(...parameters)
    }
    const aead: Aead = { ivLength: 8, icvLength: 16, seal: inner.seal.bind(inner), open: open_ }
    const inbound = new EspInbound({ spi: SPI, transform: GCM_256, aead, esn: true, replayWindow: 64 })
    const forged = seal(outbound, ipv4(40))
    forged[30]! ^= 1
    for (let i = 0; i < 63; i++) open(inbound, forged)
    expect(open(inbound, seal(outbound, ipv4(40)))).toHaveLength(40)
    for (let i = 0; i < 63; i++) open(inbound, forged)
    expect(opens).toBe(127)
    open(inbound, forged)
    expect(opens).toBe(127 + 1 + 4)
  })

  it('both sides must agree on ESN', () => {
    const keymat = new Uint8Array(36)
    const aead = nobleProvider.create(GCM_256, keymat)
    const outbound = new EspOutbound({ spi: SPI, transform: GCM_256, aead, esn: true })
    const inbound = new EspInbound({ spi: SPI, transform: GCM_256, aead, esn: false, replayWindow: 64 })
    expect(open(inbound, seal(outbound, ipv4(40)))).toBe(EspDrop.ICV)
  })
})
