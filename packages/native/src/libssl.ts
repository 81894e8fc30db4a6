/** TLS by OpenSSL's libssl, from octets to octets: the sockets are the caller's. */
import { loadKoffi, openLibrary } from './koffi.ts'
import { bindLibssl } from './libssl-functions.ts'
import { createContext, type TlsContext, type TlsContextOptions } from './tls-context.ts'

/** libssl, loaded once. */
export interface Libssl {
  /** `OpenSSL 3.0.19 27 Jan 2026` */
  readonly version: string
  /** @throws NativeError `CRYPTO` where a certificate, a key, a cipher or a version is not taken */
  createContext(options: TlsContextOptions): TlsContext
}

let libssl: Libssl | undefined

/**
 * libssl of the running program where it exports one (Node does), else the shared library of the system. Never both: theirs are the same names,
 * and a library of the system would call the program's.
 *
 * @throws NativeError `UNAVAILABLE` when koffi or libssl cannot be loaded
 */
export function loadLibssl(): Libssl {
  if (libssl === undefined) {
    const koffi = loadKoffi()
    const functions = openLibrary('libssl', [hasOwn(koffi.load(null)) ? null : SONAME], bindLibssl)
    libssl = { version: functions.version, createContext: (options) => createContext(functions, options) }
  }
  return libssl
}

const SONAME = 'libssl.so.3'

function hasOwn(program: { func(declaration: string): unknown }): boolean {
  try {
    program.func('uintptr_t TLS_method()')
    return true
  } catch {
    return false
  }
}
