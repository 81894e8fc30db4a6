import { describe, expect, it } from 'vitest'
import { type Input, SessionManager } from '../src/index.ts'
import { PREFIX, strayEspFrame } from './frames.ts'
import { fingerprint, type Node, seededRandom } from './network.ts'
import { Pair, TCP, UDP } from './pair.ts'

describe('the core is a function of inputs, time and randomness', () => {
  const pair = new Pair({ transports: [UDP, TCP], link: { isUdpBlocked: true, chunk: 700 } })
  const other = pair.addClient('other', '192.0.2.20')
  eventful(pair, other)

  it.each([
    ['client', () => pair.client],
    ['gateway', () => pair.gateway],
    ['other', () => other],
  ] as const)('a recorded log of the %s, replayed twice, gives the same outputs, byte for byte', (_name, nodeOf) => {
    const node = nodeOf()
    expect(node.outputs.length).toBeGreaterThan(15)
    const runs = [replay(node), replay(node)]
    expect(runs[0]!.outputs).toEqual(node.outputs)
    expect(runs[1]).toEqual(runs[0])
  })

  it('other randomness gives other outputs', () => {
    expect(replay(pair.client, 'another seed').outputs).not.toEqual(pair.client.outputs)
  })

  it('keeps no buffer that it was lent: inputs overwritten as soon as they were handed in change nothing', () => {
    for (const node of [pair.client, pair.gateway, other]) {
      const overwritten = replay(node, node.name, (input) => {
        if (input.kind === 'connection-bytes' || input.kind === 'datagram') input.bytes.fill(0xee)
        if (input.kind === 'tun-packets') input.batch.buffer.fill(0xee)
      })
      expect(overwritten.outputs).toEqual(node.outputs)
    }
  })
})

/** Fallback, traffic, corruption, cuts, limits, deletion, and a second client. */
function eventful(pair: Pair, other: Node): void {
  pair.connect()
  pair.command(other, { kind: 'initiate', peer: 'gateway' })
  pair.run(2_000)
  pair.passesTraffic()
  pair.inject(pair.pipes[0]!, pair.gateway, strayEspFrame(0x1234))
  // A known SPI, a Sequence Number that is new, and no ICV of anybody's.
  const forged = strayEspFrame([...pair.gateway.core.sad.keys()][0]!)
  forged.set([0, 0, 1, 0], 6)
  pair.inject(pair.pipes[0]!, pair.gateway, forged)
  pair.run(3_000)
  pair.passesTraffic()
  pair.dialRaw(pair.gateway).write(PREFIX.subarray(0, 4))
  pair.run(40_000)
  pair.input(pair.gateway, { kind: 'connection-flow', connection: pair.pipe.responderId, state: 'blocked' })
  pair.passesTraffic()
  pair.command(pair.gateway, { kind: 'check-liveness' })
  pair.input(pair.gateway, { kind: 'connection-flow', connection: pair.pipe.responderId, state: 'drained' })
  pair.cut(pair.pipe)
  pair.run(2_000)
  pair.command(pair.client, { kind: 'terminate' })
  pair.command(other, { kind: 'terminate' })
  pair.run(10_000)
}

function replay(
  node: Node,
  seed: string = node.name,
  after: (input: Input) => void = () => {},
): { outputs: string[]; waits: number[]; status: unknown } {
  const core = new SessionManager(node.core.config, seededRandom(seed))
  const outputs: string[] = []
  const waits: number[] = []
  let last = 0
  for (const { input, now } of node.inputs) {
    const lent = structuredClone(input)
    core.handleInput(lent, now)
    after(lent)
    for (let output = core.pollOutput(); ; output = core.pollOutput()) {
      if (output.kind === 'wait-until') {
        waits.push(output.time)
        break
      }
      outputs.push(fingerprint(output))
    }
    last = now
  }
  return { outputs, waits, status: core.inspect(last) }
}
