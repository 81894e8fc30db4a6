// The direction of the packages, as docs/01-architecture.md draws it: leaves know nothing of each other, apps never import each other.
import { globSync, readFileSync } from './files.mjs'

/** Who may import whom. A package that is not here is an error. */
const MAY_IMPORT = {
  'ike-codec': [],
  'tcp-framing': [],
  'ike-crypto': [],
  certificates: [],
  native: [],
  'esp-crypto': ['native'],
  'tls-transport': ['native'],
  'udp-transport': ['native'],
  'tun-device': ['native'],
  eap: [],
  radius: ['eap'],
  'session-manager': ['eap', 'ike-codec', 'tcp-framing', 'esp-crypto', 'ike-crypto'],
  host: [
    'session-manager',
    'eap',
    'radius',
    'certificates',
    'esp-crypto',
    'ike-crypto',
    'tls-transport',
    'udp-transport',
    'tun-device',
    'native',
  ],
  client: ['host', 'session-manager'],
  gateway: ['host', 'session-manager'],
}

export function checkDag() {
  const problems = []
  for (const file of globSync('packages/*/src', 'apps/*/src')) {
    const owner = file.split('/')[1]
    const allowed = MAY_IMPORT[owner]
    if (!allowed) {
      problems.push(`${file}: package "${owner}" has no row in tools/check-dag.mjs`)
      continue
    }
    for (const specifier of importsOf(file)) {
      const sibling = /^@underpass\/([a-z-]+)/.exec(specifier)?.[1]
      if (sibling && !allowed.includes(sibling)) problems.push(`${file}: ${owner} may not import ${specifier}`)
      if (specifier.startsWith('../') && leavesPackage(file, specifier)) problems.push(`${file}: ${specifier} leaves the package`)
    }
  }
  return [...problems, ...cyclesWithinPackages()]
}

export function importsOf(file) {
  return [
    ...readFileSync(file).matchAll(/^\s*(?:import|export)\b[^'"]*?from\s*['"]([^'"]+)['"]/gms),
    ...readFileSync(file).matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g),
  ].map(([, specifier]) => specifier)
}

function leavesPackage(file, specifier) {
  const depth = file.split('/').length - 3
  return (specifier.match(/\.\.\//g) ?? []).length > depth - 0
}

/** Files that import each other in a ring. Type-only imports are no edge: they are gone at run time. */
function cyclesWithinPackages() {
  const files = globSync('packages/*/src', 'apps/*/src')
  const edges = new Map(files.map((file) => [file, runtimeImportsOf(file)]))
  const problems = []
  const state = new Map()
  const visit = (file, trail) => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      problems.push(`import cycle: ${[...trail.slice(trail.indexOf(file)), file].join(' → ')}`)
      return
    }
    state.set(file, 'open')
    for (const next of edges.get(file) ?? []) visit(next, [...trail, file])
    state.set(file, 'done')
  }
  for (const file of files) visit(file, [])
  return problems
}

function runtimeImportsOf(file) {
  const folder = file.slice(0, file.lastIndexOf('/'))
  const statements = readFileSync(file).matchAll(/^\s*(import|export)\s+(type\s)?([^'"]*?)from\s*['"](\.[^'"]+)['"]/gms)
  return [...statements]
    .filter(([, , typeOnly, names]) => !typeOnly && !onlyTypes(names))
    .map(([, , , , specifier]) => normalise(`${folder}/${specifier}`))
}

function onlyTypes(names) {
  const listed = /\{([^}]*)\}/s.exec(names)?.[1]
  return listed?.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type '))
}

function normalise(path) {
  const parts = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}
