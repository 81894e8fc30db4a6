// Whether docs/04-configuration.md says of each key of [limits] and [timers] the default that it has.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './runtimes.mjs'

const PAGE = 'docs/04-configuration.md'
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

export async function checkConfiguration() {
  const core = pathToFileURL(join(root, 'packages/session-manager/dist/index.js')).href
  const { DEFAULT_LIMITS, DEFAULT_TIMERS } = await import(core)
  const page = readFileSync(join(root, PAGE), 'utf8')
  return [...differences(page, 'limits', DEFAULT_LIMITS), ...differences(page, 'timers', DEFAULT_TIMERS)]
}

/** What is wrong with the table below `## [name]`, a line each. */
export function differences(page, name, defaults) {
  const stated = statedIn(page, name)
  const known = new Map(Object.entries(defaults).map(([key, value]) => [snakeCase(key), value]))
  return [
    ...[...known.keys()].filter((key) => !stated.has(key)).map((key) => `${PAGE}: [${name}] has no row for ${key}`),
    ...[...stated].flatMap(([key, text]) => {
      if (!known.has(key)) return [`${PAGE}: [${name}] ${key} is no key`]
      const value = known.get(key)
      return defaultIn(text) === value ? [] : [`${PAGE}: [${name}] ${key} is ${value}, not ${text}`]
    }),
  ]
}

function statedIn(page, name) {
  const [, section = ''] = page.split(new RegExp(`^## \\[${name}\\]$`, 'm'))
  const rows = section.split(/^## /m)[0].matchAll(/^\| (`[^|]+`) \| ([^|]+) \|/gm)
  return new Map(
    [...rows].flatMap(([, keys, texts]) => {
      // A comma in a number has no space behind it.
      const values = texts.trim().split(', ')
      return keys.split(', ').map((key, i) => [key.replaceAll('`', ''), values[i] ?? ''])
    }),
  )
}

/** '20,000', 'false', '"1m"'. */
function defaultIn(text) {
  if (text === 'true' || text === 'false') return text === 'true'
  const [, number, unit] = /^"(\d+)(ms|s|m|h)"$/.exec(text) ?? []
  return unit === undefined ? Number(text.replaceAll(',', '')) : Number(number) * UNITS[unit]
}

function snakeCase(key) {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
