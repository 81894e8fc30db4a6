/** How each end proves who it is (RFC 7296 §2.15): keys of `[peer]` and `[[connection]]`, and the files that they name. */
import { readFileSync, statSync } from 'node:fs'
import {
  authorityHash,
  bindIdentity,
  CertEncoding,
  type Certificate,
  CertificateError,
  encodeAnnouncements,
  publicKeyOf,
  type RevocationPolicy,
  readCertificate,
  readCertificateFile,
  readPem,
  readPkcs12,
  readPrivateKey,
  readPublicKey,
  signatureAnnouncements,
} from '@underpass/certificates'
import type {
  CertificatePayload,
  Identity,
  LocalAuthentication,
  PeerAuthentication,
  RemoteAuthentication,
} from '@underpass/session-manager'
import * as z from 'zod'
import { reasonOf } from '../host-error.ts'
import type { EapCredentials, EapOfPeer } from './eap.ts'
import type { Findings } from './load.ts'
import { pathOfPem } from './pem-file.ts'
import type { RadiusSettings } from './radius.ts'
import type { KeyPath } from './toml-locator.ts'

export type AuthKind = 'psk' | 'certificate' | 'null' | 'eap'

interface WrittenAuth {
  readonly auth?: AuthKind | undefined
  readonly remote_auth?: AuthKind | undefined
  readonly certificate?: string | undefined
  readonly key?: string | undefined
  readonly key_passphrase_file?: string | undefined
  readonly ca?: readonly string[] | undefined
  readonly public_keys?: readonly string[] | undefined
  readonly crl?: readonly string[] | undefined
  readonly revocation?: RevocationPolicy | undefined
}

const file = z.string().min(1)
const kind = z.enum(['psk', 'certificate', 'null', 'eap'])

/** The keys of a table that is about a peer. */
export const AUTH_KEYS: { readonly [K in keyof WrittenAuth]-?: z.ZodType<WrittenAuth[K]> } = {
  auth: kind.optional(),
  remote_auth: kind.optional(),
  certificate: file.optional(),
  key: file.optional(),
  key_passphrase_file: file.optional(),
  ca: z.array(file).min(1).optional(),
  public_keys: z.array(file).min(1).optional(),
  crl: z.array(file).min(1).optional(),
  revocation: z.enum(['off', 'soft', 'hard']).optional(),
}

/** What the crypto port has under the names that the core knows; plain data, for workers. */
export interface Credentials {
  /** Private keys, PKCS#8 in DER. */
  readonly keys: Readonly<Record<string, Uint8Array>>
  readonly trusts: Readonly<Record<string, TrustFiles>>
  readonly eap: Readonly<Record<string, EapCredentials>>
  /** In the order in which they are asked. */
  readonly radius: readonly RadiusSettings[]
}

export interface TrustFiles {
  /** DER. */
  readonly anchors: readonly Uint8Array[]
  readonly rawPublicKeys: readonly Uint8Array[]
  readonly crls: readonly Uint8Array[]
  readonly revocation: RevocationPolicy
}

export const NO_CREDENTIALS: Credentials = { keys: {}, trusts: {}, eap: {}, radius: [] }

export function mergedCredentials(all: readonly Credentials[]): Credentials {
  return {
    keys: Object.assign({}, ...all.map(({ keys }) => keys)) as Credentials['keys'],
    trusts: Object.assign({}, ...all.map(({ trusts }) => trusts)) as Credentials['trusts'],
    eap: Object.assign({}, ...all.map(({ eap }) => eap)) as Credentials['eap'],
    radius: all.flatMap(({ radius }) => radius),
  }
}

export function localKind({ auth }: WrittenAuth): AuthKind {
  return auth ?? 'psk'
}

/** What is not said is as on our own side; who does EAP is met with a certificate (RFC 7296 §2.16). */
export function remoteKind({ auth, remote_auth }: WrittenAuth): AuthKind {
  return remote_auth ?? (auth === 'eap' ? 'certificate' : (auth ?? 'psk'))
}

export function needsSecret(written: WrittenAuth): boolean {
  return localKind(written) === 'psk' || remoteKind(written) === 'psk'
}

/** Of which peer. */
interface AuthOf {
  /** Under which its credentials stand. */
  readonly name: string
  /** What the certificate is to show. */
  readonly localId: Identity
  /** Which of the two EAP is about: whoever dials proves himself by it. */
  readonly role: 'initiator' | 'responder'
  readonly eap: EapOfPeer | undefined
}

export function readAuthentication(
  path: KeyPath,
  written: WrittenAuth,
  { name, localId, role, eap }: AuthOf,
  findings: Findings,
): { readonly authFor: (secret: Uint8Array) => PeerAuthentication; readonly credentials: Credentials } {
  const signs = localKind(written) === 'certificate'
  const believes = remoteKind(written) === 'certificate'
  for (const key of ['certificate', 'key', 'key_passphrase_file'] as const)
    if (!signs && written[key] !== undefined) findings.issue([...path, key], 'is for auth = "certificate"')
  for (const key of ['ca', 'public_keys', 'crl', 'revocation'] as const)
    if (!believes && written[key] !== undefined)
      findings.issue([...path, key], 'is for a peer that signs: auth or remote_auth = "certificate"')
  const own = signs ? readOwn(path, written, localId, findings) : undefined
  const trusted = believes ? readTrust(path, written, findings) : undefined
  const plainKind = (of: AuthKind, secret: Uint8Array, isInitiators: boolean): Exclude<LocalAuthentication, { kind: 'signature' }> => {
    if (of === 'eap') return isInitiators ? { kind: 'eap', name, ...eap?.settings } : { kind: 'eap-only' }
    return of === 'null' ? { kind: 'null' } : { kind: 'shared-key', secret }
  }
  const local = (secret: Uint8Array): LocalAuthentication =>
    own ? { kind: 'signature', key: name, certificates: own.certificates } : plainKind(localKind(written), secret, role === 'initiator')
  const remote = (secret: Uint8Array): RemoteAuthentication =>
    trusted ? { kind: 'signature', trust: name, ...trusted.asked } : plainKind(remoteKind(written), secret, role === 'responder')
  return {
    authFor: (secret) => ({ local: local(secret), remote: remote(secret) }),
    credentials: {
      keys: own ? { [name]: own.key } : {},
      trusts: trusted ? { [name]: trusted.files } : {},
      eap: eap ? { [name]: eap.credentials } : {},
      radius: [],
    },
  }
}

interface Own {
  readonly key: Uint8Array
  readonly certificates: readonly CertificatePayload[]
}

function readOwn(path: KeyPath, written: WrittenAuth, localId: Identity, findings: Findings): Own | undefined {
  const { certificate, key_passphrase_file } = written
  const passphrase =
    key_passphrase_file === undefined
      ? undefined
      : attempt([...path, 'key_passphrase_file'], findings, () => textOf(key_passphrase_file, findings))
  const archive = certificate !== undefined && /\.(p12|pfx)$/i.test(certificate) ? certificate : undefined
  const found = archive === undefined ? readTwo(path, written, passphrase, findings) : readArchive(path, archive, passphrase, findings)
  if (!found) return undefined
  const { key, chain } = found
  if (chain.length === 0) return { key: key.octets, certificates: [{ encoding: CertEncoding.RAW_PUBLIC_KEY, data: key.spki }] }
  const [endEntity] = chain
  if (Buffer.compare(endEntity!.publicKey.spki, key.spki) !== 0)
    findings.issue(
      [...path, 'certificate'],
      `is of another key than ${archive === undefined ? 'key' : 'the one in it'}: the first certificate has to be our own`,
    )
  if (Date.now() > endEntity!.notAfter)
    findings.warn([...path, 'certificate'], `expired on ${new Date(endEntity!.notAfter).toISOString().slice(0, 10)}`)
  warnOfIdentity([...path, 'local_id'], localId, endEntity!, findings)
  return { key: key.octets, certificates: chain.map(({ der }) => ({ encoding: CertEncoding.X509_SIGNATURE, data: der })) }
}

interface ReadKey {
  readonly octets: Uint8Array
  readonly spki: Uint8Array
}

interface KeyAndChain {
  readonly key: ReadKey
  readonly chain: readonly Certificate[]
}

function readTwo(path: KeyPath, written: WrittenAuth, passphrase: string | undefined, findings: Findings): KeyAndChain | undefined {
  const { certificate, key: keyFile } = written
  if (keyFile === undefined) {
    findings.issue([...path, 'key'], 'is required by auth = "certificate" (or a certificate that is a .p12 file)')
    return undefined
  }
  const key = attempt([...path, 'key'], findings, () => asRead(readPrivateKey(octetsOf(keyFile, findings), passphrase)))
  if (key) warnIfReadable([...path, 'key'], keyFile, findings)
  const chain =
    certificate === undefined
      ? []
      : attempt([...path, 'certificate'], findings, () => readCertificateFile(octetsOf(certificate, findings)).map(readCertificate))
  return key && chain && { key, chain }
}

function readArchive(path: KeyPath, archive: string, passphrase: string | undefined, findings: Findings): KeyAndChain | undefined {
  return attempt([...path, 'certificate'], findings, () => {
    const { key, certificates } = readPkcs12(octetsOf(archive, findings), passphrase ?? '')
    if (!key) throw new CertificateError('MALFORMED', 'has no private key in it')
    warnIfReadable([...path, 'certificate'], archive, findings)
    const read = asRead(key)
    const all = certificates.map(readCertificate)
    const isOwn = ({ publicKey }: Certificate): boolean => Buffer.compare(publicKey.spki, read.spki) === 0
    return { key: read, chain: [...all.filter(isOwn), ...all.filter((one) => !isOwn(one))] }
  })
}

function asRead(key: ReturnType<typeof readPrivateKey>): ReadKey {
  return { octets: new Uint8Array(key.export({ type: 'pkcs8', format: 'der' })), spki: publicKeyOf(key) }
}

interface TrustAndRequests {
  readonly files: TrustFiles
  readonly asked: Pick<Extract<RemoteAuthentication, { kind: 'signature' }>, 'requests' | 'authMethods'>
}

function readTrust(path: KeyPath, written: WrittenAuth, findings: Findings): TrustAndRequests {
  const { ca = [], public_keys = [], crl = [], revocation = 'soft' } = written
  if (ca.length + public_keys.length === 0)
    findings.issue([...path, 'ca'], 'is required where the peer signs: the CAs whose certificates are believed (or public_keys)')
  const all = <T>(key: string, files: readonly string[], read: (octets: Uint8Array) => readonly T[]): T[] =>
    files.flatMap((one, i) => attempt([...path, key, i], findings, () => read(octetsOf(one, findings))) ?? [])
  const anchors = all('ca', ca, (octets) => readCertificateFile(octets).map(readCertificate))
  const rawPublicKeys = all('public_keys', public_keys, (octets) => publicKeysIn(octets))
  const hashes = anchors.map(({ publicKey }) => authorityHash(publicKey.spki))
  const requests = [
    ...(anchors.length > 0 ? [{ encoding: CertEncoding.X509_SIGNATURE, authorities: new Uint8Array(Buffer.concat(hashes)) }] : []),
    ...(rawPublicKeys.length > 0 ? [{ encoding: CertEncoding.RAW_PUBLIC_KEY, authorities: new Uint8Array(0) }] : []),
  ]
  return {
    files: { anchors: anchors.map(({ der }) => der), rawPublicKeys, crls: all('crl', crl, crlsIn), revocation },
    asked: { requests, authMethods: encodeAnnouncements(signatureAnnouncements()) },
  }
}

function publicKeysIn(octets: Uint8Array): Uint8Array[] {
  const found = octets[0] === 0x30 ? [octets] : blocksOf(octets, 'PUBLIC KEY')
  if (found.length === 0) throw new CertificateError('MALFORMED', 'has no public key in it: PEM with "BEGIN PUBLIC KEY", or DER, is wanted')
  for (const one of found) readPublicKey(one)
  return found
}

function crlsIn(octets: Uint8Array): Uint8Array[] {
  const found = octets[0] === 0x30 ? [octets] : blocksOf(octets, 'X509 CRL')
  if (found.length === 0) throw new CertificateError('MALFORMED', 'has no CRL in it: PEM with "BEGIN X509 CRL", or DER, is wanted')
  return found
}

function blocksOf(octets: Uint8Array, wanted: string): Uint8Array[] {
  return readPem(new TextDecoder().decode(octets)).flatMap(({ label, der }) => (label === wanted ? [der] : []))
}

/** A peer that is strict refuses such an identity. */
function warnOfIdentity(path: KeyPath, localId: Identity, certificate: Certificate, findings: Findings): void {
  try {
    bindIdentity(localId, certificate)
  } catch (error) {
    findings.warn(path, `${reasonOf(error)}; the peer may refuse it`)
  }
}

function warnIfReadable(path: KeyPath, name: string, findings: Findings): void {
  const at = pathOfPem(name, findings)
  if ((statSync(at).mode & 0o004) !== 0) findings.warn(path, `everyone on this machine can read ${name}; chmod 600 ${at}`)
}

const MOST = 4_194_304

function octetsOf(name: string, findings: Findings): Uint8Array {
  const at = pathOfPem(name, findings)
  const { size } = statSync(at)
  if (size > MOST) throw new CertificateError('LIMIT_EXCEEDED', `${name} has ${size} octets`)
  return new Uint8Array(readFileSync(at))
}

function textOf(name: string, findings: Findings): string {
  return new TextDecoder().decode(octetsOf(name, findings)).replace(/\r?\n$/, '')
}

function attempt<T>(path: KeyPath, findings: Findings, read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    findings.issue(path, error instanceof CertificateError ? `is of no use: ${error.message}` : `cannot be read: ${reasonOf(error)}`)
    return undefined
  }
}
