/** An IP literal and a UDP port. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** Many packets in one buffer: packet i is buffer[offsets[i], offsets[i] + lengths[i]). */
export interface PacketBatch {
  buffer: Uint8Array
  offsets: Uint32Array
  lengths: Uint32Array
  count: number
}
