/** The file that `eap.users_file` names: whom the gateway itself knows, and by what. Nothing in this file puts a password into a message. */
import { statSync } from 'node:fs'
import { parse, TomlError } from 'smol-toml'
import * as z from 'zod'
import { reasonOf } from '../host-error.ts'
import { EVEN_IF_WRONG, table } from './fields.ts'
import { formatIssue, issueAt, issuesOf, wordIssue } from './issues.ts'
import type { Findings } from './load.ts'
import { pathOfPem, readSmallFile } from './pem-file.ts'
import { type KeyPath, locateKeys } from './toml-locator.ts'

/** Plain data, for workers. */
export interface EapUserData {
  /** UTF-8. */
  readonly password?: Uint8Array
  readonly ntHash?: Uint8Array
}

const USER = table({
  name: z.string().min(1).max(253),
  password: z.string({ error: 'is not text' }).min(1).optional(),
  nt_hash: z
    .string({ error: 'is not text' })
    // Not shown: it is as good as the password.
    .regex(/^(0x)?[0-9a-fA-F]{32}$/, { error: 'is no NT hash: 32 hex digits, the MD4 of the password in UTF-16LE' })
    .optional(),
}).superRefine(({ password, nt_hash }, context) => {
  if ((password === undefined) === (nt_hash === undefined))
    context.addIssue({ code: 'custom', path: [], message: 'needs one of password and nt_hash' })
}, EVEN_IF_WRONG)

const USERS = table({
  user: z.array(USER, { error: ({ code }) => (code === 'invalid_type' ? 'is not a list of tables; write [[user]]' : undefined) }).min(1),
})

/** By name. What is wrong with the file is an issue of `path`, with its own line. */
export function readUsers(
  path: KeyPath,
  name: string,
  methods: readonly string[],
  findings: Findings,
): Readonly<Record<string, EapUserData>> {
  const file = pathOfPem(name, findings)
  let text: string
  let parsed: unknown
  try {
    text = readSmallFile(file)
    parsed = parse(text)
  } catch (error) {
    // Only the first line: below it smol-toml quotes the file, which holds passwords.
    findings.issue(path, error instanceof TomlError ? `${name}:${error.line}: is not TOML` : `cannot be read: ${reasonOf(error)}`)
    return {}
  }
  if ((statSync(file).mode & 0o004) !== 0) findings.warn(path, `everyone on this machine can read ${name}; chmod 600 ${file}`)
  const locator = locateKeys(text)
  const checked = USERS.safeParse(parsed, { error: wordIssue })
  if (!checked.success) {
    for (const issue of issuesOf(checked.error, locator, parsed)) findings.issue(path, formatIssue(name, issue))
    return {}
  }
  const users: Record<string, EapUserData> = Object.create(null) as Record<string, EapUserData>
  for (const [i, user] of checked.data.user.entries()) {
    const refuse = (key: string, message: string): void =>
      findings.issue(path, formatIssue(name, issueAt(locator, ['user', i, key], message)))
    if (user.name in users) refuse('name', `${JSON.stringify(user.name)} is there already`)
    if (user.password === undefined && methods.includes('md5')) refuse('nt_hash', 'is of no use to "md5", which needs the password')
    users[user.name] =
      user.nt_hash === undefined
        ? { password: new TextEncoder().encode(user.password) }
        : { ntHash: Uint8Array.from(user.nt_hash.replace(/^0x/, '').match(/../g)!, (pair) => Number.parseInt(pair, 16)) }
  }
  return users
}
