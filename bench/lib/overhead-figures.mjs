// The suite `overhead`: what is added to an inner packet, reckoned from our packages' own functions, and its table.
import { EspOutbound, espTransform, nobleProvider } from '@underpass/esp-crypto'
import { parseEspSuite } from '@underpass/session-manager'
import { espFrameOverhead } from '@underpass/tcp-framing'
import { digits, significant } from './words.mjs'

/** Octets of headers: IPv4 and IPv6 without options, UDP, TCP with the timestamps that Linux uses. */
const IP = { 4: 20, 6: 40 }
const UDP = 8
const TCP = 20 + 12
/** The outer link's. */
const MTU = 1500

/** @returns {(length: number) => number} octets that ESP adds to an inner packet of that length */
export function espOverhead(suite, esn) {
  const { encryption, keyLength, integrity } = parseEspSuite(suite)
  const transform = espTransform(encryption, keyLength, integrity)
  const aead = nobleProvider.create(transform, new Uint8Array(transform.keymatLength))
  const outbound = new EspOutbound({ spi: 0x1000, transform, aead, esn, random: (octets) => crypto.getRandomValues(octets) })
  return (length) => outbound.overhead(length)
}

/**
 * @returns {{ esp: number, alone: number, full: number }} octets beyond an inner packet of `length`: ESP's; all up to the outer IP header of a
 *   packet that travels by itself; and its share where TCP fills its segments (over UDP the same as alone)
 */
export function reckoned({ transport, suite, esn, family }, length) {
  const esp = espOverhead(suite, esn)(length)
  if (transport === 'udp') return { esp, alone: esp + UDP + IP[family], full: esp + UDP + IP[family] }
  const frame = espFrameOverhead('rfc9329') + esp
  const headers = IP[family] + TCP
  return { esp, alone: frame + headers, full: frame + (headers * (length + frame)) / (MTU - headers) }
}

export function overheadTable(rows) {
  const sizes = rows[0].sizes.map(({ length }) => length)
  const list = (row, show) => row.sizes.map((size) => show(size) ?? '–').join(' / ')
  const exact = (value) => (value === undefined ? undefined : Number.isInteger(value) ? String(value) : value.toFixed(1))
  return [
    [
      ...['who', 'carried in', 'cipher', `ESP, inner packets of ${sizes.join(' / ')}`, 'with all headers, alone', 'measured'],
      ...['in full segments', 'measured, in bulk', `of ${sizes.at(-1)} octets, measured in bulk`],
    ],
    ...rows.map((row) => {
      if (row.missing !== undefined) return [row.who, row.outer, row.cipher, row.missing, '', '', '', '', '']
      const last = row.sizes.at(-1)
      return [
        ...[row.who, row.outer, row.cipher, list(row, ({ esp }) => exact(esp)), list(row, ({ alone }) => exact(alone))],
        ...[
          list(row, ({ measured }) => exact(measured?.alone)),
          list(row, ({ full }) => exact(full)),
          list(row, ({ measured }) => exact(measured?.bulk)),
        ],
        last.measured?.bulk === undefined ? '–' : `${digits((100 * last.measured.bulk) / last.length)} %`,
      ]
    }),
  ]
}

/** Octets added to the longest inner packet by the usual tunnels, and whether all that was reckoned was also measured. */
export function overheadSummary(rows) {
  const bulk = (row) => row?.sizes?.at(-1).measured?.bulk
  const ours = (transport) => rows.find((row) => row.transport === transport && row.suite === 'aes256gcm16' && row.family === 4 && row.esn)
  const peer = rows.find(({ who }) => who === 'OpenVPN')
  const compared = rows.flatMap((row) =>
    (row.sizes ?? []).filter(({ alone, measured }) => alone !== undefined && measured?.alone !== undefined),
  )
  return {
    rows,
    ratios: {
      tcpToOpenVpn: significant(bulk(ours('tcp')) / bulk(peer)),
      tcpToUdp: significant(bulk(ours('tcp')) / bulk(ours('udp'))),
      measuredAsReckoned: significant(compared.filter(({ alone, measured }) => alone === measured.alone).length / compared.length),
    },
  }
}
