/** The parameters of TLS that are offered and taken, on both ends (RFC 9325, RFC 9329 Appendix A). */
import { constants } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import type { TlsContextOptions } from '@underpass/native'
import { nativeTls } from './native-tls.ts'

/** What both ends may choose of it. */
export interface TlsParameters {
  /** Default 'TLSv1.2' (RFC 9325 §3.1.1). */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  /** OpenSSL cipher string in the place of what RFC 9325 §4.2 recommends. Of it Bun's own TLS takes a part, Deno's nothing. */
  readonly ciphers?: string | undefined
  /**
   * Takes NULL-SHA256, TLS_RSA_WITH_NULL_SHA256 (RFC 9329 Appendix A): TLS 1.2, an RSA certificate, and nothing is encrypted twice. A client
   * then offers nothing else; a server takes it from whoever does. Only where `hasNullCipher()`. Default false.
   */
  readonly nullCipher?: boolean | undefined
}

/**
 * RFC 9325 §4.2: ephemeral key exchange and AEADs. The four that it names, those of TLS 1.3, and ChaCha20-Poly1305 for machines without AES
 * (RFC 7905). It leaves out CBC, static RSA and DH groups.
 */
const RECOMMENDED: string = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** OpenSSL has no NULL cipher above security level 0; the algorithms of signatures, which that level would widen, are named. */
const NULL_CIPHER = 'NULL-SHA256'
const SIGNATURES =
  'ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ed25519:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pkcs1_sha256:rsa_pkcs1_sha384'

type OfBothEnds = Pick<TlsContextOptions, 'minVersion' | 'maxVersion' | 'ciphers' | 'signatures'>

export function nativeServerParameters(options: TlsParameters): OfBothEnds {
  const { minVersion = 'TLSv1.2', maxVersion, ciphers, nullCipher } = options
  const own = nullCipher === true ? `${NULL_CIPHER}:${RECOMMENDED}:@SECLEVEL=0` : RECOMMENDED
  return { minVersion, maxVersion, ciphers: ciphers ?? own, signatures: nullCipher === true ? SIGNATURES : undefined }
}

export function nativeClientParameters(options: TlsParameters): OfBothEnds {
  if (options.nullCipher !== true) {
    const { minVersion = 'TLSv1.2', maxVersion, ciphers = RECOMMENDED } = options
    return { minVersion, maxVersion, ciphers }
  }
  return { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: `${NULL_CIPHER}:@SECLEVEL=0`, signatures: SIGNATURES }
}

export function serverParameters(options: TlsParameters): SecureContextOptions {
  const { minVersion, maxVersion, ciphers, signatures } = nativeServerParameters(options)
  return {
    minVersion,
    ciphers,
    ...(maxVersion === undefined ? {} : { maxVersion }),
    ...(signatures === undefined ? {} : { sigalgs: signatures }),
    // RFC 9325 §3.5: nobody needs to negotiate again.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  }
}

export function clientParameters(options: TlsParameters): Pick<SecureContextOptions, 'minVersion' | 'maxVersion' | 'ciphers' | 'sigalgs'> {
  const { minVersion, maxVersion, ciphers, signatures } = nativeClientParameters(options)
  return {
    minVersion,
    ciphers,
    ...(maxVersion === undefined ? {} : { maxVersion }),
    ...(signatures === undefined ? {} : { sigalgs: signatures }),
  }
}

/**
 * Whether there is NULL-SHA256: libssl has it. Where streams have the runtime's TLS, OpenSSL (Node) has it too, BoringSSL (Bun) refuses the name,
 * rustls (Deno) reads no names at all.
 */
export function hasNullCipher(): boolean {
  const native = nativeTls()
  const takes = (ciphers: string): boolean => {
    try {
      if ('libssl' in native) native.libssl.createContext({ role: 'client', minVersion: 'TLSv1.2', ciphers }).free()
      else createSecureContext({ ciphers, maxVersion: 'TLSv1.2' })
      return true
    } catch {
      return false
    }
  }
  return takes(`${NULL_CIPHER}:@SECLEVEL=0`) && !takes('NO-SUCH-CIPHER')
}
