/** The IP headers of a tunnel's own packets, from a capture in a network namespace: a client and a gateway, and an IKE SA that is cut twice. */
import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { untunable } from '@underpass/tls-transport'
import { beforeAll, describe, expect, it } from 'vitest'

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
const canEnter = spawnSync('unshare', [...enter, '--', 'ip', '-V'], { stdio: 'ignore' }).status === 0

describe.runIf(canEnter && untunable('native') === undefined).each(['tcp', 'udp'] as const)('over %s and IPv6', (transport) => {
  let outside: Outside
  beforeAll(() => {
    execFileSync(TSC, ['-b', fileURLToPath(new URL('../..', import.meta.url))])
    const runtime = 'Deno' in globalThis ? [process.execPath, 'run', '-A'] : [process.execPath]
    const told = execFileSync('unshare', [...enter, '--', ...runtime, FIXTURE, transport], { encoding: 'utf8', timeout: 60_000 })
    outside = JSON.parse(told) as Outside
  }, 90_000)

  it.runIf(transport === 'tcp')('RFC 9329 §6.1 (T-LIFE-8): an IKE SA has one flow label over three connections, either way', () => {
    expect(outside).toMatchObject({ sas: 1, isTheSame: true, connections: 3 })
    const [label] = outside.client.flowLabel
    // Of those that nobody leases (RFC 6437 §3).
    expect(label).toBeGreaterThanOrEqual(0x80000)
    expect(outside.client.flowLabel).toEqual([label])
    expect(outside.gateway.flowLabel).toEqual([0])
  })

  it('RFC 9329 §9.3 (T-QOS-1, T-SA-2): every packet has the DSCP of its end, whatever the inner one is', () => {
    expect(outside.client.dscp).toEqual([34])
    expect(outside.gateway.dscp).toEqual([46])
  })

  it('RFC 6040 §4.3, RFC 9329 §9.5 (T-ECN-1): no packet outside is ECN-capable, and inner ECN fields arrive as they were', () => {
    expect([...outside.client.ecn, ...outside.gateway.ecn]).toEqual([0, 0])
    expect(outside.inner).toEqual([0, 1, 2, 3])
  })
})
