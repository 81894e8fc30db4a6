/** The IP headers of a tunnel's own packets, from a capture in a network namespace: a client and a gateway, and an IKE SA that is cut twice. */
import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { untunable } from '@underpass/tls-transport'
import { describe, expect, it } from 'vitest'

const FIXTURE = fileURLToPath(new URL('../fixtures/outside.mjs', import.meta.url))
const TSC = fileURLToPath(new URL('../../../../node_modules/.bin/tsc', import.meta.url))

interface Seen {
  readonly flowLabel: readonly number[]
  readonly dscp: readonly number[]
  readonly ecn: readonly number[]
}

interface Outside {
  readonly client: Seen
  readonly gateway: Seen
  /** By the client's ports. */
  readonly connections: number
  /** ECN fields of inner packets that were sent with 0, 1, 2 and 3, where they arrived. */
  readonly inner: readonly number[]
  readonly sas: number
  readonly isTheSame: boolean
}

const enter = process.getuid?.() === 0 ? ['-n'] : ['-Urn']
const obstacle =
  untunable('native') ??
  (spawnSync('unshare', [...enter, '--', 'ip', '-V'], { stdio: 'ignore' }).status === 0 ? undefined : 'no network namespaces here')
const found = new Map<string, Outside>()

it('RFC 9329 §6.1 (T-LIFE-8): an IKE SA has one IPv6 flow label over three connections, either way', { timeout: 90_000 }, ({ skip }) => {
  if (obstacle !== undefined) skip(obstacle)
  const { client, gateway, ...tunnel } = outside('tcp')
  expect(tunnel).toMatchObject({ sas: 1, isTheSame: true, connections: 3 })
  const [label] = client.flowLabel
  // Of those that nobody leases (RFC 6437 §3).
  expect(label).toBeGreaterThanOrEqual(0x80000)
  expect(client.flowLabel).toEqual([label])
  expect(gateway.flowLabel).toEqual([0])
})

describe.each(['tcp', 'udp'] as const)('over %s', (transport) => {
  it('RFC 9329 §9.3 (T-QOS-1, T-SA-2): every packet has the DSCP of its end, whatever the inner one is', { timeout: 90_000 }, ({
    skip,
  }) => {
    if (obstacle !== undefined) skip(obstacle)
    expect(outside(transport).client.dscp).toEqual([34])
    expect(outside(transport).gateway.dscp).toEqual([46])
  })

  it('RFC 6040 §4.3, RFC 9329 §9.5 (T-ECN-1): none outside is ECN-capable, and inner fields arrive as they were', { timeout: 90_000 }, ({
    skip,
  }) => {
    if (obstacle !== undefined) skip(obstacle)
    const { client, gateway, inner } = outside(transport)
    expect([...client.ecn, ...gateway.ecn]).toEqual([0, 0])
    expect(inner).toEqual([0, 1, 2, 3])
  })
})

function outside(transport: 'tcp' | 'udp'): Outside {
  if (found.size === 0) execFileSync(TSC, ['-b', fileURLToPath(new URL('../..', import.meta.url))])
  const known = found.get(transport)
  if (known !== undefined) return known
  const runtime = 'Deno' in globalThis ? [process.execPath, 'run', '-A'] : [process.execPath]
  const told = execFileSync('unshare', [...enter, '--', ...runtime, FIXTURE, transport], { encoding: 'utf8', timeout: 60_000 })
  const answer = JSON.parse(told) as Outside
  found.set(transport, answer)
  return answer
}
