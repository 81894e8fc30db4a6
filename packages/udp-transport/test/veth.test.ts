import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/*
 * The fixture is plain JavaScript over dist, because it runs on every runtime, Node 20 included: as root through unshare -n, as
 * anybody else through unshare -Urn.
 */
const ENTER = process.getuid?.() === 0 ? ['-n', '--'] : ['-Urn', '--']
const isPossible = spawnSync('unshare', [...ENTER, 'ip', 'link', 'add', 'va', 'type', 'veth']).status === 0

interface Stage {
  readonly isEqual: boolean
  readonly packets: number
  readonly batches: number
  readonly sentAtOnce: number
  readonly sendDrops: number
  readonly errors: readonly string[]
}

// biome-ignore lint/suspicious/noExplicitAny: stages, and the list of errors
const run = (): Record<string, any> => {
  const tsc = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url))
  execFileSync(tsc, ['-b', fileURLToPath(new URL('..', import.meta.url))])
  const script = fileURLToPath(new URL('./fixtures/veth.mjs', import.meta.url))
  const runtime = process.versions['deno'] === undefined ? [script] : ['run', '-A', script]
  const environment = { ...process.env, DENO_NO_UPDATE_CHECK: '1' }
  const { stdout, stderr } = spawnSync('unshare', [...ENTER, process.execPath, ...runtime], {
    encoding: 'utf8',
    env: environment,
    timeout: 60_000,
  })
  if (stdout === '') throw new Error(`the fixture printed nothing: ${stderr}`)
  return JSON.parse(stdout)
}

describe.runIf(isPossible)('two sockets in two network namespaces, joined by a veth pair', () => {
  it('pass everything on, octet for octet and in order, in both families', { timeout: 60_000 }, () => {
    const results = run()
    for (const [family, address] of [
      ['ipv4', '192.0.2.2'],
      ['ipv6', '2001:db8::2'],
    ]) {
      const intact = { isEqual: true, sendDrops: 0, errors: [] }
      const runs: Stage = results[`${family} runs`]
      expect(runs).toMatchObject({ ...intact, packets: 132 * 20 })
      // Cut by the kernel on one side, joined by it on the other.
      expect(runs.batches).toBeLessThan(132 * 10)
      expect(results[`${family} longer than the MTU`]).toMatchObject({ ...intact, packets: 88 })
      // What the kernel did not take at first waited, and lost neither its octets nor its place.
      const blocked: Stage = results[`${family} blocked`]
      expect(blocked).toMatchObject({ ...intact, packets: 24 })
      expect(blocked.sentAtOnce).toBeLessThan(24)
      expect(results[`${family} refused`]).toEqual([`REFUSED ${address} 9`])
    }
  })
})
