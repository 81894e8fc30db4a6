/** What the kernel writes into the IP headers of a connection, as a capture in a network namespace shows it. */
import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { tcpSockets, tlsLibrary, untunable } from '../src/index.ts'

const FLOW_LABEL = 0x8abcd
const [DIALLED, ACCEPTED] = [34, 46]

interface Packet {
  readonly connection: number
  readonly from: 'dialled' | 'accepted'
  readonly isSyn: boolean
  readonly hasData: boolean
  readonly dscp: number
  readonly ecn: number
  readonly flowLabel?: number
}

interface Captured {
  readonly packets: readonly Packet[]
  /** TCP_NODELAY of the four sockets. */
  readonly noDelay: readonly number[]
}

/** What native sockets carry. */
const NATIVE: readonly ('tcp' | 'libssl')[] = tlsLibrary().kind === 'libssl' ? ['tcp', 'libssl'] : ['tcp']

const enter = process.getuid?.() === 0 ? ['-n'] : ['-Urn']
const canEnter = spawnSync('unshare', [...enter, '--', 'ip', '-V'], { stdio: 'ignore' }).status === 0

// A capture needs a network of its own and native sockets; CI has both.
describe.runIf(canEnter && tcpSockets().kind === 'native')('RFC 9329 §6.1, §9.3: packets of two connections after one another', () => {
  it.each(NATIVE.flatMap((kind) => [[kind, '127.0.0.1'] as const, [kind, '::1'] as const]))(
    'of native sockets, %s over %s: RFC 9329 §9.3 (T-QOS-1, T-SA-2): one DSCP each way, from the SYN on',
    (kind, address) => {
      const { packets } = captured(kind, address)
      expect(packets.filter(({ isSyn }) => isSyn)).toHaveLength(4)
      if (kind === 'tcp') expect(packets.filter(({ hasData }) => hasData)).toHaveLength(4)
      expect(seen(packets, 'dialled', 'dscp')).toEqual([DIALLED])
      expect(seen(packets, 'accepted', 'dscp')).toEqual([ACCEPTED])
    },
  )

  it.each(NATIVE)(
    'of %s: RFC 9329 §6.1 (T-LIFE-8): the next connection has the flow label of the one before, and what is accepted never has one',
    (kind) => {
      const { packets } = captured(kind, '::1')
      expect(seen(packets, 'dialled', 'flowLabel')).toEqual([FLOW_LABEL])
      expect(seen(packets, 'accepted', 'flowLabel')).toEqual([0])
    },
  )

  it.each(['127.0.0.1', '::1'])('RFC 9329 §9.5 (T-ECN-1): as the kernel is set up by default none over %s is ECN-capable', (address) => {
    const { packets } = captured('tcp', address)
    expect([...seen(packets, 'dialled', 'ecn'), ...seen(packets, 'accepted', 'ecn')]).toEqual([0, 0])
  })

  it.each([...NATIVE, 'tls'] as const)('of %s: Nagle is off at both ends', (kind) => {
    expect(captured(kind, '127.0.0.1').noDelay).toEqual([1, 1, 1, 1])
  })

  // Where the runtime's sockets can be found among the descriptors: Linux, as in CI.
  it.runIf(untunable('runtime') === undefined).each(['127.0.0.1', '::1'])(
    'of the TLS of the runtime over %s: all the same, but the SYN that dials',
    (address) => {
      const { packets } = captured('tls', address)
      const [ofData, label] = [packets.filter(({ hasData }) => hasData), address === '::1' ? [0] : [undefined]]
      expect(new Set(ofData.map(({ connection, from }) => `${connection} ${from}`)).size).toBe(4)
      expect(seen(ofData, 'dialled', 'dscp')).toEqual([DIALLED])
      expect(seen(ofData, 'dialled', 'flowLabel')).toEqual(label)
      expect(seen(packets, 'accepted', 'dscp')).toEqual([ACCEPTED])
      expect(seen(packets, 'accepted', 'flowLabel')).toEqual(label)
    },
  )
})

function seen<K extends keyof Packet>(packets: readonly Packet[], from: Packet['from'], key: K): Packet[K][] {
  return [...new Set(packets.filter((packet) => packet.from === from).map((packet) => packet[key]))]
}

let isBuilt = false

function captured(kind: 'tcp' | 'libssl' | 'tls', address: string): Captured {
  if (!isBuilt) {
    const tsc = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url))
    execFileSync(tsc, ['-b', fileURLToPath(new URL('..', import.meta.url))])
    isBuilt = true
  }
  const script = fileURLToPath(new URL('./fixtures/capture.mjs', import.meta.url))
  const runtime = process.versions['deno'] === undefined ? [process.execPath] : [process.execPath, 'run', '-A']
  const out = execFileSync('unshare', [...enter, '--', ...runtime, script, kind, address], { encoding: 'utf8', timeout: 30_000 })
  return JSON.parse(out) as Captured
}
