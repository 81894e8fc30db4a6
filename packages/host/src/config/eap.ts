/** `eap` of `[peer]` and `[[connection]]`: who an initiator is, by EAP (RFC 7296 §2.16). */
import { statSync } from 'node:fs'
import type { EapAuthentication } from '@underpass/session-manager'
import * as z from 'zod'
import { reasonOf } from '../host-error.ts'
import { type EapUserData, readUsers } from './eap-users.ts'
import { EVEN_IF_WRONG, table } from './fields.ts'
import type { Findings } from './load.ts'
import { pathOfPem, readSmallFile } from './pem-file.ts'
import type { RadiusSettings } from './radius.ts'
import type { KeyPath } from './toml-locator.ts'

/** What makes our end of conversations, under the names that the core has for them; plain data, for workers. */
export type EapCredentials =
  | { readonly kind: 'peer'; readonly method: EapMethodName; readonly identity: string; readonly password: string }
  /** `name`: of the server, which the peer is shown. */
  | {
      readonly kind: 'server'
      readonly methods: readonly EapMethodName[]
      readonly name: string
      readonly users: Readonly<Record<string, EapUserData>>
    }
  | { readonly kind: 'relay' }

/** How a peer's EAP is done, and what the core knows of it. */
export interface EapOfPeer {
  readonly credentials: EapCredentials
  readonly settings: Omit<EapAuthentication, 'kind' | 'name'>
}

export type EapMethodName = 'mschapv2' | 'md5'

interface WrittenClientEap {
  readonly method: EapMethodName
  readonly identity: string
  readonly password?: string | undefined
  readonly password_file?: string | undefined
  readonly keyless?: boolean | undefined
}

interface WrittenGatewayEap {
  readonly radius?: boolean | undefined
  readonly methods?: readonly EapMethodName[] | undefined
  readonly users_file?: string | undefined
  readonly keyless?: boolean | undefined
}

const method = z.enum(['mschapv2', 'md5'])

export const clientEap: z.ZodType<WrittenClientEap> = table({
  method,
  identity: z.string().min(1).max(253),
  password: z.string({ error: 'is not text' }).min(1).optional(),
  password_file: z.string({ error: 'is not text' }).min(1).optional(),
  keyless: z.boolean().optional(),
}).superRefine(({ password, password_file }, context) => {
  if (password === undefined && password_file === undefined)
    context.addIssue({ code: 'custom', path: ['password'], message: 'is required (or password_file)' })
  if (password !== undefined && password_file !== undefined)
    context.addIssue({ code: 'custom', path: ['password_file'], message: 'cannot stand beside password; use one of them' })
}, EVEN_IF_WRONG)

export const gatewayEap: z.ZodType<WrittenGatewayEap> = table({
  radius: z.boolean().optional(),
  methods: z.array(method).min(1).optional(),
  users_file: z.string().min(1).optional(),
  keyless: z.boolean().optional(),
})

/** How the two ends prove who they are. */
interface Kinds {
  readonly local: string
  readonly remote: string
}

export function readClientEap(
  path: KeyPath,
  written: WrittenClientEap | undefined,
  { local, remote }: Kinds,
  findings: Findings,
): EapOfPeer | undefined {
  if (remote === 'eap' && local !== 'eap')
    findings.issue([...path, 'remote_auth'], 'cannot be "eap" where auth is not: EAP proves who dials')
  if (local !== 'eap') {
    if (written) findings.issue([...path, 'eap'], 'is for auth = "eap"')
    return undefined
  }
  checkOther(path, 'remote_auth', remote, findings)
  if (!written) {
    findings.issue([...path, 'eap'], 'is required by auth = "eap": { method, identity, password_file }')
    return undefined
  }
  if (remote === 'eap')
    findings.issue(
      [...path, 'eap', 'method'],
      `"${written.method}" does not prove who the gateway is (RFC 5998 §4): leave remote_auth out, and name its ca`,
    )
  checkKeyless([...path, 'eap', 'method'], [written.method], written.keyless, findings)
  const credentials = {
    kind: 'peer',
    method: written.method,
    identity: written.identity,
    password: passwordOf(path, written, findings),
  } as const
  return { credentials, settings: { allowsKeyless: written.keyless ?? false } }
}

/** `name`: ours, in text. */
export function readGatewayEap(
  path: KeyPath,
  written: WrittenGatewayEap | undefined,
  { local, remote }: Kinds,
  { name, radius }: { readonly name: string; readonly radius: readonly RadiusSettings[] },
  findings: Findings,
): EapOfPeer | undefined {
  if (local === 'eap' && remote !== 'eap')
    findings.issue([...path, 'auth'], 'cannot be "eap" where remote_auth is not: EAP proves who dials')
  if (remote !== 'eap') {
    if (written) findings.issue([...path, 'eap'], 'is for remote_auth = "eap"')
    return undefined
  }
  checkOther(path, 'auth', local, findings)
  const keyless = written?.keyless ?? false
  const settings = { allowsKeyless: keyless }
  if (written?.radius) {
    if (radius.length === 0) findings.issue([...path, 'eap', 'radius'], 'needs a server to ask: add [[radius]]')
    for (const key of ['methods', 'users_file'] as const)
      if (written[key] !== undefined)
        findings.issue([...path, 'eap', key], 'cannot stand beside radius = true: that server has methods and users')
    return { credentials: { kind: 'relay' }, settings }
  }
  const { methods = ['mschapv2'], users_file } = written ?? {}
  if (users_file === undefined)
    findings.issue([...path, 'eap'], 'is required by remote_auth = "eap": { users_file = "…" }, or { radius = true }')
  if (local === 'eap')
    findings.issue(
      [...path, 'auth'],
      `cannot be "eap": ${methods.join(', ')} does not prove who we are (RFC 5998 §4); use auth = "certificate"`,
    )
  checkKeyless([...path, 'eap', 'methods'], methods, keyless, findings)
  const users = users_file === undefined ? {} : readUsers([...path, 'eap', 'users_file'], users_file, methods, findings)
  return { credentials: { kind: 'server', methods, name, users }, settings }
}

/** RFC 7296 §2.16. */
function checkOther(path: KeyPath, key: 'auth' | 'remote_auth', other: string, findings: Findings): void {
  if (other !== 'certificate' && other !== 'eap')
    findings.issue([...path, key], `cannot be "${other}" beside EAP: the gateway has to show a certificate (RFC 7296 §2.16)`)
}

function checkKeyless(path: KeyPath, methods: readonly EapMethodName[], keyless: boolean | undefined, findings: Findings): void {
  if (!methods.includes('md5')) return
  if (!keyless)
    findings.issue(
      path,
      '"md5" makes no key, and somebody in the middle of it is not noticed (RFC 7296 §2.16); with keyless = true it is done all the same',
    )
  else findings.warn(path, '"md5" makes no key: somebody in the middle of it is not noticed (RFC 7296 §2.16)')
}

function passwordOf(path: KeyPath, { password, password_file }: WrittenClientEap, findings: Findings): string {
  if (password !== undefined || password_file === undefined) {
    warnIfReadable([...path, 'eap', 'password'], findings.file, findings)
    return password ?? ''
  }
  const at = [...path, 'eap', 'password_file']
  const file = pathOfPem(password_file, findings)
  try {
    const read = readSmallFile(file).replace(/\r?\n$/, '')
    if (read === '') findings.issue(at, 'is empty')
    warnIfReadable(at, file, findings)
    return read
  } catch (error) {
    findings.issue(at, `cannot be read: ${reasonOf(error)}`)
    return ''
  }
}

function warnIfReadable(path: KeyPath, file: string, findings: Findings): void {
  const stat = statSync(file, { throwIfNoEntry: false })
  if (stat && (stat.mode & 0o004) !== 0) findings.warn(path, `everyone on this machine can read it; chmod 600 ${file}`)
}
