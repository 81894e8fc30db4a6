import { describe, expect, it, onTestFinished } from 'vitest'
import { type ByteStream, connect, type FirstLook, type Listener, type ListenOptions, listen, tcpSockets } from '../src/index.ts'
import { LOOPBACK, Recorder } from './streams.ts'

describe.skipIf(tcpSockets().kind !== 'native')('a first look at a connection', () => {
  it('RFC 9329 §6.1: what one listener gives away another takes over, whole', async () => {
    const second = await gateway({ reusePort: true })
    const first = await gateway({
      firstLook: look((start) => (start.length < 4 ? 4 : second.listener.adopt!)),
    })
    const client = await dial(first.listener)
    client.stream.write(Uint8Array.of(1, 2))
    await until(() => first.looks.length > 0)
    client.stream.write(Uint8Array.of(3, 4, 5))
    await until(() => second.seen[0]?.octets === 5)
    expect(second.seen[0]!.data).toEqual([1, 2, 3, 4, 5])
    expect([first.seen.length, first.listener.connections, second.listener.connections]).toEqual([0, 0, 1])
    second.streams[0]!.write(Uint8Array.of(9))
    await until(() => client.seen.octets === 1)
    client.stream.end()
    await until(() => second.listener.connections === 0)
  })

  it('one that is kept reads from its first octet on', async () => {
    const { listener, seen, looks } = await gateway({ firstLook: look((start) => (start.length < 3 ? 3 : 'keep')) })
    const client = await dial(listener)
    client.stream.write(Uint8Array.of(1))
    await until(() => looks.length > 0)
    client.stream.write(Uint8Array.of(2, 3))
    await until(() => seen[0]?.octets === 3)
    expect(seen[0]!.data).toEqual([1, 2, 3])
    client.stream.write(Uint8Array.of(4))
    await until(() => seen[0]?.octets === 4)
  })

  it('one that says too little is kept all the same', async () => {
    const { listener, seen } = await gateway({ firstLook: { ...look(() => 40), milliseconds: 20 } })
    const client = await dial(listener)
    client.stream.write(Uint8Array.of(7))
    await until(() => seen[0]?.octets === 1)
  })

  it('one that is gone before it says enough is the stream’s to find', async () => {
    const { listener, seen } = await gateway({ firstLook: look(() => 40) })
    const client = await dial(listener)
    client.stream.write(Uint8Array.of(7))
    client.stream.end()
    await until(() => seen[0]?.events.includes('close') === true)
    expect(seen[0]!.data).toEqual([7])
  })

  it('RFC 9329 §10 (T-SEC-1): of one address so many are looked at, at once; whoever owns connections judges the others', async () => {
    const { listener, seen } = await gateway({ firstLook: look(() => 40) })
    for (let i = 0; i < 70; i++) await dial(listener)
    await until(() => listener.connections === 70)
    expect(seen.length).toBe(6)
  })

  it('closing the listener closes those that are not decided', async () => {
    const { listener, seen, looks } = await gateway({ firstLook: look(() => 40) })
    const client = await dial(listener)
    client.stream.write(Uint8Array.of(7))
    await until(() => looks.length > 0)
    await listener.close()
    await until(() => client.seen.events.includes('close'))
    expect([seen.length, listener.connections]).toEqual([0, 0])
  })
})

function look(decide: FirstLook['decide']): FirstLook {
  return { milliseconds: 10_000, decide }
}

interface Gateway {
  readonly listener: Listener
  readonly streams: ByteStream[]
  readonly seen: Recorder[]
  /** Lengths that were looked at. */
  readonly looks: number[]
}

async function gateway({ firstLook, ...options }: ListenOptions): Promise<Gateway> {
  const streams: ByteStream[] = []
  const seen: Recorder[] = []
  const looks: number[] = []
  const counted: FirstLook | undefined = firstLook && {
    milliseconds: firstLook.milliseconds,
    decide(start, descriptor) {
      looks.push(start.length)
      return firstLook.decide(start, descriptor)
    },
  }
  const listener = await listen({ address: LOOPBACK, ...options, ...(counted && { firstLook: counted }) }, (stream) => {
    streams.push(stream)
    seen.push(new Recorder())
    return seen.at(-1)!
  })
  onTestFinished(async () => {
    for (const stream of streams) stream.reset()
    await listener.close()
  })
  return { listener, streams, seen, looks }
}

async function dial({ local }: Listener): Promise<{ readonly stream: ByteStream; readonly seen: Recorder }> {
  const seen = new Recorder()
  const stream = await connect({ host: local.address, port: local.port }, seen)
  onTestFinished(() => stream.reset())
  return { stream, seen }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}
