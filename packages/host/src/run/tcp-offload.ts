// An optional dependency: where it is not installed, nothing can be asked.
const native = await import('@underpass/native').catch(() => undefined)

/**
 * Whether the kernel hands over TCP super-packets of up to 64 kB on this interface (TCP segmentation offload) and takes them, which is
 * many times faster than packet by packet. `undefined`: it cannot be asked here.
 */
export function hasTcpOffload(interfaceName: string): boolean | undefined {
  if (native === undefined) return undefined
  try {
    const libc = native.loadLibc()
    // struct ethtool_value: command, answer.
    const value = native.nativeBuffer(8)
    const words = new Uint32Array(value.bytes.buffer)
    words[0] = ETHTOOL_GTSO
    // struct ifreq: 16 octets of name, then a union of 24, here a pointer.
    const request = new Uint8Array(40)
    for (let i = 0; i < interfaceName.length && i < 15; i++) request[i] = interfaceName.charCodeAt(i)
    new DataView(request.buffer).setBigUint64(16, BigInt(value.address), true)
    const socket = libc.socket(AF_INET, SOCK_DGRAM, 0)
    try {
      libc.ioctl(socket, SIOCETHTOOL, request)
    } finally {
      libc.close(socket)
    }
    return words[1] === 1
  } catch {
    return undefined
  }
}

const AF_INET = 2
const SOCK_DGRAM = 2
const SIOCETHTOOL = 0x8946
const ETHTOOL_GTSO = 0x1e
