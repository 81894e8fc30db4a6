import { addressOf, checkRange, nativeBuffer } from './address.ts'
import { type LibsslFunctions, libsslError } from './libssl-functions.ts'
import { NativeError } from './native-error.ts'
import { CLOSED, TlsRecords } from './tls-records.ts'
import { keysOf, type LoggedSecrets } from './tls-secrets.ts'
import { SEALING, type TlsDescription, type TlsSession, type TlsSessionOptions } from './tls-session.ts'

const SSL_CTRL_SET_TLSEXT_HOSTNAME = 55
const SSL_ERROR_WANT_READ = 2
const SSL_ERROR_ZERO_RETURN = 6
const SSL_KEY_UPDATE_REQUESTED = 1
const BIO_C_SET_BUF_MEM_EOF_RETURN = 130
const BIO_CTRL_PENDING = 10
/** ContentType of a record that is protected (RFC 8446 §5.2). */
const PROTECTED = 23
/** RFC 8446 §5.1. */
const RECORD = 0x4000

export function createSession(
  functions: LibsslFunctions,
  context: number,
  role: 'client' | 'server',
  options: TlsSessionOptions,
  kept: unknown,
  secrets: LoggedSecrets | undefined,
): TlsSession {
  const ssl = functions.sslNew(context)
  if (!ssl) throw libsslError(functions, 'SSL_new')
  const output = functions.bioNew(functions.bioMemory())
  functions.setOutput(ssl, output)
  // Empty: a client reads before anything is fed.
  functions.setInput(ssl, functions.bioNew(functions.bioMemory()))
  const session = new OpenSession(functions, ssl, output, role, options.recordsOfKey ?? 2 ** 24, kept, secrets)
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
  readonly #role: 'client' | 'server'
  readonly #recordsOfKey: number
  readonly #secrets: LoggedSecrets | undefined
  /** From libssl, in the handshake. */
  #said: Uint8Array = new Uint8Array(0)
  /** Instead of libssl, behind the handshake. */
  #fast: TlsRecords | undefined
  #records = 0
  #ticket = 0
  #isFreed = false
  /** What must not be collected while libssl has its address. */
  readonly kept: unknown
  fed: Uint8Array | undefined

  constructor(
    functions: LibsslFunctions,
    ssl: number,
    output: number,
    role: 'client' | 'server',
    recordsOfKey: number,
    kept: unknown,
    secrets: LoggedSecrets | undefined,
  ) {
    this.#functions = functions
    this.#address = ssl
    this.#output = output
    this.#role = role
    this.#recordsOfKey = recordsOfKey
    this.#secrets = secrets
    this.kept = kept
  }

  get #ssl(): number {
    if (this.#isFreed) throw new NativeError('CRYPTO', 'the session was freed')
    return this.#address
  }

  feed(bytes: Uint8Array): void {
    this.fed = bytes
    if (this.#fast === undefined) this.#feedLibssl(bytes)
    else this.#fast.feed(bytes)
  }

  #feedLibssl(bytes: Uint8Array): void {
    const functions = this.#functions
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
    const last = this.#drained()
    this.#said = Uint8Array.from([...this.#said, ...last])
    if (result === 1) {
      this.#takeOver(last)
      return true
    }
    if (functions.getError(this.#ssl, result) === SSL_ERROR_WANT_READ) return false
    throw libsslError(functions, 'SSL_do_handshake')
  }

  read(into: Uint8Array, offset: number, length: number): number {
    checkRange(into, offset, length)
    if (this.#fast !== undefined) return this.#fast.read(into, offset, length)
    const functions = this.#functions
    const result = functions.read(this.#ssl, addressOf(into) + offset, length)
    if (result > 0) return result
    const error = functions.getError(this.#ssl, result)
    if (error === SSL_ERROR_WANT_READ) return 0
    if (error === SSL_ERROR_ZERO_RETURN) return CLOSED
    throw libsslError(functions, 'SSL_read')
  }

  seal(bytes: Uint8Array, offset: number, length: number, into: Uint8Array, at: number): number {
    checkRange(bytes, offset, length)
    const ssl = this.#ssl
    checkRange(into, at, length + SEALING * Math.ceil(length / RECORD + 1))
    const before = this.take(into, at)
    if (this.#fast !== undefined) return before + this.#fast.seal(bytes, offset, length, into, at + before)
    if (length === 0) return before
    const functions = this.#functions
    const records = Math.ceil(length / RECORD)
    this.#records += records
    if (this.#records > this.#recordsOfKey) {
      this.#records = records
      this.#changeKey()
    }
    if (functions.write(ssl, addressOf(bytes) + offset, length) !== length) throw libsslError(functions, 'SSL_write')
    return before + this.take(into, at + before)
  }

  end(): void {
    if (this.#fast !== undefined) return this.#fast.end()
    this.#functions.shutdown(this.#ssl)
    this.#functions.clearErrors()
  }

  take(into: Uint8Array, at: number): number {
    if (this.#isFreed) return 0
    const said = this.#said
    if (said.length > 0) {
      // Of a handshake with long certificates; the buffer may be a short one.
      const some = Math.min(said.length, into.length - at)
      into.set(said.subarray(0, some), at)
      this.#said = said.slice(some)
      return some
    }
    if (this.#fast !== undefined) return this.#fast.take(into, at)
    return Math.max(0, this.#functions.bioRead(this.#output, addressOf(into) + at, into.length - at))
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
    this.#secrets?.forget(this.#address)
    this.#fast?.free()
    this.fed = undefined
  }

  /** All that libssl has to say now. */
  #drained(): Uint8Array {
    const functions = this.#functions
    const length = functions.bioControl(this.#output, BIO_CTRL_PENDING, 0, 0)
    if (length <= 0) return new Uint8Array(0)
    const octets = new Uint8Array(new ArrayBuffer(length))
    functions.bioRead(this.#output, addressOf(octets), length)
    return octets
  }

  /** The handshake is over, and `last` what it said last: records from here on need libssl no more, where there is something faster. */
  #takeOver(last: Uint8Array): void {
    const keys = this.#secrets && keysOf(this.#secrets, this.#address, this.describe(), this.#role, ticketsIn(last))
    if (keys === undefined) return
    const { writing, reading } = keys
    this.#fast = new TlsRecords(writing, reading, this.#recordsOfKey, (record) => {
      this.#feedLibssl(record)
      const scratch = nativeBuffer(1)
      this.#functions.read(this.#ssl, scratch.address, 1)
      this.#functions.clearErrors()
    })
    const fed = this.fed
    const left = this.#functions.bioControl(this.#functions.inputOf(this.#ssl), BIO_CTRL_PENDING, 0, 0)
    if (fed !== undefined && left > 0) this.#fast.feed(fed.subarray(fed.length - left))
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

/** A server's tickets are protected as its data are, and are what it says behind the client's Finished (RFC 8446 §4.6.1). */
function ticketsIn(octets: Uint8Array): number {
  let count = 0
  for (let at = 0; at + 5 <= octets.length; at += 5 + (((octets[at + 3] as number) << 8) | (octets[at + 4] as number)))
    if (octets[at] === PROTECTED) count++
  return count
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
