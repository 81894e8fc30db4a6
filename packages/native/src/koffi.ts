import { createRequire } from 'node:module'
import { NativeError } from './native-error.ts'

/** A C function: pointers are numbers (see {@link addressOf}), `int64_t` results are numbers when they are safe integers. */
// biome-ignore lint/suspicious/noExplicitAny: the C declaration string is the type; each caller casts once, where it declares it
export type NativeFunction = ((...values: any[]) => any) & { async: (...values: any[]) => void }

export interface NativeLibrary {
  func(declaration: string): NativeFunction
}

/** The part of koffi that is used, declared here so that the typings of this package stand without koffi. */
export interface Koffi {
  readonly version: string
  load(path: string | null): NativeLibrary
  address(value: ArrayBufferView | ArrayBufferLike): bigint
  errno(value?: number): number
  /** A callback's type, once for each name. */
  proto(declaration: string): unknown
  pointer(type: unknown): unknown
  /** The address by which C calls `callback`, on this thread and within calls that were made from it. */
  register(callback: (...values: never[]) => unknown, type: unknown): bigint
  readonly os: { readonly errno: Readonly<Record<string, number>> }
  readonly node: { poll(fd: number, events: { readonly readable: true }, callback: () => void): KoffiPollHandle }
}

/** A uv_poll_t of the event loop. It holds the process alive unless `unref` was called. */
export interface KoffiPollHandle {
  /** Again, after `stop`. */
  start(events: { readonly readable: true }, callback: () => void): void
  stop(): void
  ref(): void
  unref(): void
  /** Once. */
  close(): void
}

let loaded: Koffi | undefined

/**
 * koffi, loaded at the first call: an optional dependency must not fail at import.
 *
 * @throws NativeError `UNAVAILABLE`
 */
export function loadKoffi(): Koffi {
  if (loaded === undefined) {
    try {
      loaded = createRequire(import.meta.url)('koffi') as Koffi
    } catch (cause) {
      throw new NativeError(
        'UNAVAILABLE',
        'koffi cannot be loaded; is the optional dependency "koffi" installed for this platform?',
        {},
        { cause },
      )
    }
  }
  return loaded
}

/**
 * The first library of `paths` that `bind` accepts. `null` is the running program itself with what it is linked to.
 *
 * @throws NativeError `UNAVAILABLE` with one reason per path
 */
export function openLibrary<T>(what: string, paths: readonly (string | null)[], bind: (library: NativeLibrary) => T): T {
  const koffi = loadKoffi()
  const reasons: string[] = []
  for (const path of paths) {
    try {
      return bind(koffi.load(path))
    } catch (error) {
      reasons.push(`${path ?? 'the program itself'}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw new NativeError('UNAVAILABLE', `${what} cannot be loaded (${reasons.join('; ')})`, { subject: what })
}
