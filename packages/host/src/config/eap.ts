/** `eap` of a `[[connection]]`: who an initiator is, by EAP (RFC 7296 §2.16). */
import type { EapAuthentication } from '@underpass/session-manager'
import * as z from 'zod'
import { table } from './fields.ts'
import type { Findings } from './load.ts'
import type { RadiusSettings } from './radius.ts'
import type { KeyPath } from './toml-locator.ts'

interface WrittenGatewayEap {
  readonly radius?: boolean | undefined
  readonly keyless?: boolean | undefined
}

/** What makes our end of conversations, under the names that the core has for them; plain data, for workers. */
export interface EapCredentials {
  readonly kind: 'relay'
}

export const gatewayEap: z.ZodType<WrittenGatewayEap> = table({
  radius: z.boolean().optional(),
  keyless: z.boolean().optional(),
})

/** How a peer's EAP is done, and what the core knows of it. */
export interface EapOfPeer {
  readonly credentials: EapCredentials
  readonly settings: Omit<EapAuthentication, 'kind' | 'name'>
}

/** `isAsked`: by remote_auth. */
export function readGatewayEap(
  path: KeyPath,
  written: WrittenGatewayEap | undefined,
  isAsked: boolean,
  radius: readonly RadiusSettings[],
  findings: Findings,
): EapOfPeer | undefined {
  if (!isAsked) {
    if (written) findings.issue([...path, 'eap'], 'is for remote_auth = "eap"')
    return undefined
  }
  if (!written?.radius) findings.issue([...path, 'eap'], 'is required by remote_auth = "eap": write eap = { radius = true }')
  else if (radius.length === 0) findings.issue([...path, 'eap', 'radius'], 'needs a server to ask: add [[radius]]')
  return { credentials: { kind: 'relay' }, settings: { allowsKeyless: written?.keyless ?? false } }
}
