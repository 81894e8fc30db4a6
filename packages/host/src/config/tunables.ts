/** [limits] and [timers]: every key of the core's `Limits` and `Timers`, in snake_case. New ones there are keys here at once. */
import { DEFAULT_LIMITS, DEFAULT_TIMERS, type Limits, type Timers } from '@underpass/session-manager'
import * as z from 'zod'
import { duration, table } from './fields.ts'

/** RFC 9329 §3: the 16-bit Length counts itself, so a message has at most 65,533 octets. */
const MAX_MESSAGE_LENGTH = 65_533

export const limits: z.ZodType<Limits> = table(
  Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [snakeCase(name), limit(name).optional()])),
).transform((written) => ({ ...DEFAULT_LIMITS, ...camelCased(written) }))

export const timers: z.ZodType<Timers> = table(
  Object.fromEntries(
    Object.keys(DEFAULT_TIMERS).map((name) => [
      snakeCase(name),
      (name === 'maxRetransmissions' ? z.int().min(0).max(20) : positiveDuration()).optional(),
    ]),
  ),
).transform((written) => ({ ...DEFAULT_TIMERS, ...camelCased(written) }))

/** 'maxHalfOpen' as it is written in a file: 'max_half_open'. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** Bounded as the core bounds them, so that `check-config` refuses what the core would refuse at the start. */
function limit(name: string): z.ZodType<number | boolean> {
  if (typeof DEFAULT_LIMITS[name as keyof Limits] === 'boolean') return z.boolean()
  if (name === 'maxBufferedPerConnection') return z.int().min(1280)
  if (name === 'maxIkeDatagramIpv4' || name === 'maxIkeDatagramIpv6') return z.int().min(256)
  if (name === 'cookieThreshold') return z.int().min(0)
  return name === 'maxMessageLength' ? z.int().min(1280).max(MAX_MESSAGE_LENGTH) : z.int().min(1)
}

function positiveDuration(): z.ZodType<number, string> {
  return duration.refine((milliseconds) => milliseconds > 0, { error: 'must be longer than nothing' })
}

function camelCased(written: Readonly<Record<string, unknown>>): Record<string, number | boolean> {
  const entries = Object.entries(written).filter((entry): entry is [string, number | boolean] => entry[1] !== undefined)
  return Object.fromEntries(entries.map(([key, value]) => [key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), value]))
}
