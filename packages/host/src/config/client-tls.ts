/** What TLS around a client's streams is to be (RFC 9329 Appendix A). It only gets the stream through: IKE authenticates the gateway. */
import * as z from 'zod'
import { host, table, textAs } from './fields.ts'
import type { Findings } from './load.ts'
import { readPem } from './pem-file.ts'

export interface ClientTls {
  /** SNI, and the name that the certificate is checked against. */
  readonly servername: string | undefined
  /** PEM; `undefined`: those of the runtime. */
  readonly ca: string | undefined
  /** 'none': no CA has to have signed the certificate, and without `pins` any will do. */
  readonly verify: 'ca' | 'none'
  /** One of which the certificate's must be, where there are any. */
  readonly pins: readonly string[]
  readonly alpn: readonly string[]
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Nothing but the NULL cipher is offered. */
  readonly nullCipher: boolean
}

interface WrittenTls {
  readonly servername?: string | undefined
  readonly ca_file?: string | undefined
  readonly verify?: ClientTls['verify'] | undefined
  readonly pin?: readonly string[] | undefined
  readonly alpn?: readonly string[] | undefined
  readonly min_version?: '1.2' | '1.3' | undefined
  readonly null_cipher?: typeof NULL_CIPHER | undefined
}

/** What is opted into is named, so that nobody does it by a slip (RFC 9329 Appendix A). */
export const NULL_CIPHER = 'NULL-SHA256'

const pin = textAs(
  (text) => (/^sha256\/[A-Za-z0-9+/]{43}=$/.test(text) ? text : undefined),
  'is no pin; write "sha256/" and the base64 of the SHA-256 of the SubjectPublicKeyInfo, as check-config of the gateway shows it',
)

export const clientTls: z.ZodType<WrittenTls> = table({
  servername: host.optional(),
  ca_file: z.string().min(1).optional(),
  verify: z.enum(['ca', 'none']).optional(),
  alpn: z.array(z.string().min(1).max(255)).optional(),
  min_version: z.enum(['1.2', '1.3']).optional(),
  pin: z.union([pin.transform((one) => [one]), z.array(pin).min(1)]).optional(),
  null_cipher: z.literal(NULL_CIPHER).optional(),
})

const AT = ['peer', 'tls']

export function readClientTls(written: WrittenTls | undefined, findings: Findings): ClientTls {
  const { servername, ca_file, pin: pins = [], alpn = [], min_version = '1.2', null_cipher } = written ?? {}
  // A pin says more than any CA does, unless both are asked for.
  const verify = written?.verify ?? (pins.length > 0 && ca_file === undefined ? 'none' : 'ca')
  if (written?.verify === 'none' && ca_file !== undefined) findings.issue([...AT, 'ca_file'], 'is for verify = "ca"')
  if (written?.verify === 'none' && pins.length > 0) findings.issue([...AT, 'pin'], 'verifies, and verify = "none" says that nothing does')
  if (null_cipher !== undefined && min_version === '1.3') findings.issue([...AT, 'null_cipher'], 'is of TLS 1.2, and min_version is "1.3"')
  return {
    servername,
    ca: ca_file && readPem(ca_file, 'certificate', [...AT, 'ca_file'], findings),
    verify,
    pins,
    alpn,
    minVersion: `TLSv${min_version}`,
    nullCipher: null_cipher !== undefined,
  }
}
