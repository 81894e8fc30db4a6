import { sha1 } from './hash.ts'
import { concat, spiOctets } from './octets.ts'

/**
 * Data of NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP: SHA-1 (SPIi | SPIr | address | port) (RFC 7296 §2.23).
 * SPIs as they stand in the header of the message that carries the notify; `address` is 4 or 16 octets.
 */
export function natDetectionHash(spii: bigint, spir: bigint, address: Uint8Array, port: number): Uint8Array {
  return sha1(concat(spiOctets(spii), spiOctets(spir), address, Uint8Array.of(port >>> 8, port & 0xff)))
}
