import { addressOf } from './address.ts'
import { loadIpsecMb } from './ipsec-mb.ts'
import { loadKoffi } from './koffi.ts'
import type { LibsslFunctions } from './libssl-functions.ts'
import { type CreateAead, RECORD_SUITES, TrafficKeys } from './traffic-keys.ts'

/** The traffic secrets of handshakes that are under way (RFC 8446 §7.1), as libssl tells them, and what they are for. */
export interface LoggedSecrets {
  readonly createAead: CreateAead
  /** To be SSL_CTX_keylog_cb_func. */
  readonly callback: number
  /** The caller erases it. `undefined`: it was not told. */
  take(ssl: number, end: 'client' | 'server'): Uint8Array | undefined
  /** Erases what nobody took. */
  forget(ssl: number): void
}

let logged: LoggedSecrets | undefined
let isTried = false

/** Those of this thread; `undefined` where records go no faster than libssl has them. */
export function loggedSecrets(functions: LibsslFunctions): LoggedSecrets | undefined {
  if (isTried) return logged
  isTried = true
  try {
    logged = register(functions, loadIpsecMb().createAead)
  } catch {
    // No libIPSec_MB: libssl is fast enough.
  }
  return logged
}

/** Both directions' keys behind a handshake. `tickets`: records that a server has protected by its key already. */
export function keysOf(
  secrets: LoggedSecrets,
  ssl: number,
  { protocol, cipher }: { readonly protocol: string; readonly cipher: string },
  role: 'client' | 'server',
  tickets: number,
): { readonly writing: TrafficKeys; readonly reading: TrafficKeys } | undefined {
  const [ours, theirs] = role === 'client' ? (['client', 'server'] as const) : (['server', 'client'] as const)
  const suite = protocol === 'TLSv1.3' ? RECORD_SUITES[cipher] : undefined
  const [write, read] = [secrets.take(ssl, ours), secrets.take(ssl, theirs)]
  secrets.forget(ssl)
  if (suite === undefined || write?.length !== suite.hashLength || read?.length !== suite.hashLength) {
    write?.fill(0)
    read?.fill(0)
    return undefined
  }
  return {
    writing: new TrafficKeys(secrets.createAead, suite, write, role === 'server' ? tickets : 0),
    reading: new TrafficKeys(secrets.createAead, suite, read, 0),
  }
}

/** Lines of `CLIENT_TRAFFIC_SECRET_0 client_random secret` in hexadecimal. */
const LABELS = { client: 'CLIENT_TRAFFIC_SECRET_0 ', server: 'SERVER_TRAFFIC_SECRET_0 ' } as const
const LONGEST = 1_024

function register(functions: LibsslFunctions, createAead: CreateAead): LoggedSecrets {
  const found = new Map<number, { client?: Uint8Array; server?: Uint8Array }>()
  const line = new Uint8Array(new ArrayBuffer(LONGEST))
  const told = (ssl: number, address: number): void => {
    // Never a string: those cannot be erased.
    const bio = functions.bioOf(address, UNTIL_NUL)
    const length = functions.bioRead(bio, addressOf(line), LONGEST)
    functions.bioFree(bio)
    for (const end of ['client', 'server'] as const) {
      if (!beginsWith(line, LABELS[end])) continue
      const entry = found.get(Number(ssl)) ?? {}
      entry[end] = unhex(line.subarray(line.lastIndexOf(SPACE, length - 1) + 1, length))
      found.set(Number(ssl), entry)
    }
    line.fill(0)
  }
  const koffi = loadKoffi()
  const callback = koffi.register(told, koffi.pointer(koffi.proto('void TlsKeyLog(uintptr_t ssl, uintptr_t line)')))
  return {
    createAead,
    callback: Number(callback),
    take(ssl, end) {
      const entry = found.get(ssl)
      const secret = entry?.[end]
      delete entry?.[end]
      return secret
    },
    forget(ssl) {
      const entry = found.get(ssl)
      entry?.client?.fill(0)
      entry?.server?.fill(0)
      found.delete(ssl)
    },
  }
}

/** To BIO_new_mem_buf. */
const UNTIL_NUL = -1
const SPACE = 0x20

function beginsWith(octets: Uint8Array, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (octets[i] !== text.charCodeAt(i)) return false
  return true
}

function unhex(digits: Uint8Array): Uint8Array {
  const value = (digit: number): number => (digit > 0x39 ? (digit | 0x20) - 0x57 : digit - 0x30)
  return Uint8Array.from(
    { length: digits.length >> 1 },
    (_, i) => (value(digits[2 * i] as number) << 4) | value(digits[2 * i + 1] as number),
  )
}
