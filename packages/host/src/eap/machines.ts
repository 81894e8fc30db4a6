import type { EapMachine } from '@underpass/eap'
import { createEapRelay } from '@underpass/radius'
import type { RandomSource } from '@underpass/session-manager'
import type { EapCredentials } from '../config/eap.ts'

/** What makes our end of a conversation, by the name that the configuration gave it. */
export function eapMachines(credentials: Readonly<Record<string, EapCredentials>>): (name: string, random: RandomSource) => EapMachine {
  return (name, random) => {
    const of = credentials[name]
    if (!of) throw new Error(`no EAP credentials have the name "${name}"`)
    return createEapRelay(random)
  }
}
