/** What TLS around a client's streams is to be (RFC 9329 Appendix A). It only gets the stream through: IKE authenticates the gateway. */
import * as z from 'zod'
import { host, table } from './fields.ts'
import type { Findings } from './load.ts'
import { readPem } from './pem-file.ts'

export interface ClientTls {
  /** SNI, and the name that the certificate is checked against. */
  readonly servername: string | undefined
  /** PEM; `undefined`: those of the runtime. */
  readonly ca: string | undefined
  /** 'none': any certificate will do. */
  readonly verify: 'ca' | 'none'
  readonly alpn: readonly string[]
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
}

interface WrittenTls {
  readonly servername?: string | undefined
  readonly ca_file?: string | undefined
  readonly verify?: ClientTls['verify'] | undefined
  readonly alpn?: readonly string[] | undefined
  readonly min_version?: '1.2' | '1.3' | undefined
}

export const clientTls: z.ZodType<WrittenTls> = table({
  servername: host.optional(),
  ca_file: z.string().min(1).optional(),
  verify: z.enum(['ca', 'none']).optional(),
  alpn: z.array(z.string().min(1).max(255)).optional(),
  min_version: z.enum(['1.2', '1.3']).optional(),
})

const CA_FILE = ['peer', 'tls', 'ca_file']

export function readClientTls(written: WrittenTls | undefined, findings: Findings): ClientTls {
  const { servername, ca_file, verify = 'ca', alpn = [], min_version = '1.2' } = written ?? {}
  if (verify === 'none' && ca_file !== undefined) findings.issue(CA_FILE, 'is for verify = "ca"')
  return { servername, ca: ca_file && readPem(ca_file, 'certificate', CA_FILE, findings), verify, alpn, minVersion: `TLSv${min_version}` }
}
