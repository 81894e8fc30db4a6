/** `[[radius]]` of a gateway: who knows its users (RFC 2865), in the order in which they are asked. */
import { hostname } from 'node:os'
import * as z from 'zod'
import { address, EVEN_IF_WRONG, port, table } from './fields.ts'
import type { Findings } from './load.ts'
import { requireSecret, SECRET_KEYS, type WrittenSecret } from './secrets.ts'

interface WrittenRadius extends WrittenSecret {
  readonly address: string
  readonly port?: number | undefined
  readonly nas_identifier?: string | undefined
}

/** Plain data, for workers. */
export interface RadiusSettings {
  readonly address: string
  readonly port: number
  /** Shared with the server. */
  readonly secret: Uint8Array
  readonly nasIdentifier: string
}

export const radiusServers: z.ZodType<readonly WrittenRadius[]> = z
  .array(
    table({
      ...SECRET_KEYS,
      address,
      port: port.optional(),
      nas_identifier: z.string().min(1).max(253).optional(),
    }).superRefine(requireSecret, EVEN_IF_WRONG),
    { error: ({ code }) => (code === 'invalid_type' ? 'is not a list of tables; write [[radius]]' : undefined) },
  )
  .min(1)
  .max(8)

/** RFC 2865 §3. */
const RADIUS_PORT = 1812

export function readRadius(written: readonly WrittenRadius[] | undefined, findings: Findings): RadiusSettings[] {
  const read = (written ?? []).map((server, i) => ({
    address: server.address,
    port: server.port ?? RADIUS_PORT,
    secret: findings.secret(['radius', i], server),
    nasIdentifier: server.nas_identifier ?? hostname(),
  }))
  for (const [i, one] of read.entries())
    if (read.findIndex((other) => other.address === one.address && other.port === one.port) < i)
      findings.issue(['radius', i, 'address'], `${one.address} with port ${one.port} is there already`)
  return read
}
