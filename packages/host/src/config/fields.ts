/** The kinds of value that configuration keys hold. Each parses its text into what the core takes, or says what would have been right. */
import { isIP } from 'node:net'
import type { FramingProfileName, Identity } from '@underpass/session-manager'
import { isDomain, parseIdentity } from '@underpass/session-manager'
// Not `import { z }`: on Bun, vitest loses that name.
import * as z from 'zod'
import { parseIp, parseIpPrefix, parseIpRange, prefixesOf } from '../ip-prefix.ts'

/** A table whose unknown keys are errors; `issuesOf` reads the known ones back out of the message. */
export function table<S extends z.core.$ZodLooseShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  return z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : undefined) })
}

/** For what a table must have as a whole: told also where single keys of it are wrong, so that one run tells everything. */
export const EVEN_IF_WRONG: { readonly when: (payload: { readonly value: unknown }) => boolean } = {
  when: ({ value }) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

/** Text that `parse` understands; where it answers `undefined`, the issue is `"text" ${isNot(text)}`. `notText`: of what is no text at all. `hidesPasswords`: there may be one behind 'via', or before an '@'. */
export function textAs<T>(
  parse: (text: string) => T | undefined,
  isNot: string | ((text: string) => string),
  notText: (issue: { readonly input?: unknown }) => string | undefined = () => undefined,
  hidesPasswords = false,
): z.ZodType<T, string> {
  return z.string({ error: notText }).transform((text, context) => {
    const value = parse(text)
    if (value !== undefined) return value
    const shown = JSON.stringify(hidesPasswords ? withoutPassword(text) : text)
    context.addIssue({ code: 'custom', message: `${shown} ${typeof isNot === 'string' ? isNot : isNot(text)}` })
    return z.NEVER
  })
}

const NO_DURATION = 'is not a duration; write "500ms", "30s" or "2m"'

/** '500ms', '30s', '2m' or '1h' as milliseconds. */
export const duration: z.ZodType<number, string> = textAs(parseDuration, NO_DURATION, ({ input }) => {
  if (typeof input !== 'number') return undefined
  const meant = `${input}ms`
  return `${input} ${parseDuration(meant) === undefined ? NO_DURATION : `has no unit; write it as text with one, such as "${meant}"`}`
})

export const port: z.ZodType<number, number> = z.int().min(1).max(65_535)

export const framing: z.ZodType<FramingProfileName, FramingProfileName> = z.enum(['rfc9329', 'pauly-03', '3gpp-ftt'])

/** TS 24.302 F.3.2.4: a keep-alive envelope whole, in hex. Those of IKEv2 and ESP are longer than 6 octets. */
export const fttKeepalive: z.ZodType<Uint8Array, string> = textAs((text) => {
  if (!/^000[2-6]([0-9a-f]{2}){0,4}$/i.test(text)) return undefined
  const octets = Uint8Array.from(text.match(/../g)!, (pair) => Number.parseInt(pair, 16))
  return octets[1] === octets.length ? octets : undefined
}, 'is no keep-alive envelope; write 2 to 6 octets in hex, of which the first two are their number, such as "0003ff"')

/** A host name or an address literal. */
export const host: z.ZodType<string, string> = textAs(
  (text) =>
    isIP(text) !== 0 ||
    // Resolvers take '192.0.2' for 192.0.0.2: a name whose last label is a number is a mistyped address.
    /^(?!(.*\.)?\d+\.?$)(?=.{1,253}$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$/.test(
      text,
    )
      ? text
      : undefined,
  'is neither a host name nor an address',
)

export const address: z.ZodType<string, string> = textAs((text) => (parseIp(text) ? text : undefined), 'is not an IP address')

/** Of the DNS, without a dot at the end, in A-labels (RFC 5890). */
export const domain: z.ZodType<string, string> = textAs(
  (text) => (isDomain(text.trim()) ? text.trim().replace(/\.$/, '').toLowerCase() : undefined),
  'is not a domain name; write "corp.example.com", and "xn--…" for what is not ASCII',
)

/** '10.99.0.1/24': an address on an interface and the length of its network. */
export const interfaceAddress: z.ZodType<string, string> = textAs(
  (text) => (parseIpPrefix(text) ? text : undefined),
  'is not an address with a prefix length, such as "10.99.0.1/24"',
)

/** CIDR, or 'first-last'. */
export const subnet: z.ZodType<string, string> = textAs(
  (text) => (parseIpRange(text) ? text.trim() : undefined),
  (text) => (isBackwards(text) ? 'has its first address above its last' : 'is not a subnet; write "10.2.0.0/24" or "10.2.0.1-10.2.0.9"'),
)

/** What INTERNAL_IP4_SUBNET and INTERNAL_IP6_SUBNET can hold (RFC 7296 §3.15.1). */
export const prefix: z.ZodType<string, string> = textAs((text) => {
  const range = parseIpRange(text)
  return range && prefixesOf(range).length === 1 ? text.trim() : undefined
}, 'is not one prefix, such as "10.2.0.0/24"')

export const identity: z.ZodType<Identity, string> = textAs(
  (text) => (/\s/.test(text.trim()) ? undefined : parseIdentity(text.trim())),
  'is not an identity; write "@name.example", "user@host.example", an address, or "keyid:0x…"',
)

function isBackwards(text: string): boolean {
  const [first, last] = text.split('-')
  return last !== undefined && parseIpRange(`${last}-${first}`) !== undefined
}

function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$/.exec(text.trim())
  return match ? Math.round(Number(match[1]) * MILLISECONDS[match[2] as keyof typeof MILLISECONDS]) : undefined
}

/** '1.6 s', '500 ms': for people. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  if (milliseconds < 120_000) return `${Math.round(milliseconds / 100) / 10} s`
  return milliseconds < 7_200_000 ? `${Math.round(milliseconds / 60_000)} min` : `${Math.round(milliseconds / 3_600_000)} h`
}

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

function withoutPassword(text: string): string {
  if (/\bvia\b/.test(text)) return text.replace(/\bvia\b.*/s, 'via …')
  return text.includes('@') ? '…' : text
}
