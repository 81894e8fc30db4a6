import type { Codec } from '../layout.ts'
import type { ByteReader } from '../reader.ts'
import { TrafficSelectorType } from '../registry/traffic-selector-type.ts'
import type { ByteWriter } from '../writer.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Number of TSs |                 RESERVED                      |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                       <Traffic Selectors>                     ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Traffic Selector payloads, TSi and TSr (RFC 7296 §3.13). */
export interface TrafficSelectors {
  /** At most 255. */
  readonly selectors: readonly TrafficSelector[]
}

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |   TS Type     |IP Protocol ID*|       Selector Length         |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |           Start Port*         |           End Port*           |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                         Starting Address*                     ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                         Ending Address*                       ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** A range of IPv4 or IPv6 addresses and ports, ends included (RFC 7296 §3.13.1). */
export interface AddressRangeSelector {
  /** TS_IPV4_ADDR_RANGE or TS_IPV6_ADDR_RANGE. */
  readonly tsType: 7 | 8
  /** 0: any. */
  readonly ipProtocol: number
  /** ANY is 0–65535, OPAQUE is 65535–0; ICMP has Type in the high and Code in the low octet. */
  readonly startPort: number
  readonly endPort: number
  /** 4 octets in type 7, 16 in type 8. */
  readonly startAddress: Uint8Array
  readonly endAddress: Uint8Array
}

/** A selector of another type, kept as it came. */
export interface UnknownSelector {
  readonly tsType: number
  /** What follows Selector Length. */
  readonly body: Uint8Array
  /** The octet after TS Type where it is not zero; RESERVED in types 9 and 10 (RFC 4595, RFC 9478). */
  readonly secondOctet?: number
}

export type TrafficSelector = AddressRangeSelector | UnknownSelector

/** Narrows to the two types that RFC 7296 defines. */
export function isAddressRange(selector: TrafficSelector): selector is AddressRangeSelector {
  return 'startPort' in selector
}

export const trafficSelectors: Codec<TrafficSelectors> = {
  decode: (reader) => {
    const countAt = reader.offset
    const count = reader.u8('count')
    reader.skip(3, 'reserved')
    const selectors: TrafficSelector[] = []
    while (reader.remaining > 0) selectors.push(reader.scope(`selector[${selectors.length}]`, () => decodeSelector(reader)))
    if (selectors.length !== count) reader.fail('COUNT_MISMATCH', 'count', countAt)
    return { selectors }
  },
  encode: (writer, { selectors }) => {
    writer.u8(selectors.length, 'count')
    writer.reserve(3)
    for (const [index, selector] of selectors.entries()) writer.scope(`selector[${index}]`, () => encodeSelector(writer, selector))
  },
}

function decodeSelector(reader: ByteReader): TrafficSelector {
  const tsType = reader.u8('tsType')
  const secondOctet = reader.u8('ipProtocol')
  const lengthAt = reader.offset
  return reader.lengthCountingHeader((): TrafficSelector => {
    if (!isAddressRangeType(tsType)) return { tsType, body: reader.rest(), ...(secondOctet === 0 ? {} : { secondOctet }) }
    const size = addressSize(tsType)
    if (reader.remaining !== 4 + 2 * size) reader.fail('ILLEGAL_LENGTH', 'length', lengthAt)
    return {
      tsType,
      ipProtocol: secondOctet,
      startPort: reader.u16('startPort'),
      endPort: reader.u16('endPort'),
      startAddress: reader.octets(size, 'startAddress'),
      endAddress: reader.octets(size, 'endAddress'),
    }
  })
}

function encodeSelector(writer: ByteWriter, selector: TrafficSelector): void {
  writer.u8(selector.tsType, 'tsType')
  if (!isAddressRange(selector)) {
    if (isAddressRangeType(selector.tsType)) writer.fail('OUT_OF_RANGE', 'tsType')
    writer.u8(selector.secondOctet ?? 0, 'secondOctet')
    writer.lengthCountingHeader(() => writer.octets(selector.body, 'body'))
    return
  }
  if (!isAddressRangeType(selector.tsType)) writer.fail('OUT_OF_RANGE', 'tsType')
  const size = addressSize(selector.tsType)
  if (selector.startAddress.length !== size) writer.fail('OUT_OF_RANGE', 'startAddress')
  if (selector.endAddress.length !== size) writer.fail('OUT_OF_RANGE', 'endAddress')
  writer.u8(selector.ipProtocol, 'ipProtocol')
  writer.lengthCountingHeader(() => {
    writer.u16(selector.startPort, 'startPort')
    writer.u16(selector.endPort, 'endPort')
    writer.octets(selector.startAddress, 'startAddress')
    writer.octets(selector.endAddress, 'endAddress')
  })
}

function isAddressRangeType(tsType: number): tsType is 7 | 8 {
  return tsType === TrafficSelectorType.TS_IPV4_ADDR_RANGE || tsType === TrafficSelectorType.TS_IPV6_ADDR_RANGE
}

function addressSize(tsType: 7 | 8): number {
  return tsType === TrafficSelectorType.TS_IPV4_ADDR_RANGE ? 4 : 16
}
