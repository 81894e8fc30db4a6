/** What a gateway's TLS listeners show (RFC 9329 Appendix A). Nobody is authenticated by it: IKE does that. */
import * as z from 'zod'
import { table, textAs } from './fields.ts'
import type { Findings } from './load.ts'
import { readPem } from './pem-file.ts'

export interface GatewayTls {
  /** PEM, the server's certificate first. */
  readonly cert: string
  /** PEM. */
  readonly key: string
  readonly alpn?: readonly string[]
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
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
}

export const gatewayTls: z.ZodType<WrittenTls> = table({
  cert_file: z.string().min(1),
  key_file: z.string().min(1),
  alpn: z.array(z.string().min(1).max(255)).optional(),
  min_version: z.enum(['1.2', '1.3']).optional(),
  fallback: textAs(parseWebServer, 'is no web server; write "http://127.0.0.1:8080"').optional(),
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
  const { cert_file, key_file, alpn = [], min_version = '1.2' } = written
  return {
    cert: readPem(cert_file, 'certificate', ['tls', 'cert_file'], findings),
    key: readPem(key_file, 'private key without a password', ['tls', 'key_file'], findings),
    ...(alpn.length === 0 ? {} : { alpn }),
    minVersion: `TLSv${min_version}`,
  }
}
