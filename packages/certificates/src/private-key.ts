/** Private keys from files: PKCS#8, also encrypted, PKCS#1 and SEC1, in PEM or DER (RFC 5958, RFC 8017, RFC 5915). */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { CertificateError } from './certificate-error.ts'
import { readPem } from './pem.ts'
import { asBuffer } from './public-key.ts'

const LABELS = ['PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY']

/** Throws `CertificateError`: 'MALFORMED' where there is no key, 'WRONG_PASSPHRASE', 'UNSUPPORTED'. */
export function readPrivateKey(octets: Uint8Array, passphrase?: string): KeyObject {
  if (octets[0] === 0x30) return fromDer(octets, passphrase)
  const block = readPem(new TextDecoder().decode(octets)).find(({ label }) => LABELS.includes(label))
  if (!block)
    throw new CertificateError(
      'MALFORMED',
      `no private key is in it: PEM with ${LABELS.map((label) => `"BEGIN ${label}"`).join(' or ')} is wanted`,
    )
  const isEncrypted = block.label.startsWith('ENCRYPTED') || /^Proc-Type: 4,ENCRYPTED/m.test(block.text)
  if (isEncrypted && passphrase === undefined)
    throw new CertificateError('WRONG_PASSPHRASE', 'the private key is encrypted, and no passphrase is given')
  return attempt(() => createPrivateKey({ key: block.text, format: 'pem', ...(isEncrypted ? { passphrase } : {}) }), isEncrypted)
}

/** Encrypted PKCS#8 where there is a passphrase. */
export function fromDer(der: Uint8Array, passphrase?: string): KeyObject {
  if (passphrase !== undefined)
    return attempt(() => createPrivateKey({ key: asBuffer(der), format: 'der', type: 'pkcs8', passphrase }), true)
  for (const type of ['pkcs8', 'pkcs1', 'sec1'] as const) {
    try {
      return createPrivateKey({ key: asBuffer(der), format: 'der', type })
    } catch {
      // One of the others, perhaps.
    }
  }
  throw new CertificateError('MALFORMED', 'the DER is no private key: PKCS#8, PKCS#1 or SEC1 is wanted')
}

function attempt(create: () => KeyObject, isEncrypted: boolean): KeyObject {
  try {
    return create()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (isEncrypted) throw new CertificateError('WRONG_PASSPHRASE', `the private key cannot be decrypted with this passphrase (${reason})`)
    throw new CertificateError('UNSUPPORTED', `the private key cannot be used here (${reason})`)
  }
}
