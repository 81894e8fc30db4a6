import { type Libc, NativeError } from '@underpass/native'
import { TunError, type TunErrorCode } from './tun-device.ts'

/*
 * ioctl(2) requests about an interface, by struct ifreq (netdevice(7)): 16 octets of name, then 24 of a union.
 */
const IFREQ_LENGTH = 40
const NAME_LENGTH = 16
const AF_INET = 2
const SOCK_DGRAM = 2
const SIOCGIFMTU = 0x8921
const SIOCSIFMTU = 0x8922
const SIOCGIFHWADDR = 0x8927
const SIOCSIFTXQLEN = 0x8943

/** @throws TunError `ARGUMENT` for what can be no interface's name */
export function interfaceRequest(name: string): Uint8Array {
  const isName = name.length < NAME_LENGTH && /^[!-.0-9;-~]*$/.test(name) && name !== '.' && name !== '..'
  if (!isName) throw new TunError('ARGUMENT', `"${name}" cannot be the name of an interface`, { interface: name })
  const request = new Uint8Array(new ArrayBuffer(IFREQ_LENGTH))
  for (let i = 0; i < name.length; i++) request[i] = name.charCodeAt(i)
  return request
}

export function nameInRequest(request: Uint8Array): string {
  return String.fromCharCode(...request.subarray(0, request.indexOf(0)))
}

export function writeRequestU16(request: Uint8Array, value: number): void {
  request[NAME_LENGTH] = value & 0xff
  request[NAME_LENGTH + 1] = value >>> 8
}

/** @throws TunError */
export function interfaceMtu(libc: Libc, name: string): number {
  const request = ask(libc, SIOCGIFMTU, name, interfaceRequest(name))
  return new DataView(request.buffer).getInt32(NAME_LENGTH, true)
}

/** @throws TunError `ARGUMENT` for an MTU that the interface refuses */
export function setInterfaceMtu(libc: Libc, name: string, mtu: number): void {
  const request = interfaceRequest(name)
  new DataView(request.buffer).setInt32(NAME_LENGTH, mtu, true)
  ask(libc, SIOCSIFMTU, name, request)
}

/** Packets that may wait in the interface. @throws TunError `PERMISSION_DENIED` also for whoever is root in a user namespace only */
export function setInterfaceQueueLength(libc: Libc, name: string, packets: number): void {
  const request = interfaceRequest(name)
  new DataView(request.buffer).setInt32(NAME_LENGTH, packets, true)
  ask(libc, SIOCSIFTXQLEN, name, request)
}

/** Ethernet address of the interface, 6 octets. @throws TunError */
export function interfaceMac(libc: Libc, name: string): Uint8Array {
  const request = ask(libc, SIOCGIFHWADDR, name, interfaceRequest(name))
  return request.slice(NAME_LENGTH + 2, NAME_LENGTH + 8)
}

function ask(libc: Libc, request: number, name: string, ifreq: Uint8Array): Uint8Array {
  const socket = libc.socket(AF_INET, SOCK_DGRAM, 0)
  try {
    libc.ioctl(socket, request, ifreq)
    return ifreq
  } catch (error) {
    throw asTunError(error, name)
  } finally {
    libc.close(socket)
  }
}

const CODES: Readonly<Record<string, TunErrorCode>> = {
  EPERM: 'PERMISSION_DENIED',
  EACCES: 'PERMISSION_DENIED',
  EBUSY: 'NAME_IN_USE',
  ENODEV: 'NO_SUCH_INTERFACE',
  ENXIO: 'NO_SUCH_INTERFACE',
  EINVAL: 'ARGUMENT',
}

/** What a failed native call means for an interface. */
export function asTunError(error: unknown, name: string, codes: Readonly<Record<string, TunErrorCode>> = {}): TunError {
  if (error instanceof TunError) return error
  if (!(error instanceof NativeError)) throw error
  const { errno } = error.context
  const code = error.code === 'UNAVAILABLE' ? 'UNAVAILABLE' : (codes[errno ?? ''] ?? CODES[errno ?? ''] ?? 'SYSTEM')
  return new TunError(code, `${name}: ${error.message}`, { interface: name, ...(errno === undefined ? {} : { errno }) }, { cause: error })
}
