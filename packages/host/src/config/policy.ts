/**
 * What an administrator forbids: transports that no configuration may use. In the file itself, `[policy] forbid`, and for the whole machine in
 * a file that none can override.
 */
import { lstatSync } from 'node:fs'
import * as z from 'zod'
import { table } from './fields.ts'
import { type Findings, loadConfig } from './load.ts'
import type { WrittenTransport } from './transports.ts'

/** 'tcp': without TLS. 'proxy': whatever goes through one. */
export type Forbidden = 'udp' | 'tcp' | 'tls' | 'proxy'

/** For the whole machine; whoever may write there may forbid. There need be none. */
export const MACHINE_POLICY = '/etc/underpass/policy.toml'

export interface Policy {
  /** The machine's, and whether there is one. */
  readonly file: string
  readonly isThere: boolean
  /** What is forbidden, and by which line of which file: 'policy.toml:3'. */
  readonly forbidden: Readonly<Partial<Record<Forbidden, string>>>
}

const forbid = z.array(z.enum(['udp', 'tcp', 'tls', 'proxy'])).optional()

/** `[policy]` of client and gateway files. */
export const policyTable: z.ZodType<{ readonly forbid?: readonly Forbidden[] | undefined } | undefined> = table({ forbid }).optional()

const MACHINE_FILE = table({ forbid })

/** Throws `HostError` CONFIG_UNREADABLE or CONFIG_INVALID where the machine's file is not right: what it forbids would be allowed. */
export function readPolicy(
  written: { readonly forbid?: readonly Forbidden[] | undefined } | undefined,
  findings: Findings,
  file: string,
): Policy {
  const isThere = mayBeThere(file)
  const ofMachine = isThere
    ? loadConfig(
        file,
        MACHINE_FILE,
        (machine, found) => linesOf(machine.forbid, (i) => found.placeOf(['forbid', i])),
        () => undefined,
      )
    : {}
  return { file, isThere, forbidden: { ...linesOf(written?.forbid, (i) => findings.placeOf(['policy', 'forbid', i])), ...ofMachine } }
}

/** Why one may not be used, or `undefined`: 'is forbidden: tls by /etc/underpass/policy.toml:1'. */
export function whyForbidden(transport: WrittenTransport, { forbidden }: Policy): string | undefined {
  const kinds: Forbidden[] =
    transport.transport === 'udp' ? ['udp'] : [transport.isTls ? 'tls' : 'tcp', ...(transport.via === undefined ? [] : ['proxy' as const])]
  return whyKindForbidden(
    kinds.find((kind) => forbidden[kind] !== undefined),
    { forbidden },
  )
}

export function whyKindForbidden(kind: Forbidden | undefined, { forbidden }: Pick<Policy, 'forbidden'>): string | undefined {
  const place = kind && forbidden[kind]
  return place === undefined ? undefined : `is forbidden: ${kind} by ${place}`
}

/** 'udp by /etc/underpass/policy.toml:1, tls by client.toml:14', or nothing. */
export function describeForbidden({ forbidden }: Policy): string {
  return Object.entries(forbidden)
    .map(([kind, place]) => `${kind} by ${place}`)
    .join(', ')
}

/** One that this user may not look at is not one that is not there. */
function mayBeThere(file: string): boolean {
  try {
    lstatSync(file)
    return true
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
  }
}

function linesOf(kinds: readonly Forbidden[] = [], placeOf: (index: number) => string): Partial<Record<Forbidden, string>> {
  return Object.fromEntries(kinds.map((kind, i) => [kind, placeOf(i)]))
}
