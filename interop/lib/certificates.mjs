// A CA and certificates for both ends, by openssl, in a folder of the laboratory.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from './process.mjs'

const KEYS = {
  rsa: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:3072'],
  ecdsa: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  ed25519: ['-algorithm', 'ED25519'],
}

/**
 * For each of `kinds` the files of a root, an intermediate and two end entities: 'rsa', 'ecdsa', 'ed25519'. `chain` is the end entity and the
 * intermediate, in PEM. The names in the certificates are `KIND-gateway` and `KIND-client` below underpass.example.
 */
export async function makeCertificates(lab, kinds) {
  const dir = lab.folder('certificates')
  const made = {}
  for (const kind of kinds) made[kind] = await makeKind(dir, kind)
  return made
}

async function makeKind(dir, kind) {
  const at = (name) => join(dir, `${kind}-${name}`)
  const openssl = (...argv) => must(['openssl', ...argv])
  const issue = async (name, extensions, by) => {
    await openssl('genpkey', ...KEYS[kind], '-out', at(`${name}.key`))
    await openssl('req', '-new', '-key', at(`${name}.key`), '-subj', `/O=Underpass/CN=${kind}-${name}`, '-out', at(`${name}.csr`))
    writeFileSync(at(`${name}.ext`), extensions.join('\n'))
    const signer = by ? ['-CA', at(`${by}.pem`), '-CAkey', at(`${by}.key`), '-CAcreateserial'] : ['-signkey', at(`${name}.key`)]
    await openssl(
      'x509',
      '-req',
      '-in',
      at(`${name}.csr`),
      '-days',
      '30',
      '-extfile',
      at(`${name}.ext`),
      '-out',
      at(`${name}.pem`),
      ...signer,
    )
  }
  const ca = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign', 'subjectKeyIdentifier=hash']
  const user = (name) => [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=serverAuth,clientAuth,1.3.6.1.5.5.7.3.17',
    `subjectAltName=DNS:${kind}-${name}.underpass.example`,
  ]
  await issue('root', ca)
  await issue('intermediate', ca, 'root')
  const end = async (name) => {
    await issue(name, user(name), 'intermediate')
    await must(['sh', '-c', `cat ${at(`${name}.pem`)} ${at('intermediate.pem')} > ${at(`${name}-chain.pem`)}`])
    const id = `@${kind}-${name}.underpass.example`
    return { id, name: `${kind}-${name}`, certificate: at(`${name}.pem`), chain: at(`${name}-chain.pem`), key: at(`${name}.key`) }
  }
  return { root: at('root.pem'), intermediate: at('intermediate.pem'), gateway: await end('gateway'), client: await end('client') }
}

/** Keys of our [peer] or [[connection]]: we are `own`, the other end is `other`. */
export function certificateAuth({ root }, own, other) {
  return { local_id: own.id, remote_id: other.id, auth: 'certificate', certificate: own.chain, key: own.key, ca: [root], psk: undefined }
}
