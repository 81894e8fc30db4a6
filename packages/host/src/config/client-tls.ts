/** What TLS around a client's streams is to be (RFC 9329 Appendix A). It only gets the stream through: IKE authenticates the gateway. */
import { dirname, resolve } from 'node:path'
import * as z from 'zod'
import { reasonOf } from '../host-error.ts'
import { host, table } from './fields.ts'
import type { Findings } from './load.ts'
import { readSmallFile } from './small-file.ts'

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

export function readClientTls(written: WrittenTls | undefined, findings: Findings): ClientTls {
  const { servername, ca_file, verify = 'ca', alpn = [], min_version = '1.2' } = written ?? {}
  if (verify === 'none' && ca_file !== undefined) findings.issue(['peer', 'tls', 'ca_file'], 'is for verify = "ca"')
  return { servername, ca: ca_file && readPem(ca_file, findings), verify, alpn, minVersion: `TLSv${min_version}` }
}

function readPem(file: string, findings: Findings): string {
  try {
    const text = readSmallFile(resolve(dirname(findings.file), file))
    if (!text.includes('-----BEGIN CERTIFICATE-----')) findings.issue(['peer', 'tls', 'ca_file'], 'has no certificate in PEM in it')
    return text
  } catch (error) {
    findings.issue(['peer', 'tls', 'ca_file'], `cannot be read: ${reasonOf(error)}`)
    return ''
  }
}
