/** Which line of a TOML text a key stands on. smol-toml gives values without positions; a message without a line sends people searching. */

export type KeyPath = readonly (string | number)[]

export interface TomlLocator {
  /** One-based. For a path that is not in the text, the line of its nearest ancestor that is; 1 where there is none. */
  lineOf(path: KeyPath): number
}

/** The text must be valid TOML (parse it first); on anything else the lines are a guess. */
export function locateKeys(text: string): TomlLocator {
  const lines = new Scanner(text).scan()
  return {
    lineOf(path) {
      for (let length = path.length; length > 0; length--) {
        const line = lines.get(keyOf(path.slice(0, length)))
        if (line !== undefined) return line
      }
      return 1
    },
  }
}

class Scanner {
  readonly #text: string
  #position = 0
  #line = 1
  readonly #lines = new Map<string, number>()
  /** How many elements each array of tables has so far, by its path. */
  readonly #tables = new Map<string, number>()

  constructor(text: string) {
    this.#text = text
  }

  scan(): ReadonlyMap<string, number> {
    let table: KeyPath = []
    for (;;) {
      this.#skipBlank()
      if (this.#position >= this.#text.length) return this.#lines
      const before = this.#position
      if (this.#peek() === '[') table = this.#header()
      else this.#keyValue(table)
      // Only text that is no TOML gets here without progress.
      if (this.#position === before) this.#advance()
    }
  }

  #header(): KeyPath {
    const isArray = this.#text.startsWith('[[', this.#position)
    const line = this.#line
    this.#position += isArray ? 2 : 1
    const keys = this.#dottedKey()
    this.#position += isArray ? 2 : 1
    const parent = this.#resolve(keys.slice(0, -1))
    const path = [...parent, keys.at(-1) ?? '']
    if (!isArray) {
      const resolved = this.#resolve([keys.at(-1) ?? ''], parent)
      this.#record(resolved, line)
      return resolved
    }
    this.#record(path, line)
    const index = this.#tables.get(keyOf(path)) ?? 0
    this.#tables.set(keyOf(path), index + 1)
    this.#record([...path, index], line)
    return [...path, index]
  }

  /** TOML: a header that passes through an array of tables means its newest element. */
  #resolve(keys: readonly string[], from: KeyPath = []): KeyPath {
    let path = from
    for (const key of keys) {
      path = [...path, key]
      const count = this.#tables.get(keyOf(path))
      if (count !== undefined) path = [...path, count - 1]
    }
    return path
  }

  #keyValue(table: KeyPath): void {
    const line = this.#line
    const keys = this.#dottedKey()
    for (let i = 1; i <= keys.length; i++) this.#record([...table, ...keys.slice(0, i)], line)
    if (this.#peek() === '=') this.#position++
    this.#skipSpace()
    this.#value([...table, ...keys])
  }

  #dottedKey(): string[] {
    const keys: string[] = []
    for (;;) {
      this.#skipSpace()
      const start = this.#position
      if (this.#peek() === '"' || this.#peek() === "'") {
        this.#string()
        keys.push(unquote(this.#text.slice(start, this.#position)))
      } else {
        while (/[A-Za-z0-9_-]/.test(this.#peek())) this.#position++
        keys.push(this.#text.slice(start, this.#position))
      }
      this.#skipSpace()
      if (this.#peek() !== '.') return keys
      this.#position++
    }
  }

  #value(path: KeyPath): void {
    const first = this.#peek()
    if (first === '"' || first === "'") this.#string()
    else if (first === '[') this.#elements(']', (i) => this.#element([...path, i]))
    else if (first === '{') this.#elements('}', () => this.#keyValue(path))
    else while (this.#position < this.#text.length && !/[,\]}#\r\n]/.test(this.#peek())) this.#position++
  }

  #element(path: KeyPath): void {
    this.#record(path, this.#line)
    this.#value(path)
  }

  #elements(end: string, one: (index: number) => void): void {
    this.#position++
    for (let index = 0; ; index++) {
      this.#skipBlank()
      if (this.#position >= this.#text.length) return
      if (this.#peek() === end) {
        this.#position++
        return
      }
      const before = this.#position
      one(index)
      this.#skipBlank()
      if (this.#peek() === ',') this.#position++
      if (this.#position === before) this.#advance()
    }
  }

  #string(): void {
    const quote = this.#peek()
    const isMultiline = this.#text.startsWith(quote.repeat(3), this.#position)
    const delimiter = isMultiline ? quote.repeat(3) : quote
    this.#position += delimiter.length
    while (this.#position < this.#text.length && !this.#text.startsWith(delimiter, this.#position)) {
      if (quote === '"' && this.#peek() === '\\') this.#advance()
      this.#advance()
    }
    this.#position += delimiter.length
    // Up to two quotes may stand right before a multi-line string's end.
    while (isMultiline && this.#peek() === quote) this.#position++
  }

  #skipSpace(): void {
    while (this.#peek() === ' ' || this.#peek() === '\t') this.#position++
  }

  #skipBlank(): void {
    for (;;) {
      if (this.#peek() === '#') while (this.#position < this.#text.length && this.#peek() !== '\n') this.#position++
      else if (/[ \t\r\n]/.test(this.#peek())) this.#advance()
      else return
    }
  }

  #advance(): void {
    if (this.#peek() === '\n') this.#line++
    this.#position++
  }

  #peek(): string {
    return this.#text[this.#position] ?? ''
  }

  #record(path: KeyPath, line: number): void {
    const key = keyOf(path)
    if (!this.#lines.has(key)) this.#lines.set(key, line)
  }
}

function keyOf(path: KeyPath): string {
  return JSON.stringify(path)
}

function unquote(quoted: string): string {
  if (quoted.startsWith("'")) return quoted.slice(1, -1)
  try {
    return JSON.parse(quoted) as string
  } catch {
    return quoted.slice(1, -1)
  }
}
