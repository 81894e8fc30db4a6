/** RSASSA-PSS-params (RFC 4055 §3.1). */
import { RsaSaPssParams } from '@peculiar/asn1-rsa'
import { AlgorithmIdentifier } from '@peculiar/asn1-x509'
import { CertificateError } from './certificate-error.ts'
import { decode, octetsOf } from './der.ts'

export type Hash = 'sha1' | 'sha256' | 'sha384' | 'sha512'

export interface PssParameters {
  readonly hash: Hash
  /** Octets. */
  readonly saltLength: number
}

const MGF1 = '1.2.840.113549.1.1.8'

const HASHES: Readonly<Record<string, Hash>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}

/** Throws `CertificateError`: 'UNSUPPORTED' where the mask is made by another hash than the digest, or by no MGF1. */
export function pssParametersOf(octets: Uint8Array): PssParameters {
  const parameters = decode(octets, RsaSaPssParams, 'RSASSA-PSS-params')
  const hash = HASHES[parameters.hashAlgorithm.algorithm]
  const mask = parameters.maskGenAlgorithm
  const maskHash =
    mask.algorithm === MGF1 && mask.parameters
      ? HASHES[decode(octetsOf(mask.parameters), AlgorithmIdentifier, 'MaskGenAlgorithm').algorithm]
      : undefined
  if (hash === undefined || maskHash !== hash || Number(parameters.trailerField) !== 1)
    throw new CertificateError(
      'UNSUPPORTED',
      'RSASSA-PSS with these parameters is not supported: one hash for digest and MGF1, trailer field 1',
    )
  const saltLength = Number(parameters.saltLength)
  if (!(Number.isInteger(saltLength) && saltLength >= 0 && saltLength <= 512))
    throw new CertificateError('MALFORMED', `RSASSA-PSS with a salt of ${saltLength} octets`)
  return { hash, saltLength }
}
