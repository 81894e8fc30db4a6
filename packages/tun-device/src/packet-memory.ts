import { summingModule } from './summing-module.ts'

/** Sums 16-bit words, the low octet first and an odd last octet as a low one: `length` octets at `at` of the memory, at most 65,535. */
export type Sum = (at: number, length: number) => number

/** What is used of it: neither ECMAScript's library nor Node's types declare it. */
declare const WebAssembly: {
  readonly Module: new (octets: Uint8Array) => object
  readonly Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer }
  readonly Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> }
}

const PAGE = 65_536

const sums = new WeakMap<ArrayBufferLike, Sum>()
let module: object | undefined
let isUnavailable = false

/**
 * Octets, zero, in a memory where WebAssembly sums them several times as quickly as JavaScript can: for packets whose checksums this
 * package completes or verifies. Each call reserves address space of its own (gigabytes of it, none of which is used), so it is for a
 * few large buffers that live long. Where there is no WebAssembly with vectors, or no room, an array like any other.
 */
export function createPacketMemory(octets: number): Uint8Array<ArrayBuffer> {
  if (isUnavailable) return new Uint8Array(octets)
  try {
    module ??= new WebAssembly.Module(summingModule)
    const pages = Math.ceil(octets / PAGE)
    // It never grows, which would take the octets elsewhere.
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    const { exports } = new WebAssembly.Instance(module, { host: { memory } })
    sums.set(memory.buffer, exports['sum'] as Sum)
    return new Uint8Array(memory.buffer, 0, octets)
  } catch {
    isUnavailable = true
    return new Uint8Array(octets)
  }
}

/** Of a buffer from {@link createPacketMemory}; `at` counts from the beginning of the buffer. */
export function sumOf(buffer: ArrayBufferLike): Sum | undefined {
  return sums.get(buffer)
}
