import { type Libc, loadLibc } from '@underpass/native'
import { describe, expect, it } from 'vitest'
import { DatagramReceiver } from '../src/datagram-receiver.ts'
import { bindDescriptor } from '../src/native-descriptor.ts'

const libc: Libc = loadLibc()
const WHERE = { address: '127.0.0.1', port: 0, family: 4 } as const
const OPTIONS = { onDatagram: (): void => {}, onError: (): void => {} }

describe('datagrams longer than there is room for', () => {
  it('are dropped and counted, and those beside them are not', () => {
    const { fd, local } = bindDescriptor(libc, WHERE, OPTIONS)
    const lengths: number[] = []
    let malformed = 0
    const observer = {
      onEspBatch: (batch: { lengths: Uint32Array; count: number }) => void lengths.push(...batch.lengths.subarray(0, batch.count)),
      onDatagram: () => {},
      onMalformed: () => {
        malformed++
      },
    }
    const receiver = new DatagramReceiver(libc, fd, local.port, observer, { messages: 4, messageLength: 100 })
    const to = libc.encodeAddress(local.address, local.port)
    for (const length of [100, 101, 50, 3000, 99]) libc.sendto(fd, new Uint8Array(length).fill(1), 0, length, 0, to)
    expect(receiver.receive()).toBe('some')
    expect(receiver.receive()).toBe('none')
    expect([lengths, malformed]).toEqual([[100, 50, 99], 2])
    libc.close(fd)
  })
})

describe('a budget for a turn', () => {
  it('ends it while there is more, so that others get theirs', () => {
    const { fd, local } = bindDescriptor(libc, WHERE, OPTIONS)
    let received = 0
    const observer = {
      onEspBatch: (batch: { count: number }) => {
        received += batch.count
      },
      onDatagram: () => {},
      onMalformed: () => {},
    }
    const receiver = new DatagramReceiver(libc, fd, local.port, observer)
    const to = libc.encodeAddress(local.address, local.port)
    for (let i = 0; i < 300; i++) libc.sendto(fd, new Uint8Array(100).fill(1), 0, 100, 0, to)
    expect(receiver.receive()).toBe('more')
    expect(received).toBe(128)
    expect([receiver.receive(), received]).toEqual(['more', 256])
    expect([receiver.receive(), received]).toEqual(['some', 300])
    libc.close(fd)
  })
})
