import { describe, expect, it } from 'vitest'
import { classifyDatagram, NAT_KEEPALIVE, NON_ESP_MARKER } from '../src/index.ts'

const IKE = Uint8Array.from({ length: 60 }, (_, i) => 0xc0 + (i & 0x3f))
const ESP = Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 5, 9, 9, 9, 9)
const MARKED = Uint8Array.of(0, 0, 0, 0, ...IKE)

describe('RFC 3948 §2 Packet Formats', () => {
  it('RFC 3948 §2.2 (U-1): four zeros come before IKE on port 4500, and are taken away', () => {
    expect(classifyDatagram(MARKED, 4500, 4500)).toEqual({ kind: 'ike', message: IKE })
    expect([...NON_ESP_MARKER]).toEqual([0, 0, 0, 0])
  })

  it('RFC 3948 §2.1 (U-1): a non-zero SPI in their place is ESP', () => {
    expect(classifyDatagram(ESP, 4500, 4500)).toEqual({ kind: 'esp', message: ESP })
    expect(classifyDatagram(Uint8Array.of(0, 0, 0, 1, 5), 4500, 4500).kind).toBe('esp')
  })

  it('RFC 3948 §2.3 (U-1): one octet 0xFF is a NAT keepalive, on either port', () => {
    expect([...NAT_KEEPALIVE]).toEqual([0xff])
    expect(classifyDatagram(NAT_KEEPALIVE, 4500, 4500).kind).toBe('keepalive')
    expect(classifyDatagram(NAT_KEEPALIVE, 500, 500).kind).toBe('keepalive')
  })

  it('RFC 7296 §2.23: port 500 carries IKE without a marker, whichever side it is on', () => {
    for (const [local, remote] of [
      [500, 500],
      [500, 31337],
      [31337, 500],
    ]) {
      expect(classifyDatagram(IKE, local, remote)).toEqual({ kind: 'ike', message: IKE })
    }
  })

  it('RFC 7296 §2.23 (C-21): any source port on 4500, as a NAT leaves it', () => {
    expect(classifyDatagram(MARKED, 4500, 1024).kind).toBe('ike')
    expect(classifyDatagram(ESP, 4500, 61000).kind).toBe('esp')
  })

  it('RFC 3948 §2: what is too short to be anything is malformed', () => {
    for (const octets of [[], [0xfe], [0, 0, 0], [0, 0, 0, 0], MARKED.subarray(0, 31)]) {
      expect(classifyDatagram(Uint8Array.from(octets), 4500, 4500).kind).toBe('malformed')
    }
    for (const octets of [[], [0xfe], IKE.subarray(0, 27)]) {
      expect(classifyDatagram(Uint8Array.from(octets), 500, 500).kind).toBe('malformed')
    }
    expect(classifyDatagram(MARKED.subarray(0, 32), 4500, 4500).kind).toBe('ike')
    expect(classifyDatagram(IKE.subarray(0, 28), 500, 500).kind).toBe('ike')
  })
})
