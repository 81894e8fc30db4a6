// Checks that need no SA: the prefix, the Length field, what may stand between frames (RFC 9329 §3, §4, §6.1, §6.6).
// Each is {name, ids, expected, libreswan?, run}. `expected` is what RFC 9329 and the project's reading of it ask; `libreswan`
// what Libreswan 4.10 is known to do where that differs.
import { createHash } from 'node:crypto'
import { find, PAYLOAD, parseHeader, parsePayloads, u16 } from './ike.mjs'
import { describe, silentOrClosed, tryInit } from './session.mjs'
import { frame, ikeFrame, PREFIX, Stream } from './stream.mjs'

const unknownEsp = (spi, length = 120) =>
  frame(Buffer.concat([Buffer.from([0xfe, 0xed, spi >> 8, spi & 0xff]), Buffer.alloc(length - 4, 0xa5)]))
const octetByOctet = (bytes, pause) => [...bytes].flatMap((octet) => [Buffer.from([octet]), pause])
const clientHello = Buffer.from(
  '160301004c010000480303000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f000002130101000' +
    '01d00000013001100000e676174657761792e6578616d706c65ff01000100',
  'hex',
)

function init(name, ids, pieces, { expected = 'answered', libreswan, wait, padding } = {}) {
  return { name, ids, expected: [expected].flat(), libreswan, run: (target) => tryInit(target, pieces, { wait, padding }) }
}

/** The stream begins with something else: no reply may come before the close. */
function wrongPrefix(name, opening) {
  return init(`wrong-prefix-${name}`, ['T-PFX-7', 'T-PFX-1'], (first) => [typeof opening === 'function' ? opening(first) : opening], {
    expected: 'closed',
    wait: 2_000,
  })
}

export const streamChecks = [
  init('prefix-and-frame-in-one-write', ['T-PFX-1', 'T-FRM-1'], (first) => [Buffer.concat([PREFIX, first])]),
  init('prefix-then-frame', ['T-PFX-4'], (first) => [PREFIX, 150, first]),
  init('prefix-split', ['T-PFX-4', 'T-FRM-7'], (first) => [PREFIX.subarray(0, 3), 150, Buffer.concat([PREFIX.subarray(3), first])], {
    libreswan: ['closed'],
  }),
  init('prefix-octet-by-octet', ['T-PFX-4', 'T-FRM-7'], (first) => [...octetByOctet(PREFIX, 20), first], { libreswan: ['closed'] }),
  init('frame-octet-by-octet', ['T-FRM-7'], (first) => [PREFIX, 50, ...octetByOctet(first, 1)], { wait: 4_000 }),
  init('split-inside-length-and-marker', ['T-FRM-7'], (first) => [
    Buffer.concat([PREFIX, first.subarray(0, 1)]),
    80,
    first.subarray(1, 4),
    80,
    first.subarray(4),
  ]),
  {
    name: 'responder-sends-no-prefix',
    ids: ['T-PFX-2'],
    expected: ['length-first'],
    async run(target) {
      const { response, stream } = await tryInit(target, (first) => [Buffer.concat([PREFIX, first])])
      const isFramed = response !== undefined && stream.octets === response.length + 6
      return { observed: isFramed ? 'length-first' : 'other', detail: describe(stream) }
    },
  },
  {
    name: 'nat-detection-with-tcp-ports',
    ids: ['T-NAT-1'],
    expected: ['both-hashes-match'],
    async run(target) {
      const { response, stream } = await tryInit(target, (first) => [Buffer.concat([PREFIX, first])])
      return { observed: response === undefined ? describe(stream) : natDetection(response, stream), detail: describe(stream) }
    },
  },
  {
    name: 'no-cookie-without-puzzle',
    ids: ['T-CK-1'],
    expected: ['no-cookie'],
    async run(target) {
      const { response, stream } = await tryInit(target, (first) => [Buffer.concat([PREFIX, first])])
      const types = response === undefined ? [] : notifyTypes(response)
      const observed =
        response === undefined ? 'unanswered' : types.includes(16390) && !types.includes(16434) ? 'cookie-alone' : 'no-cookie'
      return { observed, detail: `N(${types.join(', ')}), ${describe(stream)}` }
    },
  },
  wrongPrefix('http', Buffer.from('GET / HTTP/1.1\r\nHost: gateway.example\r\n\r\n')),
  wrongPrefix('client-hello', clientHello),
  wrongPrefix('IKEv2', (first) => Buffer.concat([Buffer.from('IKEv2'), first])),
  wrongPrefix('ikev2-of-draft-04', (first) => Buffer.concat([Buffer.from('ikev2'), first])),
  wrongPrefix('none-as-draft-03', (first) => Buffer.concat([u16(0), u16(first.length + 2), first.subarray(2)])),
  wrongPrefix('none', (first) => first),
  wrongPrefix('last-octet-wrong', (first) => Buffer.concat([Buffer.from('IKETCX'), first])),
  {
    name: 'prefix-never-finished',
    ids: ['T-PFX-7', 'T-SEC-1'],
    expected: ['closed'],
    slow: true,
    async run(target) {
      const stream = await Stream.open(target)
      await stream.send(Buffer.from('IKE'))
      const observed = await silentOrClosed(stream, target.prefixTimeout)
      stream.close()
      return { observed, detail: describe(stream) }
    },
  },
  init('length-0', ['T-FRM-5'], (first) => [Buffer.concat([PREFIX, u16(0), first])], { expected: 'closed' }),
  init('length-1', ['T-FRM-5'], (first) => [Buffer.concat([PREFIX, u16(1), Buffer.from([0xff]), first])], { expected: 'closed' }),
  init('length-2', ['T-FRM-4'], (first) => [Buffer.concat([PREFIX, u16(2), first])]),
  init('length-2-alone-in-a-segment', ['T-FRM-4'], (first) => [PREFIX, 80, u16(2), 80, u16(2), 80, first]),
  init('length-3-keepalive', ['T-KA-2'], (first) => [Buffer.concat([PREFIX, Buffer.from([0, 3, 0xff]), first])]),
  init('keepalive-split-over-segments', ['T-KA-2', 'T-FRM-7'], (first) => [
    PREFIX,
    80,
    Buffer.from([0]),
    80,
    Buffer.from([3]),
    80,
    Buffer.from([0xff]),
    80,
    first,
  ]),
  init('length-3-other-content', ['T-FRM-7'], (first) => [Buffer.concat([PREFIX, Buffer.from([0, 3, 0x41]), first])], {
    libreswan: ['answered', 'closed'],
  }),
  init('length-5-other-content', ['T-FRM-7'], (first) => [Buffer.concat([PREFIX, Buffer.from([0, 5, 0, 0, 0]), first])], {
    libreswan: ['answered', 'closed'],
  }),
  init('ike-header-truncated', ['T-LIFE-13'], (first) => [Buffer.concat([PREFIX, ikeFrame(Buffer.alloc(10, 0x11)), first])], {
    libreswan: ['closed'],
  }),
  init('length-65535-esp-of-unknown-spi', ['T-FRM-3', 'T-LIFE-14'], (first) => [Buffer.concat([PREFIX, unknownEsp(1, 65_533), first])], {
    wait: 4_000,
  }),
  init('unknown-spi-first-then-ike', ['T-LIFE-14'], (first) => [
    Buffer.concat([PREFIX, unknownEsp(1), unknownEsp(2), unknownEsp(3), first]),
  ]),
  init('two-frames-in-one-write', ['T-FRM-7'], (first) => [PREFIX, 80, Buffer.concat([unknownEsp(9), first])]),
]

export { unknownEsp }

function notifyTypes(response) {
  const payloads = parsePayloads(parseHeader(response).nextPayload, response.subarray(28))
  return payloads.filter(([type]) => type === PAYLOAD.N).map(([, body]) => body.readUInt16BE(2))
}

/** The responder's hashes over its own end and ours, with the ports of this TCP connection (§6.5). */
function natDetection(response, stream) {
  const { nextPayload, spii, spir } = parseHeader(response)
  const payloads = parsePayloads(nextPayload, response.subarray(28))
  const hash = ({ address, port }) =>
    createHash('sha1')
      .update(Buffer.concat([spii, spir, Buffer.from(address.split('.').map(Number)), u16(port)]))
      .digest()
  const carried = (type) => payloads.find(([kind, body]) => kind === PAYLOAD.N && body.readUInt16BE(2) === type)?.[1].subarray(4)
  const source = carried(16388)?.equals(hash(stream.remote))
  const destination = carried(16389)?.equals(hash(stream.local))
  if (find(payloads, PAYLOAD.SA) === undefined) return 'no-sa-in-response'
  return source && destination ? 'both-hashes-match' : `source ${source}, destination ${destination}`
}
