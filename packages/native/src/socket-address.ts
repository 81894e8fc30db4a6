// struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)):
//
//      0        2      4       8                  24       28
//      | family | port | IPv4 address | zero          |
//      | family | port | flow  | IPv6 address     | scope  |
import { nativeBuffer } from './address.ts'
import type { NativeLibrary } from './koffi.ts'
import type { Libc } from './libc.ts'
import { NativeError } from './native-error.ts'

export const AF_INET = 2
export const AF_INET6 = 10

/** Octets of the two structures. */
export const SOCKADDR_IN = 16
export const SOCKADDR_IN6 = 28

/** The members of {@link Libc} about addresses. */
export function bindAddresses(library: NativeLibrary): Pick<Libc, 'encodeAddress' | 'decodeAddress' | 'ifNameToIndex'> {
  const ifNameToIndex = library.func('unsigned int if_nametoindex(const char *name)')
  const ifIndexToName = library.func('const char *if_indextoname(unsigned int index, uintptr_t name)')
  const toOctets = library.func('int inet_pton(int family, const char *text, uintptr_t octets)')
  const toText = library.func('const char *inet_ntop(int family, uintptr_t octets, uintptr_t text, unsigned int size)')
  const octets = nativeBuffer(16)
  const text = nativeBuffer(64)
  const indexOf = (name: string): number | undefined => ifNameToIndex(name) || undefined

  return {
    ifNameToIndex: indexOf,
    encodeAddress(literal, port) {
      const [plain, zone] = literal.split('%')
      const isIpv6 = plain.includes(':')
      if (toOctets(isIpv6 ? AF_INET6 : AF_INET, plain, octets.address) !== 1) {
        throw new NativeError('ARGUMENT', `${literal} is not an IP literal`, { subject: literal })
      }
      const bytes = new Uint8Array(new ArrayBuffer(isIpv6 ? SOCKADDR_IN6 : SOCKADDR_IN))
      bytes[0] = isIpv6 ? AF_INET6 : AF_INET
      bytes[2] = port >>> 8
      bytes[3] = port
      bytes.set(isIpv6 ? octets.bytes : octets.bytes.subarray(0, 4), isIpv6 ? 8 : 4)
      if (isIpv6 && zone !== undefined) {
        const scope = /^\d+$/.test(zone) ? Number(zone) : indexOf(zone)
        if (scope === undefined) throw new NativeError('ARGUMENT', `there is no interface ${zone}`, { subject: literal })
        new DataView(bytes.buffer).setUint32(24, scope, true)
      }
      return bytes
    },
    decodeAddress(bytes) {
      const port = (bytes[2] << 8) | bytes[3]
      const isIpv6 = bytes[0] === AF_INET6
      octets.bytes.set(isIpv6 ? bytes.subarray(8, 24) : bytes.subarray(4, 8))
      const address: string = toText(isIpv6 ? AF_INET6 : AF_INET, octets.address, text.address, text.bytes.length)
      if (!isIpv6 || bytes[8] !== 0xfe || (bytes[9] & 0xc0) !== 0x80) return { address, port }
      const scope = new DataView(bytes.buffer, bytes.byteOffset).getUint32(24, true)
      if (scope === 0) return { address, port }
      return { address: `${address}%${ifIndexToName(scope, text.address) ?? scope}`, port }
    },
  }
}
