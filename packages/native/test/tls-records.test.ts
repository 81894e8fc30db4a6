import { describe, expect, it } from 'vitest'
import { CLOSED, loadLibcrypto } from '../src/index.ts'
import { TlsRecords } from '../src/tls-records.ts'
import { APPLICATION_DATA, RECORD, RECORD_SUITES, type RecordSuite, TrafficKeys } from '../src/traffic-keys.ts'
import { hex, toHex } from './native-aead.ts'

const [ALERT, HANDSHAKE] = [21, 22]
const AES_128 = RECORD_SUITES['TLS_AES_128_GCM_SHA256'] as RecordSuite
const AES_256 = RECORD_SUITES['TLS_AES_256_GCM_SHA384'] as RecordSuite
const { createAead } = loadLibcrypto()

describe('RFC 8446 §5: records', () => {
  it('RFC 8448 §3: the client’s application data, by its published traffic secret', () => {
    const secret = hex('9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5')
    const keys = new TrafficKeys(createAead, AES_128, secret, 0)
    const record = new Uint8Array(72)
    expect(
      keys.seal(
        APPLICATION_DATA,
        Uint8Array.from({ length: 50 }, (_, i) => i),
        0,
        50,
        record,
        0,
      ),
    ).toBe(72)
    expect(toHex(record)).toBe(
      '1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4',
    )
    keys.free()
    expect(toHex(secret)).toBe('00'.repeat(32))
  })

  it('RFC 8446 §5.4: padding is taken off, and empty records are no data', () => {
    const { records, sealed } = ends()
    expect(readBy(records, sealed(0, [7, 8, APPLICATION_DATA, 0, 0, 0]))).toEqual([7, 8])
    expect(readBy(records, sealed(APPLICATION_DATA, []))).toEqual([])
    expect(readBy(records, sealed(APPLICATION_DATA, [9]))).toEqual([9])
  })

  it('records are put together of whatever pieces they come in', () => {
    const { records, sealed } = ends()
    const octets = Array.from({ length: RECORD }, (_, i) => i & 0xff)
    const wire = [octets, [1], [2, 3], octets].flatMap((content) => [...sealed(APPLICATION_DATA, content)])
    const read: number[] = []
    for (let at = 0, step = 1; at < wire.length; at += step, step = (step * 5) % 4_999)
      read.push(...readBy(records, Uint8Array.from(wire.slice(at, at + step))))
    expect(read).toEqual([...octets, 1, 2, 3, ...octets])
  })

  it.each([
    ['nothing but padding', 10, (sealed: Sealed) => sealed(0, [0, 0])],
    ['a type that is none', 10, (sealed: Sealed) => sealed(99, [1])],
    ['a record in the clear', 10, () => Uint8Array.of(HANDSHAKE, 3, 3, 0, 20, ...new Uint8Array(20))],
    ['a wrong tag', 20, () => Uint8Array.of(APPLICATION_DATA, 3, 3, 0, 20, ...new Uint8Array(20))],
    ['a fragment longer than 2 ** 14 + 256', 22, () => Uint8Array.of(APPLICATION_DATA, 3, 3, 0x41, 1)],
    ['content longer than 2 ** 14', 22, (sealed: Sealed) => sealed(0, [...new Array(RECORD + 1).fill(1), APPLICATION_DATA])],
    ['a fragment without a type', 50, () => Uint8Array.of(APPLICATION_DATA, 3, 3, 0, 16, ...new Uint8Array(16))],
    ['another handshake message', 10, (sealed: Sealed) => sealed(HANDSHAKE, [1, 0, 0, 0])],
    ['a KeyUpdate that is none', 50, (sealed: Sealed) => sealed(HANDSHAKE, [24, 0, 0, 1, 2])],
    ['a KeyUpdate and more', 50, (sealed: Sealed) => sealed(HANDSHAKE, [24, 0, 0, 1, 0, 4])],
  ] as const)('RFC 8446 §5, §6: %s is answered with alert %i', (_, alert, wire) => {
    const { records, sealed, opened } = ends()
    expect(() => readBy(records, wire(sealed))).toThrow(expect.objectContaining({ code: 'CRYPTO' }))
    expect(opened(taken(records))).toEqual([2, alert, ALERT])
  })

  it('who sends record after record without data is told to stop', () => {
    const { records, sealed, opened } = ends()
    for (let i = 0; i < 32; i++) readBy(records, sealed(APPLICATION_DATA, []))
    readBy(records, sealed(APPLICATION_DATA, [1]))
    for (let i = 0; i < 32; i++) readBy(records, sealed(APPLICATION_DATA, []))
    expect(() => readBy(records, sealed(APPLICATION_DATA, []))).toThrow(/without data/)
    expect(opened(taken(records))).toEqual([2, 10, ALERT])
  })

  it('RFC 8446 §4.6.3: changes that are asked for many times are answered once, before the next data', () => {
    const { records, sealed, opened, changeReading } = ends()
    for (let i = 0; i < 5; i++) readBy(records, sealed(HANDSHAKE, [24, 0, 0, 1, 1], 'change'))
    expect(readBy(records, sealed(APPLICATION_DATA, [5]))).toEqual([5])
    const into = new Uint8Array(1_000)
    const length = records.seal(Uint8Array.of(6), 0, 1, into, 0)
    const update = 5 + 5 + 1 + 16
    expect(opened(into.slice(0, update))).toEqual([24, 0, 0, 1, 0, HANDSHAKE])
    changeReading()
    expect(opened(into.slice(update, length))).toEqual([6, APPLICATION_DATA])
  })

  it('RFC 8446 §6.1: close_notify ends it, user_canceled is no end, any other alert is an error', () => {
    const { records, sealed } = ends()
    expect(readBy(records, sealed(ALERT, [1, 90]))).toEqual([])
    expect(readBy(records, sealed(ALERT, [1, 0]))).toEqual([CLOSED])
    const other = ends()
    expect(() => readBy(other.records, other.sealed(ALERT, [2, 40]))).toThrow(/alert 40/)
  })

  it('RFC 8446 §4.6.1: tickets are handed on, as they came, until something else was read', () => {
    const { records, sealed, tickets } = ends()
    const first = sealed(HANDSHAKE, [4, 0, 0, 1, 9])
    readBy(records, first)
    readBy(records, sealed(APPLICATION_DATA, [1]))
    readBy(records, sealed(HANDSHAKE, [4, 0, 0, 1, 9]))
    expect(tickets).toEqual([first])
  })
})

type Sealed = (type: number, content: readonly number[], then?: 'change') => Uint8Array

/** One end, and the keys of the other. */
function ends(): {
  readonly records: TlsRecords
  readonly sealed: Sealed
  readonly tickets: Uint8Array[]
  /** Content and type. */
  opened(record: Uint8Array): number[]
  changeReading(): void
} {
  const keys = (octet: number): TrafficKeys => new TrafficKeys(createAead, AES_256, new Uint8Array(48).fill(octet), 0)
  const [theirWriting, theirReading] = [keys(1), keys(2)]
  const tickets: Uint8Array[] = []
  return {
    records: new TlsRecords(keys(2), keys(1), 2 ** 24, (record) => tickets.push(record.slice())),
    tickets,
    sealed(type, content, then) {
      const record = new Uint8Array(content.length + 22)
      theirWriting.seal(type, Uint8Array.from(content), 0, content.length, record, 0)
      if (then === 'change') theirWriting.change()
      return record
    },
    opened(record) {
      const into = new Uint8Array(record.length)
      return [...into.subarray(0, theirReading.open(record, 0, record.length - 5, into, 0))]
    },
    changeReading: () => theirReading.change(),
  }
}

function readBy(records: TlsRecords, wire: Uint8Array): number[] {
  records.feed(wire)
  const into = new Uint8Array(17_000)
  const octets: number[] = []
  for (;;) {
    const length = records.read(into, 0, into.length)
    if (length === CLOSED) return [...octets, CLOSED]
    if (length === 0) return octets
    octets.push(...into.subarray(0, length))
  }
}

function taken(records: TlsRecords): Uint8Array {
  const into = new Uint8Array(1_000)
  return into.slice(0, records.take(into, 0))
}
