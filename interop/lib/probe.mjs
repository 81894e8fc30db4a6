// Runs the raw prober in a namespace and turns each of its lines into evidence.
import { fileURLToPath } from 'node:url'
import { CLIENT_ID, GATEWAY_ID, SECRET } from './peer-configs.mjs'

const prober = fileURLToPath(new URL('../prober/prober.mjs', import.meta.url))

export async function probe(lab, namespace, { host, port = 4500, peer = 'rfc9329', inner, innerPort, more = [] }) {
  const target = ['--host', host, '--port', String(port), '--id', CLIENT_ID, '--peer-id', GATEWAY_ID, '--secret', SECRET, '--peer', peer]
  const argv = [process.execPath, prober, ...target, '--inner', inner, '--inner-port', String(innerPort), '--json', ...more]
  const { code, stdout, stderr } = await lab.in(namespace, argv, { timeout: 170_000 })
  const lines = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  const total = lines.at(-1)
  if (total?.passed === undefined) {
    const said = lines.map(({ result, name, observed, milliseconds }) => `${result} ${name} ${observed} ${milliseconds} ms`)
    throw new Error(`the prober ended with ${code} after ${lines.length} checks: ${stderr.trim().slice(-400)}\n${said.join('\n')}`)
  }
  const checks = lines.slice(0, -1)
  for (const { result, name, ids, observed, detail } of checks) lab.note(`${result} ${name} [${ids.join(' ')}] ${observed} (${detail})`)
  const failed = checks.filter(({ result }) => result === 'FAIL')
  lab.expect(
    failed.length === 0,
    `prober: ${total.passed} as expected, 0 not, ${total.skipped} skipped`,
    failed.map(({ name, expected, observed }) => `${name}: ${observed}, not ${expected.join(' | ')}`).join('; '),
  )
}
