/** What a gateway's TLS listeners show (RFC 9329 Appendix A). Nobody is authenticated by it: IKE does that. */
import { X509Certificate } from 'node:crypto'
import { certificateProblem } from '@underpass/tls-transport'
import * as z from 'zod'
import { NULL_CIPHER } from './client-tls.ts'
import { table, textAs } from './fields.ts'
import type { Findings } from './load.ts'
import { pathOfPem, readPem } from './pem-file.ts'

export interface GatewayTls {
  /** PEM, the server's certificate first. */
  readonly cert: string
  /** PEM. */
  readonly key: string
  /** Where the two are, to be read again when they change. */
  readonly files: CertificateFiles
  readonly alpn?: readonly string[]
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Taken from whoever offers it. */
  readonly nullCipher?: true
}

export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** Where everybody goes who opens a TLS port and is no client. */
export interface WebServer {
  readonly host: string
  readonly port: number
}

interface WrittenTls {
  readonly cert_file: string
  readonly key_file: string
  readonly alpn?: readonly string[] | undefined
  readonly min_version?: '1.2' | '1.3' | undefined
  readonly fallback?: WebServer | undefined
  readonly null_cipher?: typeof NULL_CIPHER | undefined
}

export const gatewayTls: z.ZodType<WrittenTls> = table({
  cert_file: z.string().min(1),
  key_file: z.string().min(1),
  alpn: z.array(z.string().min(1).max(255)).optional(),
  min_version: z.enum(['1.2', '1.3']).optional(),
  fallback: textAs(parseWebServer, 'is no web server; write "http://127.0.0.1:8080"').optional(),
  null_cipher: z.literal(NULL_CIPHER).optional(),
})

/** In the clear: it is beside us. */
function parseWebServer(text: string): WebServer | undefined {
  const match = /^http:\/\/(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]@]+))(?::(\d{1,5}))?\/?$/.exec(text.trim())
  const port = Number(match?.[3] ?? 80)
  const host = match?.[1] ?? match?.[2]
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port }
}

/** `undefined` where there is no table, and no listener that would need it. */
export function readGatewayTls(written: WrittenTls | undefined, hasListener: boolean, findings: Findings): GatewayTls | undefined {
  if (written === undefined) {
    if (hasListener) findings.issue(['listen', 'tls'], 'needs a [tls] with cert_file and key_file')
    return undefined
  }
  if (!hasListener) findings.warn(['tls'], 'is for listen.tls, which names no port')
  const { cert_file, key_file, alpn = [], min_version = '1.2', null_cipher } = written
  const known = findings.issues.length
  const pair = {
    cert: readPem(cert_file, 'certificate', CERT_FILE, findings),
    key: readPem(key_file, 'private key without a password', KEY_FILE, findings),
  }
  if (findings.issues.length === known) checkPair(pair, null_cipher !== undefined, findings)
  if (null_cipher !== undefined && min_version === '1.3') findings.issue(['tls', 'null_cipher'], 'is of TLS 1.2, and min_version is "1.3"')
  return {
    ...pair,
    files: { cert: pathOfPem(cert_file, findings), key: pathOfPem(key_file, findings) },
    ...(alpn.length === 0 ? {} : { alpn }),
    minVersion: `TLSv${min_version}`,
    ...(null_cipher === undefined ? {} : { nullCipher: true }),
  }
}

const CERT_FILE = ['tls', 'cert_file']
const KEY_FILE = ['tls', 'key_file']

function checkPair(pair: Pick<GatewayTls, 'cert' | 'key'>, hasNullCipher: boolean, findings: Findings): void {
  const problem = certificateProblem(pair)
  if (problem !== undefined) return findings.issue(problem.of === 'certificate' ? CERT_FILE : KEY_FILE, `is of no use: ${problem.reason}`)
  const type = new X509Certificate(pair.cert).publicKey.asymmetricKeyType
  if (hasNullCipher && type !== 'rsa')
    findings.issue(['tls', 'null_cipher'], `needs a certificate with an RSA key, and that of cert_file is ${type ?? 'another'}`)
}
