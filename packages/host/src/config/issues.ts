/** What is wrong with a configuration, as lines that name the file, the line and the key. */
import type * as z from 'zod'
import type { KeyPath, TomlLocator } from './toml-locator.ts'

export interface ConfigIssue {
  /** One-based. */
  readonly line: number
  /** One-based; only where the text is no TOML. */
  readonly column?: number
  /** 'peer.transports[1]'; empty for the file as a whole. */
  readonly key: string
  readonly message: string
}

/** 'client.toml:7: peer.transports[1]: "tpc:4500" is not a transport; …'. */
export function formatIssue(file: string, { line, column, key, message }: ConfigIssue): string {
  return `${file}:${line}:${column === undefined ? '' : `${column}:`} ${key === '' ? '' : `${key}: `}${message}`
}

/** Unknown keys first, as they may be the cause of the rest; then, as among themselves, in the order of the file. */
export function issuesOf(error: z.ZodError, locator: TomlLocator, parsed: unknown): ConfigIssue[] {
  const found = flatten(error.issues, [])
  const unknown = found.filter(({ known }) => known !== undefined)
  const misspelt = unknown.flatMap((one) => meantBy(one)).filter((path) => !isThere(parsed, path))
  const others = found.filter(
    ({ path, known }) => known === undefined && !misspelt.some((meant) => meant.every((key, i) => key === path[i])),
  )
  return [unknown, others].flatMap((some) =>
    some.map(({ path, message }) => issueAt(locator, path, message)).sort((a, b) => a.line - b.line),
  )
}

export function issueAt(locator: TomlLocator, path: KeyPath, message: string): ConfigIssue {
  return { line: locator.lineOf(path), key: formatKeyPath(path), message }
}

function formatKeyPath(path: KeyPath): string {
  const named = (part: string): string => (/^[A-Za-z0-9_-]+$/.test(part) ? part : JSON.stringify(part))
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i > 0 ? '.' : ''}${named(part)}`)).join('')
}

/** zod's words for what is of the wrong kind, in ours. Other kinds of issue keep the message that their schema gives. */
export function wordIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? 'is required'
        : `${showMisplaced(issue.input)} is not ${articled(KIND[issue.expected] ?? issue.expected)}${isTextForList(issue) ? '; write [ ] around it: key = ["…"]' : ''}`
    case 'invalid_value':
      return `${show(issue.input)} is not known here; use ${issue.values.map(show).join(', ')}${didYouMean(issue.input, issue.values.map(String))}`
    case 'too_small':
      return issue.origin === 'array' ? 'must not be empty' : `${show(issue.input)} is less than ${String(issue.minimum)}`
    case 'too_big':
      return `${show(issue.input)} is more than ${String(issue.maximum)}`
    case 'invalid_union':
      return `${showMisplaced(issue.input)} is of the wrong kind`
    default:
      return undefined
  }
}

/** ', did you mean "x"?' where one of the words is near; else nothing. */
export function didYouMean(given: unknown, known: readonly string[]): string {
  const meant = typeof given === 'string' ? nearest(given, known) : undefined
  return meant === undefined ? '' : `; did you mean "${meant}"?`
}

/** `undefined`: none is near. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  return known
    .map((word) => ({ word, distance: editDistance(given.toLowerCase(), word.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
    .find(({ word, distance }) => distance <= Math.max(1, Math.floor(word.length / 3)) || isBeginning(given, word))?.word
}

/** One is the other and more: 'transports_in_order', 'remote_identity' for 'remote_id'. */
function isBeginning(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  return short.length >= 4 && long.startsWith(short)
}

interface Found {
  readonly path: KeyPath
  readonly message: string
  /** Of an unknown key: those that are known in its place. */
  readonly known?: readonly string[]
}

function flatten(issues: readonly z.core.$ZodIssue[], base: KeyPath): Found[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...(issue.path as KeyPath)]
    // `table()` puts the known keys where zod has its message, because only it knows them.
    if (issue.code === 'unrecognized_keys') {
      const known = issue.message.split(' ')
      return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key, known), known }))
    }
    const meant = issue.code === 'invalid_union' ? issue.errors.find((branch) => !branch.some(isOfAnotherKind)) : undefined
    return meant ? flatten(meant, path) : [{ path, message: issue.message }]
  })
}

/** The key that the writer of an unknown one may have had in mind, if any. */
function meantBy({ path, known = [] }: Found): KeyPath[] {
  const meant = nearest(String(path.at(-1)), known)
  return meant === undefined ? [] : [[...path.slice(0, -1), meant]]
}

function isThere(parsed: unknown, path: KeyPath): boolean {
  return (
    path.reduce<unknown>((value, key) => (value as Readonly<Record<string | number, unknown>> | undefined)?.[key], parsed) !== undefined
  )
}

/** Of a union's branches: not the one that was meant. */
function isOfAnotherKind(issue: z.core.$ZodIssue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')
}

const KIND: Readonly<Record<string, string>> = {
  string: 'text',
  object: 'table',
  array: 'list',
  int: 'whole number',
  boolean: 'true or false',
}

function unknownKey(key: string, known: readonly string[]): string {
  const suggestion = didYouMean(key, known)
  return suggestion === '' ? `is not a key here; known are ${known.join(', ')}` : `is not a key here${suggestion}`
}

function articled(kind: string): string {
  return kind === 'text' || kind.startsWith('true') ? kind : `a ${kind}`
}

function isTextForList({ input, expected }: { readonly input?: unknown; readonly expected: string }): boolean {
  return expected === 'array' && typeof input === 'string'
}

/** Text where something else belongs may be a secret. */
function showMisplaced(value: unknown): string {
  return typeof value === 'string' ? 'text' : show(value)
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a table'
  return String(value)
}

/** Levenshtein's, with neighbours swapped as one edit: "tpc" is one from "tcp". */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, rows[i - 2]![j - 2]! + 1)
      row.push(best)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
