// Certificates of two days for the contenders that want them, made by openssl in the laboratory's folder.
import { join } from 'node:path'
import { must } from '../../interop/lib/process.mjs'

/**
 * A CA and a certificate for each name, all on P-256.
 * @returns {Promise<{ ca: string, of: (name: string) => { certificate: string, key: string } }>} paths of PEM files
 */
export async function certificate(dir, names) {
  const at = (name) => join(dir, name)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const openssl = (...argv) => must(['openssl', ...argv])
  await openssl('req', '-x509', ...newKey, '-subj', '/CN=bench CA', '-keyout', at('ca.key'), '-out', at('ca.pem'))
  for (const name of names) {
    // Of whom only the common name is known Deno says that it is for nobody (RFC 9325 §6.2 asks for a subjectAltName, too).
    const extensions = ['-addext', 'basicConstraints=CA:FALSE', '-addext', `subjectAltName=DNS:${name}`]
    const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), ...extensions]
    await openssl('req', '-x509', ...newKey, ...signed, '-subj', `/CN=${name}`, '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`))
  }
  return { ca: at('ca.pem'), of: (name) => ({ certificate: at(`${name}.pem`), key: at(`${name}.key`) }) }
}
