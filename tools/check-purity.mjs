// The core is a function of its inputs: no clock, no randomness of its own, no I/O, no await. The compiler rejects a runtime's
// names (lib ES2023, types []); this rejects what ES2023 itself still offers, and bundles that reach for Node.
import { importsOf } from './check-dag.mjs'
import { globSync, readFileSync } from './files.mjs'

const PURE = [
  'packages/ike-codec/src',
  'packages/tcp-framing/src',
  'packages/ike-crypto/src',
  'packages/eap/src',
  'packages/radius/src',
  'packages/session-manager/src',
]
/** Beside the pure entry of their package, with a runtime or with promises on purpose. */
const EXCEPT = [/^packages\/ike-crypto\/src\/node\.ts$/, /^packages\/session-manager\/src\/driver(\.ts$|\/)/]
const BANNED = [
  [/\bDate\b/, 'a clock'],
  [/\bMath\.random\b/, 'ambient randomness'],
  [/\bawait\b|\basync\b|\bPromise\b/, 'asynchrony'],
  [/\bsetTimeout\b|\bsetInterval\b|\bqueueMicrotask\b/, 'a timer'],
  [/\bperformance\b|\bprocess\b|\bglobalThis\b/, "a runtime's global"],
]

export function checkPurity() {
  const problems = []
  for (const file of globSync(...PURE).filter((path) => !EXCEPT.some((pattern) => pattern.test(path)))) {
    const lines = withoutComments(readFileSync(file)).split('\n')
    for (const [index, line] of lines.entries()) {
      for (const [pattern, what] of BANNED)
        if (pattern.test(line)) problems.push(`${file}:${index + 1}: ${what} below the line: ${line.trim()}`)
    }
    for (const specifier of importsOf(file)) if (specifier.startsWith('node:')) problems.push(`${file}: imports ${specifier}`)
  }
  return problems
}

/** Comments and string literals blanked, so that only code is looked at; lines keep their numbers. */
function withoutComments(text) {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, (literal) => literal.replace(/[^\n]/g, ' '))
}
