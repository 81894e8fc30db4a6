// docs/06-example-exchanges.md: the figures of RFC 9329 Appendix B as a run of ours makes them. `node tools/example-exchanges.mjs` runs the
// examples and writes the figures; `npm run check` runs them and fails where the chapter has others, or where something passed that is not in
// the RFC's order. Runs what is built. Linux, for the network namespace and the packet socket.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv, execPath, getuid } from 'node:process'
import { fileURLToPath } from 'node:url'
import { EXAMPLES, figureOf } from './example-exchanges/figure.mjs'
import { readFileSync } from './files.mjs'
import { quietEnvironment, root } from './runtimes.mjs'

const PAGE = 'docs/06-example-exchanges.md'

export function checkExampleExchanges() {
  try {
    return readFileSync(PAGE) === generate() ? [] : [`${PAGE} is not what the runs print: run "node tools/example-exchanges.mjs"`]
  } catch (error) {
    return [error.message]
  }
}

/** The chapter with the figures of a run between its markers. */
function generate() {
  const recorded = record()
  let page = readFileSync(PAGE)
  for (const name of Object.keys(EXAMPLES)) {
    const between = new RegExp(`(<!-- ${name}: generated -->\n)[^]*?(<!-- end -->)`)
    if (!between.test(page)) throw new Error(`${PAGE} has no "<!-- ${name}: generated -->" with an "<!-- end -->" behind it`)
    page = page.replace(between, (_, begin, end) => `${begin}\n\`\`\`text\n${figureOf(name, recorded[name])}\n\`\`\`\n\n${end}`)
  }
  return page
}

/** What passed, by the name of the example. */
function record() {
  const folder = mkdtempSync(join(tmpdir(), 'underpass-examples-'))
  try {
    const keyLog = join(folder, 'keys')
    writeFileSync(keyLog, '', { mode: 0o600 })
    const recorder = join(root, 'tools/example-exchanges/record.mjs')
    // Ports 500, 4500 and 443 and two addresses of the client's are had without touching the machine's network.
    const namespace = ['unshare', ...(getuid() === 0 ? [] : ['--map-root-user']), '--net', '--']
    const inside = 'ip link set lo up && exec "$@"'
    const command = [...namespace, 'sh', '-c', inside, 'sh', execPath, `--tls-keylog=${keyLog}`, recorder, keyLog]
    const { status, stdout, stderr, error } = spawnSync(command[0], command.slice(1), {
      encoding: 'utf8',
      env: { ...quietEnvironment, NODE_NO_WARNINGS: '1' },
      maxBuffer: 2 ** 26,
      timeout: 60_000,
    })
    if (status !== 0) throw new Error(`the example exchanges did not run (they need unshare --net): ${error?.message ?? ''}${stderr}`)
    return JSON.parse(stdout)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(root, PAGE), generate())
