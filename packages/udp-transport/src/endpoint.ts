/** An IP literal and a UDP port. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** '192.0.2.1:4500', '[2001:db8::1]:4500'. */
export function describeEndpoint({ address, port }: Endpoint): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`
}

/** Many packets in one buffer: packet i is buffer[offsets[i], offsets[i] + lengths[i]). */
export interface PacketBatch {
  buffer: Uint8Array
  offsets: Uint32Array
  lengths: Uint32Array
  count: number
}
