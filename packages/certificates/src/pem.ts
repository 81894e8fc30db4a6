/** PEM (RFC 7468): text around DER. */
import { CertificateError } from './certificate-error.ts'

export interface PemBlock {
  /** 'CERTIFICATE', 'PRIVATE KEY', … */
  readonly label: string
  readonly der: Uint8Array
  /** The block as it stood. */
  readonly text: string
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g

/** Text around the blocks is ignored. Throws `CertificateError` 'MALFORMED'. */
export function readPem(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([block, label = '', body = '']) => {
    // RFC 1421 headers, of keys encrypted in the old way.
    const base64 = body.replace(/^(?:[A-Za-z-]+:.*\r?\n)+/m, '').replace(/\s/g, '')
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw new CertificateError('MALFORMED', `PEM: the block "${label}" is not base64`)
    return { label, der: new Uint8Array(Buffer.from(base64, 'base64')), text: block }
  })
}

/** The certificates of a PEM file in order, or the one that a DER file is. Throws `CertificateError` 'MALFORMED' where there is none. */
export function readCertificateFile(octets: Uint8Array): Uint8Array[] {
  if (octets[0] === 0x30) return [octets]
  const found = readPem(new TextDecoder().decode(octets)).filter(({ label }) => label === 'CERTIFICATE' || label === 'X509 CERTIFICATE')
  if (found.length === 0)
    throw new CertificateError('MALFORMED', 'no certificate is in it: PEM with "BEGIN CERTIFICATE", or DER, is wanted')
  return found.map(({ der }) => der)
}
