import type { StreamHandlers as CoreHandlers, StreamPort } from '@underpass/session-manager/driver'
import { type ByteStream, connect, type Listener, listen, type StreamHandlers } from '@underpass/tls-transport'
import { afterEach, describe, expect, it } from 'vitest'
import { HandedStreams, type StreamMessage } from '../../src/workers/handed-streams.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

describe('RFC 9329 §6.1: a stream whose IKE SA lives in another worker', () => {
  it('begins at its first octet, has its ends, and goes both ways', async () => {
    const { client, user, heard } = await handed()
    client.write(text('IKETCP'))
    await until(() => user.said() === 'IKETCP')
    expect(user.stream.remote).toEqual(client.local)
    expect(user.stream.local).toEqual(client.remote)
    expect(user.stream.carrier).toBeUndefined()
    user.stream.write(text('an answer'))
    await until(() => heard.text() === 'an answer')
  })

  it('back-pressure: what nobody reads is no more than a window, and all of it arrives in order', async () => {
    const { client, user, heard } = await handed()
    client.write(text('x'))
    await until(() => user.said() === 'x')
    client.pause()
    let written = 0
    while (user.stream.write(new Uint8Array(65_536).fill(written & 0xff)) && written < 1_000) written++
    written++
    expect(written).toBeLessThan(10)
    expect(user.stream.room).toBe(0)
    client.resume()
    await until(() => heard.octets() === written * 65_536)
    await until(() => user.events.includes('drain'))
    expect(heard.chunksInOrder(65_536)).toEqual(Array.from({ length: written }, (_, i) => i & 0xff))
    // A second round: what was told to be taken counts.
    for (let i = 0; i < 40; i++) {
      user.stream.write(new Uint8Array(65_536))
      await until(() => (user.stream.room ?? 0) > 65_536)
    }
  })

  it('the other way round, too: a core that is slow holds the peer back', async () => {
    const { client, user, hold, release } = await handed()
    client.write(text('x'))
    await until(() => user.said() === 'x')
    hold()
    let octets = 0
    for (let i = 0; i < 200; i++) {
      if (client.write(new Uint8Array(65_536))) octets += 65_536
      await turn()
    }
    const before = user.octets()
    expect(octets).toBeLessThan(200 * 65_536)
    release()
    await until(() => user.octets() > before + 1_000_000)
  })

  it('FIN, RST and the end, each as it is', async () => {
    const first = await handed()
    first.client.write(text('x'))
    await until(() => first.user.said() === 'x')
    first.client.end()
    await until(() => first.user.events.join() === 'end,close')
    expect(first.user.stream.write(text('late'))).toBe(false)

    const second = await handed()
    second.client.write(text('x'))
    await until(() => second.user.said() === 'x')
    second.user.stream.write(text('bye'))
    second.user.stream.end()
    await until(() => second.heard.events.join() === 'end,close')
    expect(second.heard.text()).toBe('bye')

    const third = await handed()
    third.client.write(text('x'))
    await until(() => third.user.said() === 'x')
    third.user.stream.reset()
    await until(() => third.heard.events.includes('close'))
  })

  it('who goes waits for the last words of the other, and no longer than it is told', async () => {
    const { client, user, holder } = await handed()
    client.write(text('x'))
    await until(() => user.said() === 'x')
    const isOver = holder.none(10_000)
    user.stream.end()
    await isOver
    const left = await handed()
    left.client.write(text('x'))
    await until(() => left.user.said() === 'x')
    await left.holder.none(10)
    await until(() => left.heard.events.includes('close'))
  })
})

interface User {
  readonly stream: StreamPort
  readonly events: string[]
  said(): string
  octets(): number
}

/** Two workers in one: what they say to each other is cloned and given away, and comes a turn later. */
async function handed() {
  let isHeld = false
  let waiting: (() => void)[] = []
  const between = (deliver: (message: StreamMessage) => void) => (_worker: number, message: StreamMessage) => {
    const octets = message.said.what === 'octets' ? [message.said.octets] : []
    const copy = structuredClone(message, { transfer: octets })
    const send = (): void => deliver(copy)
    if (isHeld) waiting.push(send)
    else setImmediate(send)
  }
  let user: User | undefined
  const accept = (listener: number, stream: StreamPort): CoreHandlers => {
    expect(listener).toBe(3)
    let octets = 0
    let said = ''
    const events: string[] = []
    user = { stream, events, said: () => said, octets: () => octets }
    return {
      onData(bytes) {
        octets += bytes.length
        if (said.length < 100) said += String.fromCharCode(...bytes.subarray(0, 100))
      },
      onDrain: () => void events.push('drain'),
      onEnd: () => void events.push('end'),
      onClose: () => void events.push('close'),
    }
  }
  const holder: HandedStreams = new HandedStreams(between((message) => other.receive(0, message, accept)))
  const other: HandedStreams = new HandedStreams(between((message) => holder.receive(1, message, accept)))
  const listener: Listener = await listen({ address: '127.0.0.1', highWaterMark: 0 }, (stream) => holder.give(1, 3, stream))
  const events: string[] = []
  const chunks: Uint8Array[] = []
  const handlers: StreamHandlers = {
    onData: (bytes) => void chunks.push(bytes.slice()),
    onEnd: () => void events.push('end'),
    onClose: () => void events.push('close'),
  }
  const client: ByteStream = await connect({ host: '127.0.0.1', port: listener.local.port }, handlers)
  closing.push(async () => {
    client.reset()
    await holder.none(0)
    await listener.close()
  })
  await until(() => user !== undefined)
  const octets = (): number[] => chunks.flatMap((chunk) => [...chunk])
  const heard = {
    events,
    octets: () => chunks.reduce((sum, { length }) => sum + length, 0),
    text: () => String.fromCharCode(...octets()),
    chunksInOrder: (length: number) => octets().filter((_, i) => i % length === 0),
  }
  return {
    client,
    heard,
    holder,
    user: user!,
    hold: () => {
      isHeld = true
    },
    release: () => {
      isHeld = false
      for (const send of waiting) send()
      waiting = []
    },
  }
}

function text(letters: string): Uint8Array {
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0))
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 2_000) throw new Error('it did not happen')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
