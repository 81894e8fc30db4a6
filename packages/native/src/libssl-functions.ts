import type { NativeLibrary } from './koffi.ts'
import { NativeError } from './native-error.ts'

/** OpenSSL's functions for TLS and what they need of libcrypto; an argument that may be a number is an address. */
export interface LibsslFunctions {
  readonly version: string
  method(): number

  contextNew(method: number): number
  contextFree(context: number): void
  contextControl(context: number, command: number, argument: number, pointer: number): number
  contextControlText(context: number, command: number, argument: number, text: string): number
  contextOptions(context: number, options: number): number
  contextVerify(context: number, mode: number, callback: 0): void
  contextCiphers(context: number, list: string): number
  contextSuites(context: number, list: string): number
  contextCertificate(context: number, certificate: number): number
  contextKey(context: number, key: number): number
  contextCheckKey(context: number): number
  contextStore(context: number): number
  contextKeyLog(context: number, callback: number): void
  contextProtocols(context: number, list: number, length: number): number
  contextSelection(context: number, callback: number, argument: number): void
  selectProtocol(out: number, outLength: number, ours: number, ourLength: number, theirs: number, theirLength: number): number

  sslNew(context: number): number
  sslFree(ssl: number): void
  beClient(ssl: number): void
  beServer(ssl: number): void
  controlText(ssl: number, command: number, argument: number, text: string): number
  setHost(ssl: number, name: string): number
  parameters(ssl: number): number
  setAddress(parameters: number, address: string): number
  handshake(ssl: number): number
  read(ssl: number, buffer: number, length: number): number
  write(ssl: number, buffer: number, length: number): number
  shutdown(ssl: number): number
  updateKey(ssl: number, type: number): number
  getError(ssl: number, result: number): number
  versionOf(ssl: number): string
  cipherOf(ssl: number): number
  cipherName(cipher: number): string
  protocolOf(ssl: number, data: number, length: number): void
  verifyResult(ssl: number): number
  verifyText(result: number): string
  isReused(ssl: number): number
  sessionOf(ssl: number): number
  setSession(ssl: number, session: number): number
  isResumable(session: number): number
  encodeSession(session: number, out: number): number
  decodeSession(reuse: 0, data: number, length: number): number
  sessionFree(session: number): void
  peerCertificate(ssl: number): number
  inputOf(ssl: number): number
  setInput(ssl: number, bio: number): void
  setOutput(ssl: number, bio: number): void

  bioNew(method: number): number
  bioOf(data: number, length: number): number
  bioMemory(): number
  bioControl(bio: number, command: number, argument: number, pointer: number): number
  bioRead(bio: number, buffer: number, length: number): number
  bioFree(bio: number): number
  readCertificate(bio: number, out: 0, callback: 0, password: string): number
  readKey(bio: number, out: 0, callback: 0, password: string): number
  encodeCertificate(certificate: number, out: number): number
  certificateFree(certificate: number): void
  keyFree(key: number): void
  storeAdd(store: number, certificate: number): number
  takeError(): number
  clearErrors(): void
  errorReason(error: number): string | null
}

/** @throws NativeError `UNAVAILABLE` unless it is OpenSSL 3 or later; whatever koffi throws where a function is missing */
export function bindLibssl(library: NativeLibrary): LibsslFunctions {
  const version = library.func('const char *OpenSSL_version(int what)')(0) as string
  // BoringSSL and LibreSSL have other constants, and OpenSSL 1.1 other names.
  if (!/^OpenSSL ([3-9]|\d\d)\./.test(version)) throw new NativeError('UNAVAILABLE', `not OpenSSL 3 but ${version}`)
  const functions = Object.entries(DECLARATIONS).map(([name, declaration]) => [name, library.func(declaration)] as const)
  return { version, ...(Object.fromEntries(functions) as unknown as Omit<LibsslFunctions, 'version'>) }
}

const DECLARATIONS: Readonly<Record<Exclude<keyof LibsslFunctions, 'version'>, string>> = {
  method: 'uintptr_t TLS_method()',

  contextNew: 'uintptr_t SSL_CTX_new(uintptr_t method)',
  contextFree: 'void SSL_CTX_free(uintptr_t context)',
  contextControl: 'long SSL_CTX_ctrl(uintptr_t context, int command, long argument, uintptr_t pointer)',
  contextControlText: 'long SSL_CTX_ctrl(uintptr_t context, int command, long argument, const char *text)',
  contextOptions: 'uint64_t SSL_CTX_set_options(uintptr_t context, uint64_t options)',
  contextVerify: 'void SSL_CTX_set_verify(uintptr_t context, int mode, uintptr_t callback)',
  contextCiphers: 'int SSL_CTX_set_cipher_list(uintptr_t context, const char *list)',
  contextSuites: 'int SSL_CTX_set_ciphersuites(uintptr_t context, const char *list)',
  contextCertificate: 'int SSL_CTX_use_certificate(uintptr_t context, uintptr_t certificate)',
  contextKey: 'int SSL_CTX_use_PrivateKey(uintptr_t context, uintptr_t key)',
  contextCheckKey: 'int SSL_CTX_check_private_key(uintptr_t context)',
  contextStore: 'uintptr_t SSL_CTX_get_cert_store(uintptr_t context)',
  contextKeyLog: 'void SSL_CTX_set_keylog_callback(uintptr_t context, uintptr_t callback)',
  contextProtocols: 'int SSL_CTX_set_alpn_protos(uintptr_t context, uintptr_t list, unsigned int length)',
  contextSelection: 'void SSL_CTX_set_alpn_select_cb(uintptr_t context, uintptr_t callback, uintptr_t argument)',
  selectProtocol:
    'int SSL_select_next_proto(uintptr_t out, uintptr_t outLength, uintptr_t ours, unsigned int ourLength, uintptr_t theirs, unsigned int theirLength)',

  sslNew: 'uintptr_t SSL_new(uintptr_t context)',
  sslFree: 'void SSL_free(uintptr_t ssl)',
  beClient: 'void SSL_set_connect_state(uintptr_t ssl)',
  beServer: 'void SSL_set_accept_state(uintptr_t ssl)',
  controlText: 'long SSL_ctrl(uintptr_t ssl, int command, long argument, const char *text)',
  setHost: 'int SSL_set1_host(uintptr_t ssl, const char *name)',
  parameters: 'uintptr_t SSL_get0_param(uintptr_t ssl)',
  setAddress: 'int X509_VERIFY_PARAM_set1_ip_asc(uintptr_t parameters, const char *address)',
  handshake: 'int SSL_do_handshake(uintptr_t ssl)',
  read: 'int SSL_read(uintptr_t ssl, uintptr_t buffer, int length)',
  write: 'int SSL_write(uintptr_t ssl, uintptr_t buffer, int length)',
  shutdown: 'int SSL_shutdown(uintptr_t ssl)',
  updateKey: 'int SSL_key_update(uintptr_t ssl, int type)',
  getError: 'int SSL_get_error(uintptr_t ssl, int result)',
  versionOf: 'const char *SSL_get_version(uintptr_t ssl)',
  cipherOf: 'uintptr_t SSL_get_current_cipher(uintptr_t ssl)',
  cipherName: 'const char *SSL_CIPHER_get_name(uintptr_t cipher)',
  protocolOf: 'void SSL_get0_alpn_selected(uintptr_t ssl, uintptr_t data, uintptr_t length)',
  verifyResult: 'long SSL_get_verify_result(uintptr_t ssl)',
  verifyText: 'const char *X509_verify_cert_error_string(long result)',
  isReused: 'int SSL_session_reused(uintptr_t ssl)',
  sessionOf: 'uintptr_t SSL_get_session(uintptr_t ssl)',
  setSession: 'int SSL_set_session(uintptr_t ssl, uintptr_t session)',
  isResumable: 'int SSL_SESSION_is_resumable(uintptr_t session)',
  encodeSession: 'int i2d_SSL_SESSION(uintptr_t session, uintptr_t out)',
  decodeSession: 'uintptr_t d2i_SSL_SESSION(uintptr_t reuse, uintptr_t data, long length)',
  sessionFree: 'void SSL_SESSION_free(uintptr_t session)',
  peerCertificate: 'uintptr_t SSL_get1_peer_certificate(uintptr_t ssl)',
  inputOf: 'uintptr_t SSL_get_rbio(uintptr_t ssl)',
  setInput: 'void SSL_set0_rbio(uintptr_t ssl, uintptr_t bio)',
  setOutput: 'void SSL_set0_wbio(uintptr_t ssl, uintptr_t bio)',

  bioNew: 'uintptr_t BIO_new(uintptr_t method)',
  bioOf: 'uintptr_t BIO_new_mem_buf(uintptr_t data, int length)',
  bioMemory: 'uintptr_t BIO_s_mem()',
  bioControl: 'long BIO_ctrl(uintptr_t bio, int command, long argument, uintptr_t pointer)',
  bioRead: 'int BIO_read(uintptr_t bio, uintptr_t buffer, int length)',
  bioFree: 'int BIO_free(uintptr_t bio)',
  readCertificate: 'uintptr_t PEM_read_bio_X509(uintptr_t bio, uintptr_t out, uintptr_t callback, const char *password)',
  readKey: 'uintptr_t PEM_read_bio_PrivateKey(uintptr_t bio, uintptr_t out, uintptr_t callback, const char *password)',
  encodeCertificate: 'int i2d_X509(uintptr_t certificate, uintptr_t out)',
  certificateFree: 'void X509_free(uintptr_t certificate)',
  keyFree: 'void EVP_PKEY_free(uintptr_t key)',
  storeAdd: 'int X509_STORE_add_cert(uintptr_t store, uintptr_t certificate)',
  takeError: 'unsigned long ERR_get_error()',
  clearErrors: 'void ERR_clear_error()',
  errorReason: 'const char *ERR_reason_error_string(unsigned long error)',
}

/** What went wrong last, in OpenSSL's words: 'no shared cipher'. */
export function libsslError(functions: LibsslFunctions, call: string): NativeError {
  const reason = functions.errorReason(functions.takeError())
  functions.clearErrors()
  return new NativeError('CRYPTO', reason ?? `${call} failed`, { call })
}
