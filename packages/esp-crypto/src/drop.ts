/** Why a packet was not made or not passed on: a value, not an exception, and always negative. */
export const EspDrop = {
  /** Too short for header, IV, trailer and ICV, or not whole cipher blocks. */
  TRUNCATED: -1,
  /** Seen before, or left of the window (RFC 4303 §3.4.3). */
  REPLAY: -2,
  /** RFC 4303 §3.4.4. */
  ICV: -3,
  /** Pad Length beyond the packet, or padding that is not 1, 2, 3… (RFC 4303 §2.4). */
  PADDING: -4,
  /** The counter may not cycle; a new SA is needed (RFC 4303 §3.3.3). */
  SEQUENCE_EXHAUSTED: -5,
  /** In tunnel mode only IPv4, IPv6 and "no next header" are understood. */
  NEXT_HEADER: -6,
  /** The inner IP packet claims more octets than there are, or fewer than its header has. */
  INNER_LENGTH: -7,
  /** The inner IP version is not the one that Next Header says. */
  INNER_VERSION: -8,
  /** The packet is of another SA. */
  SPI: -9,
} as const

export type EspDropName = keyof typeof EspDrop
export type EspDropCode = (typeof EspDrop)[EspDropName]

/** `'REPLAY'` for −2; `undefined` for what is no drop. */
export function nameOfDrop(code: number): EspDropName | undefined {
  return NAMES.get(code)
}

const NAMES: ReadonlyMap<number, EspDropName> = new Map(Object.entries(EspDrop).map(([name, code]) => [code, name as EspDropName]))
