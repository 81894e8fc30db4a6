// `npm start`: installs and builds what is missing, then runs the demonstration in demo/ on this machine. Needs nothing before it
// but Node and npm: until the installation is done, only what Node brings is imported.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execPath, exit, platform, versions } from 'node:process'
import { launch } from '../demo/launch.mjs'
import { spawnTracked, stopAllTracked } from '../demo/processes.mjs'
import { Screen } from '../demo/screen.mjs'
import { quietEnvironment, root } from './runtimes.mjs'

const HELP = `npm start [-- options]: a gateway and a client on this machine, UDP blocked, traffic through the tunnel

  --json            words to stderr, and one line of JSON as the last line of stdout; without npm's own lines before it:
                    npm start -s -- --json
  --memory          without network namespaces: a TUN in memory instead of a real one
  --once            stop when the checks are done, with a terminal too
  --without <list>  behave as if these programs were not here: --without nft,iptables,ping
  --help

Status 0: everything passed. 1: something did not. 130: interrupted before the end.
`

const options = parse(process.argv.slice(2))
const screen = new Screen({ isJson: options.json })

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, async () => {
    // While the demonstration runs it has its own answer to signals.
    if (launch.isRunning) return
    screen.fail('interrupted')
    await stopAllTracked()
    exit(signal === 'SIGTERM' ? 143 : 130)
  })
}

process.stdout.on('error', () => {})

try {
  checkNode()
  if (!isInstalled()) await install()
  await build()
  process.exitCode = await launch({ ...options, screen })
} catch (error) {
  screen.fail(error.message)
  if (error.output) screen.block(error.output)
  if (options.json) screen.json({ ok: false, error: error.message })
  process.exitCode = 1
}

function parse(words) {
  const parsed = { json: false, memory: false, once: false, without: [] }
  for (let i = 0; i < words.length; i++) {
    const word = words[i]
    if (word === '--help' || word === '-h') {
      process.stdout.write(HELP)
      exit(0)
    } else if (word === '--without' && words[i + 1] !== undefined) parsed.without.push(...words[++i].split(','))
    else if (word.startsWith('--') && word.slice(2) in parsed && word !== '--without') parsed[word.slice(2)] = true
    else {
      process.stderr.write(`npm start does not know ${word}\n\n${HELP}`)
      exit(2)
    }
  }
  return parsed
}

function checkNode() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const wanted = engines.node.replace('>=', '').split('.').map(Number)
  const here = versions.node.split('.').map(Number)
  const isOld = here[0] < wanted[0] || (here[0] === wanted[0] && here[1] < (wanted[1] ?? 0))
  if (isOld) throw new Error(`Node ${engines.node} is needed; this is ${versions.node} (${execPath})`)
}

/** npm writes node_modules/.package-lock.json last, so that an installation that was cut short has none. */
function isInstalled() {
  const hidden = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(hidden)) return false
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const here = JSON.parse(readFileSync(hidden, 'utf8')).packages
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    if (!path.includes('node_modules/')) return true
    const found = here[path]
    // What is for another platform is not installed.
    if (found === undefined) return optional === true
    return found.version === version && (integrity === undefined || found.integrity === integrity)
  })
}

async function install() {
  const count = Object.keys(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages).length
  const npm = process.env.npm_execpath
  const [program, ...words] = npm?.endsWith('.js') ? [execPath, npm] : [platform === 'win32' ? 'npm.cmd' : 'npm']
  await step(`installing (npm ci: up to ${count} packages, the first time only)`, program, [
    ...words,
    'ci',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ])
}

/** tsc -b itself knows what is out of date; where nothing is, it takes a tenth of a second. */
async function build() {
  await step('building (tsc -b)', execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'], { isSilentBelow: 1_000 })
}

async function step(label, program, words, { isSilentBelow = 0 } = {}) {
  const progress = screen.progress(label, { isSilentBelow })
  const { code, output } = await spawnTracked(program, words, { cwd: root, env: quietEnvironment })
  progress.end(code === 0)
  if (code === 0) return
  throw Object.assign(new Error(`${label}: ended with status ${code}`), { output: output.trimEnd().split('\n').slice(-30).join('\n') })
}
