import { loadKoffi } from './koffi.ts'
import { NativeError } from './native-error.ts'

/*
 * Passing a number is a third faster than passing a Uint8Array, and takes an offset without a subarray.
 *
 * A number is only right while the octets stay where they are. An ArrayBuffer does not move in V8 or JavaScriptCore, but the
 * octets of a small typed array live inside the garbage-collected heap until somebody asks for its `buffer`: so it is asked
 * for first, always. A transferred (detached) buffer has length 0, which the bounds checks of the callers refuse.
 */
const baseAddresses = new WeakMap<ArrayBufferLike, number>()
const recentViews: (Uint8Array | undefined)[] = [undefined, undefined, undefined, undefined]
const recentAddresses: (number | undefined)[] = [undefined, undefined, undefined, undefined]
let oldest = 0

/**
 * Address of the first octet of `view`. The caller keeps `view` reachable for as long as native code uses the address, and
 * checks offsets against `view.length` itself.
 *
 * @throws NativeError `UNAVAILABLE`
 */
export function addressOf(view: Uint8Array): number {
  if (view === recentViews[0]) return recentAddresses[0] as number
  if (view === recentViews[1]) return recentAddresses[1] as number
  if (view === recentViews[2]) return recentAddresses[2] as number
  if (view === recentViews[3]) return recentAddresses[3] as number
  const address = baseAddress(view.buffer) + view.byteOffset
  recentViews[oldest] = view
  recentAddresses[oldest] = address
  oldest = (oldest + 1) & 3
  return address
}

/**
 * Addresses of the octets at `offset`, `offset + stride`, … of `view`, for calls that are made again and again to the same places: an address
 * that is computed for a call is an object of 16 octets in V8 unless it happens to be below 2 ** 31, where malloc puts some buffers in some
 * runs. Not an array of numbers alone, which V8 would keep unboxed, to box each that is asked for.
 *
 * @throws NativeError `ARGUMENT` unless all `count` lie inside `view`
 */
export function keptAddresses(view: Uint8Array, offset: number, stride: number, count: number): readonly (number | undefined)[] {
  checkRange(view, offset, stride * (count - 1) + 1)
  const addresses: (number | undefined)[] = [undefined]
  for (let i = 0; i < count; i++) addresses[i] = addressOf(view) + offset + stride * i
  return addresses
}

/** An allocation whose address is fixed from the start, a multiple of `alignment`, for structures that native code reads and writes. */
export function nativeBuffer(length: number, alignment = 1): { readonly bytes: Uint8Array; readonly address: number } {
  const buffer = new ArrayBuffer(length + alignment - 1)
  const base = baseAddress(buffer)
  const address = Math.ceil(base / alignment) * alignment
  return { bytes: new Uint8Array(buffer, address - base, length), address }
}

/** @throws NativeError `ARGUMENT` unless `offset … offset + length` lies inside `view` */
export function checkRange(view: Uint8Array, offset: number, length: number): void {
  if (!(Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length >= 0 && offset + length <= view.length)) {
    throw new NativeError('ARGUMENT', `octets ${offset} … ${offset + length} are outside a buffer of ${view.length}`)
  }
}

function baseAddress(buffer: ArrayBufferLike): number {
  const known = baseAddresses.get(buffer)
  if (known !== undefined) return known
  const address = Number(loadKoffi().address(buffer))
  if (!Number.isSafeInteger(address)) throw new NativeError('UNAVAILABLE', 'addresses of this platform do not fit a number')
  baseAddresses.set(buffer, address)
  return address
}
