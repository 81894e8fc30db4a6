/** What is checked of certificates beside the runtime's own verification: that a key fits, and pins. */
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type TLSSocket } from 'node:tls'
import { authorityOf } from './authority.ts'
import { plainReason, TransportError } from './transport-error.ts'

/** PEM: the server's certificate first, then the chain; and its private key. */
export interface CertificatePair {
  readonly cert: string
  readonly key: string
}

const BEGINNING = '-----BEGIN CERTIFICATE-----'

export interface CertificateProblem {
  readonly of: 'certificate' | 'key'
  readonly reason: string
}

/** What is wrong with a certificate and its key; `undefined` where they fit. No octet of a key is in it. */
export function certificateProblem({ cert, key }: CertificatePair): CertificateProblem | undefined {
  let ofCertificate: Uint8Array
  try {
    ofCertificate = spkiOf(new X509Certificate(cert))
  } catch {
    return { of: 'certificate', reason: 'the certificate cannot be read: it is no PEM, or only part of one' }
  }
  let ofKey: Uint8Array
  try {
    ofKey = createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' })
  } catch {
    return { of: 'key', reason: 'the private key cannot be read: it is no PEM, only part of one, or has a password' }
  }
  if (Buffer.compare(ofCertificate, ofKey) !== 0) return { of: 'key', reason: 'the private key is not that of the certificate' }
  try {
    // Not every runtime reads the chain before a handshake.
    for (const rest of cert.split(BEGINNING).slice(2)) new X509Certificate(BEGINNING + rest)
    createSecureContext({ cert, key })
  } catch (cause) {
    const why = plainReason(cause instanceof Error ? cause.message : String(cause))
    return { of: 'certificate', reason: `the certificate, with its chain, is not taken: ${why}` }
  }
  return undefined
}

/** The pin of the first certificate of a PEM text. @throws Error where there is none */
export function certificatePin(pem: string): string {
  return pinOf(new X509Certificate(pem))
}

/** 'sha256/' and base64 of the SHA-256 of its SubjectPublicKeyInfo, as RFC 7469 §2.4 has them. */
export function pinOf(certificate: X509Certificate): string {
  return `sha256/${createHash('sha256').update(spkiOf(certificate)).digest('base64')}`
}

/** Of the certificate that the other end has shown; `undefined`: it has shown none that can be read. */
export function pinOfPeer(socket: TLSSocket): string | undefined {
  try {
    const shown = socket.getPeerX509Certificate?.()
    if (shown !== undefined) return pinOf(shown)
    const { raw } = socket.getPeerCertificate()
    return raw === undefined ? undefined : pinOf(new X509Certificate(raw))
  } catch {
    return undefined
  }
}

/** Why a certificate's pin is not taken. `shown`: undefined where the other end has shown none that can be read. */
export function pinProblem(
  shown: string | undefined,
  isResumed: boolean,
  pins: readonly string[],
  { host, port }: { readonly host: string; readonly port: number },
): TransportError | undefined {
  // Not every runtime keeps the certificate with a session, and only of connections whose certificate was taken are sessions given away.
  if (shown === undefined && isResumed) return undefined
  if (shown !== undefined && pins.includes(shown)) return undefined
  const text =
    shown === undefined ? 'it shows no certificate' : `the pin of its certificate is ${shown}, which is none of those that are known`
  return new TransportError('CERTIFICATE_INVALID', `no TLS with ${authorityOf({ host, port })}: ${text}`, { host, port })
}

function spkiOf({ publicKey }: X509Certificate): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' })
}
