import { describe, expect, it } from 'vitest'
import { type KeyPath, locateKeys } from '../../src/index.ts'

const TEXT = `# comment with [brackets] = and "quotes
control = "a # no comment"

[peer]
gateway = 'x' # [not.a.table]
"quoted key" = 1
transports = [
  "udp", # first
  "tcp:4500",
  { transport = "tcp",
    port = 1 },
]
text = """
[in.a.string]
key = 1
"""
pool.ranges = ["a"]

[[connection]]
name = "one"
[connection.pool]
dns = []
[[connection]]
name = "two"
[[connection.inner]]
x = 1
[deep.er.still]
y = 2
`

describe('the line of a key in TOML text', () => {
  const rows: readonly (readonly [KeyPath, number])[] = [
    [['control'], 2],
    [['peer'], 4],
    [['peer', 'gateway'], 5],
    [['peer', 'quoted key'], 6],
    [['peer', 'transports'], 7],
    [['peer', 'transports', 0], 8],
    [['peer', 'transports', 1], 9],
    [['peer', 'transports', 2], 10],
    [['peer', 'transports', 2, 'transport'], 10],
    [['peer', 'transports', 2, 'port'], 11],
    [['peer', 'text'], 13],
    [['peer', 'pool'], 17],
    [['peer', 'pool', 'ranges', 0], 17],
    [['connection', 0], 19],
    [['connection', 0, 'name'], 20],
    [['connection', 0, 'pool', 'dns'], 22],
    [['connection', 1], 23],
    [['connection', 1, 'name'], 24],
    [['connection', 1, 'inner', 0, 'x'], 26],
    [['deep', 'er', 'still', 'y'], 28],
  ]
  it.each(rows)('%j is on line %i', (path, line) => {
    expect(locateKeys(TEXT).lineOf(path)).toBe(line)
  })

  it('a key that is missing is on its table’s line', () => {
    expect(locateKeys(TEXT).lineOf(['peer', 'psk'])).toBe(4)
    expect(locateKeys(TEXT).lineOf(['connection', 1, 'pool', 'dns'])).toBe(23)
    expect(locateKeys(TEXT).lineOf(['nowhere', 'at', 'all'])).toBe(1)
  })

  it('comes to an end on whatever is no TOML', () => {
    for (let end = 0; end <= TEXT.length; end++) expect(locateKeys(TEXT.slice(0, end)).lineOf(['peer'])).toBeGreaterThan(0)
    for (const text of ['[[[', '=', 'a = [', 'a = {', 'a = "', "'", '\\', '[a\nb', 'a..b = 1', ']', '}', ',']) locateKeys(text)
  })
})
