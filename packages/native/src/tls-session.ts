import { addressOf, checkRange, nativeBuffer } from './address.ts'
import { type LibsslFunctions, libsslError } from './libssl-functions.ts'
import { NativeError } from './native-error.ts'

export interface TlsSessionOptions {
  /** Client: the name of server_name (RFC 6066 §3). Default: none is sent. */
  readonly servername?: string | undefined
  /** Client: the name or IP literal that the certificate must be for. Default: any. */
  readonly host?: string | undefined
  readonly isAddress?: boolean | undefined
  /** Client: what {@link TlsSession.takeTicket} gave of an earlier session; one that cannot be read is as none. */
  readonly resume?: Uint8Array | undefined
  /** Records after which TLS 1.3 changes its key. Default 2 ** 24: RFC 8446 §5.5 allows AES-GCM 2 ** 24.5. */
  readonly recordsOfKey?: number | undefined
}

/**
 * One connection's TLS. Octets of the other end go in by `feed`, and are read until nothing is left of them; octets for it come out by
 * `take` after each other call. Not reentrant.
 */
export interface TlsSession {
  /** Octets from the other end, lent until `handshake` or `read` has nothing more of them. */
  feed(bytes: Uint8Array): void
  /** Answers whether it is complete. @throws NativeError `CRYPTO`; an alert is to be taken then */
  handshake(): boolean
  /**
   * Octets of one record at most to `into[offset …]`. 0: nothing is left of what was fed. CLOSED: close_notify came.
   *
   * @throws NativeError `CRYPTO`; an alert is to be taken then
   */
  read(into: Uint8Array, offset: number, length: number): number
  /** Seals `bytes[offset, offset + length)`. @throws NativeError `CRYPTO` */
  write(bytes: Uint8Array, offset: number, length: number): void
  /** close_notify: nothing can be written after it. */
  end(): void
  /** Moves octets for the other end to `into[offset …]`; answers how many, 0 where there are none left. */
  take(into: Uint8Array, offset: number): number
  /** After the handshake. */
  describe(): TlsDescription
  /** Of the last verification; `undefined` where nothing is wrong with the certificate, or there was none. */
  problem(): string | undefined
  /** DER. */
  peerCertificate(): Uint8Array | undefined
  /** Client: what resumes the session later, if there is anything new. */
  takeTicket(): Uint8Array | undefined
  /** Idempotent; nothing else may be called after it. */
  free(): void
}

export interface TlsDescription {
  /** 'TLSv1.3' */
  readonly protocol: string
  readonly cipher: string
  readonly alpn: string | undefined
  readonly isResumed: boolean
}

/** What `read` answers after close_notify. */
export const CLOSED = -1

const SSL_CTRL_SET_TLSEXT_HOSTNAME = 55
const SSL_ERROR_WANT_READ = 2
const SSL_ERROR_ZERO_RETURN = 6
const SSL_KEY_UPDATE_REQUESTED = 1
const BIO_C_SET_BUF_MEM_EOF_RETURN = 130
/** RFC 8446 §5.1. */
const RECORD = 0x4000

export function createSession(
  functions: LibsslFunctions,
  context: number,
  role: 'client' | 'server',
  options: TlsSessionOptions,
  kept: unknown,
): TlsSession {
  const ssl = functions.sslNew(context)
  if (!ssl) throw libsslError(functions, 'SSL_new')
  const output = functions.bioNew(functions.bioMemory())
  functions.setOutput(ssl, output)
  // Empty: a client reads before anything is fed.
  functions.setInput(ssl, functions.bioNew(functions.bioMemory()))
  const session = new OpenSession(functions, ssl, output, options.recordsOfKey ?? 2 ** 24, kept)
  try {
    if (role === 'client') beClient(functions, ssl, options)
    else functions.beServer(ssl)
  } catch (error) {
    session.free()
    throw error
  }
  unreachable.register(session, { functions, ssl }, session)
  return session
}

/** For owners that forget {@link TlsSession.free}. */
const unreachable = new FinalizationRegistry<{ functions: LibsslFunctions; ssl: number }>(({ functions, ssl }) => functions.sslFree(ssl))

function beClient(functions: LibsslFunctions, ssl: number, { servername, host, isAddress, resume }: TlsSessionOptions): void {
  functions.beClient(ssl)
  if (servername !== undefined && functions.controlText(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, servername) !== 1)
    throw libsslError(functions, 'SSL_set_tlsext_host_name')
  if (host !== undefined) {
    const result = isAddress === true ? functions.setAddress(functions.parameters(ssl), host) : functions.setHost(ssl, host)
    if (result !== 1) throw libsslError(functions, 'SSL_set1_host')
  }
  if (resume !== undefined) setSession(functions, ssl, resume)
}

function setSession(functions: LibsslFunctions, ssl: number, encoded: Uint8Array): void {
  const { bytes, address } = nativeBuffer(encoded.length + POINTER)
  bytes.set(encoded, POINTER)
  setPointer(bytes, address + POINTER)
  const session = functions.decodeSession(0, address, encoded.length)
  bytes.fill(0)
  if (session) {
    functions.setSession(ssl, session)
    functions.sessionFree(session)
  }
  functions.clearErrors()
}

const POINTER = 8

function setPointer(bytes: Uint8Array, address: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(0, BigInt(address), true)
}

class OpenSession implements TlsSession {
  readonly #functions: LibsslFunctions
  readonly #address: number
  readonly #output: number
  readonly #recordsOfKey: number
  #records = 0
  #ticket = 0
  #isFreed = false
  /** What must not be collected while libssl has its address. */
  readonly kept: unknown
  fed: Uint8Array | undefined

  constructor(functions: LibsslFunctions, ssl: number, output: number, recordsOfKey: number, kept: unknown) {
    this.#functions = functions
    this.#address = ssl
    this.#output = output
    this.#recordsOfKey = recordsOfKey
    this.kept = kept
  }

  get #ssl(): number {
    if (this.#isFreed) throw new NativeError('CRYPTO', 'the session was freed')
    return this.#address
  }

  feed(bytes: Uint8Array): void {
    const functions = this.#functions
    this.fed = bytes
    const input = functions.bioOf(addressOf(bytes), bytes.length)
    // At its end there is more to come.
    functions.bioControl(input, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, 0)
    functions.setInput(this.#ssl, input)
    // SSL_get_error believes what it finds there, whoever left it.
    functions.clearErrors()
  }

  handshake(): boolean {
    const functions = this.#functions
    const result = functions.handshake(this.#ssl)
    if (result === 1) return true
    if (functions.getError(this.#ssl, result) === SSL_ERROR_WANT_READ) return false
    throw libsslError(functions, 'SSL_do_handshake')
  }

  read(into: Uint8Array, offset: number, length: number): number {
    checkRange(into, offset, length)
    const functions = this.#functions
    const result = functions.read(this.#ssl, addressOf(into) + offset, length)
    if (result > 0) return result
    const error = functions.getError(this.#ssl, result)
    if (error === SSL_ERROR_WANT_READ) return 0
    if (error === SSL_ERROR_ZERO_RETURN) return CLOSED
    throw libsslError(functions, 'SSL_read')
  }

  write(bytes: Uint8Array, offset: number, length: number): void {
    checkRange(bytes, offset, length)
    if (length === 0) return
    const functions = this.#functions
    const records = Math.ceil(length / RECORD)
    this.#records += records
    if (this.#records > this.#recordsOfKey) {
      this.#records = records
      this.#changeKey()
    }
    if (functions.write(this.#ssl, addressOf(bytes) + offset, length) !== length) throw libsslError(functions, 'SSL_write')
  }

  end(): void {
    this.#functions.shutdown(this.#ssl)
    this.#functions.clearErrors()
  }

  take(into: Uint8Array, offset: number): number {
    if (this.#isFreed) return 0
    return Math.max(0, this.#functions.bioRead(this.#output, addressOf(into) + offset, into.length - offset))
  }

  describe(): TlsDescription {
    const functions = this.#functions
    const ssl = this.#ssl
    return {
      protocol: functions.versionOf(ssl),
      cipher: functions.cipherName(functions.cipherOf(ssl)),
      alpn: this.#protocol(),
      isResumed: functions.isReused(ssl) === 1,
    }
  }

  problem(): string | undefined {
    if (this.#isFreed) return undefined
    const result = this.#functions.verifyResult(this.#ssl)
    return result === 0 ? undefined : this.#functions.verifyText(result)
  }

  peerCertificate(): Uint8Array | undefined {
    const functions = this.#functions
    const certificate = functions.peerCertificate(this.#ssl)
    if (!certificate) return undefined
    const encoded = encodedBy((out) => functions.encodeCertificate(certificate, out))
    functions.certificateFree(certificate)
    return encoded
  }

  takeTicket(): Uint8Array | undefined {
    const functions = this.#functions
    const session = functions.sessionOf(this.#ssl)
    // TLS 1.3 has another after each ticket (RFC 8446 §4.6.1).
    if (!session || session === this.#ticket || functions.isResumable(session) !== 1) return undefined
    this.#ticket = session
    return encodedBy((out) => functions.encodeSession(session, out))
  }

  free(): void {
    if (this.#isFreed) return
    this.#isFreed = true
    unreachable.unregister(this)
    this.#functions.sslFree(this.#address)
    this.fed = undefined
  }

  /** RFC 8446 §4.6.3. TLS 1.2 has no such thing, and its explicit nonces count as far as the sequence number does. */
  #changeKey(): void {
    const functions = this.#functions
    if (functions.versionOf(this.#ssl) !== 'TLSv1.3') return
    if (functions.updateKey(this.#ssl, SSL_KEY_UPDATE_REQUESTED) !== 1) throw libsslError(functions, 'SSL_key_update')
  }

  #protocol(): string | undefined {
    const { bytes, address } = nativeBuffer(16)
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    this.#functions.protocolOf(this.#ssl, address, address + POINTER)
    const length = view.getUint32(POINTER, true)
    return length === 0 ? undefined : textAt(this.#functions, Number(view.getBigUint64(0, true)), length)
  }
}

function textAt(functions: LibsslFunctions, address: number, length: number): string {
  const copy = new Uint8Array(new ArrayBuffer(length))
  const bio = functions.bioOf(address, length)
  functions.bioRead(bio, addressOf(copy), length)
  functions.bioFree(bio)
  return new TextDecoder().decode(copy)
}

/** What an i2d function of OpenSSL's makes: told its length first, then given a pointer that it moves. */
function encodedBy(encode: (out: number) => number): Uint8Array {
  const length = encode(0)
  if (length <= 0) throw new NativeError('CRYPTO', 'what is to be encoded cannot be')
  const { bytes, address } = nativeBuffer(POINTER + length)
  setPointer(bytes, address + POINTER)
  encode(address)
  return bytes.slice(POINTER)
}
