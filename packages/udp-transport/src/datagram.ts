// What a datagram on port 500 or 4500 carries. Pure: no socket.

export type Datagram = 'ike' | 'esp' | 'keepalive'

/** RFC 3948 §2.2: four zeros where ESP has its SPI. */
export const NON_ESP_MARKER: Uint8Array = new Uint8Array(4)

/** RFC 3948 §2.3. */
export const NAT_KEEPALIVE: Uint8Array = Uint8Array.of(0xff)

export interface ClassifiedDatagram {
  readonly kind: Datagram | 'malformed'
  /** A view: the IKE message from its header, the ESP packet from its SPI, or all of the datagram. */
  readonly message: Uint8Array
}

const IKE_PORT = 500
const IKE_HEADER = 28

/**
 * Whether IKE between these ports has no Non-ESP marker. Port 500 carries nothing but IKE (RFC 7296 §2.23), and when only one side
 * uses it the other cannot tell but by that; on every other pair of ports ESP may come too.
 */
export function isIkeOnly(localPort: number, remotePort: number): boolean {
  return localPort === IKE_PORT || remotePort === IKE_PORT
}

/**
 * RFC 3948 §2, RFC 7296 §2.23. 'malformed' is what is too short to be any of the three: to be dropped and counted.
 * An ESP packet is judged by its SPI alone, the rest is ESP's matter.
 */
export function classifyDatagram(bytes: Uint8Array, localPort: number, remotePort: number): ClassifiedDatagram {
  const isWithoutMarker = isIkeOnly(localPort, remotePort)
  const kind = kindOf(bytes, 0, bytes.length, isWithoutMarker)
  const hasMarker = !isWithoutMarker && bytes.length >= NON_ESP_MARKER.length && isZero(bytes, 0)
  return { kind, message: hasMarker ? bytes.subarray(NON_ESP_MARKER.length) : bytes }
}

/** The same for `buffer[offset, offset + length)`. `isWithoutMarker`: {@link isIkeOnly}. */
export function kindOf(buffer: Uint8Array, offset: number, length: number, isWithoutMarker: boolean): Datagram | 'malformed' {
  if (length === 1 && buffer[offset] === NAT_KEEPALIVE[0]) return 'keepalive'
  if (isWithoutMarker) return length < IKE_HEADER ? 'malformed' : 'ike'
  if (length < NON_ESP_MARKER.length) return 'malformed'
  if (!isZero(buffer, offset)) return 'esp'
  return length < NON_ESP_MARKER.length + IKE_HEADER ? 'malformed' : 'ike'
}

function isZero(buffer: Uint8Array, offset: number): boolean {
  return (buffer[offset] | buffer[offset + 1] | buffer[offset + 2] | buffer[offset + 3]) === 0
}
