import { type Libc, loadLibc } from '@underpass/native'
import { describe, expect, it } from 'vitest'
import { DatagramSender } from '../src/datagram-sender.ts'
import { Destinations } from '../src/destinations.ts'
import { bindDescriptor } from '../src/native-descriptor.ts'

const libc: Libc = loadLibc()
const WHERE = { address: '127.0.0.1', port: 0, family: 4 } as const
const OPTIONS = { onDatagram: (): void => {}, onError: (): void => {} }
const SO_NO_CHECK = 11
const SOL_SOCKET = 1

function make(canSegment: boolean) {
  const { fd, canSegment: kernelCan } = bindDescriptor(libc, WHERE, OPTIONS)
  const target = bindDescriptor(libc, WHERE, OPTIONS)
  // So that what arrives arrives as it was sent, one by one.
  libc.setsockopt(target.fd, 17, 104, 0)
  const log: string[] = []
  let sent = 0
  let pending = 0
  const destination = new Destinations(libc).add(target.local)
  const sender = new DatagramSender(libc, fd, canSegment, {
    sent: (packets) => {
      sent += packets
    },
    failed: (errno, packets) => void log.push(`${libc.errnoName(errno)} ${packets}`),
    errorPending: () => {
      pending++
    },
  })
  const send = (lengths: readonly number[]): number[] => {
    const offsets = new Uint32Array(lengths.length)
    for (let i = 1; i < lengths.length; i++) offsets[i] = offsets[i - 1] + lengths[i - 1]
    const buffer = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0)).fill(1)
    expect(sender.send({ buffer, offsets, lengths: Uint32Array.from(lengths) }, 0, lengths.length, destination)).toBe('done')
    const received: number[] = []
    const room = new Uint8Array(70_000)
    for (let length = libc.read(target.fd, room, 0, room.length); length >= 0; length = libc.read(target.fd, room, 0, room.length)) {
      received.push(length)
    }
    return received
  }
  const close = (): void => {
    libc.close(fd)
    libc.close(target.fd)
  }
  return { fd, kernelCan, log, send, close, sent: () => sent, pending: () => pending }
}

const LENGTHS = [...new Array(70).fill(1000), 400, 400, 1000, 30, ...new Array(5).fill(20_000), 65_507, 1, 1]

describe('packets of a batch', () => {
  it.each([true, false])('arrive each for itself, with segmentation offload: %s', (canSegment) => {
    const { send, close, log, sent } = make(canSegment)
    expect(send(LENGTHS)).toEqual(LENGTHS)
    expect([log, sent()]).toEqual([[], LENGTHS.length])
    close()
  })

  it('go one by one where segments are refused, which is asked once', () => {
    const { fd, kernelCan, send, log, pending, close } = make(true)
    expect(kernelCan).toBe(true)
    // Without checksums the kernel segments nothing: EINVAL, as for segments that are too long for a path.
    libc.setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, 1)
    for (let round = 0; round < 3; round++) expect(send([1000, 1000, 1000, 200, 5])).toEqual([1000, 1000, 1000, 200, 5])
    expect(send([100, 100, 100])).toEqual([100, 100, 100])
    const asked = pending()
    for (let round = 0; round < 3; round++) expect(send([1000, 100, 100, 100])).toEqual([1000, 100, 100, 100])
    expect([pending(), log]).toEqual([asked, []])
    close()
  })

  it('that cannot be sent are told, and those behind them are sent', () => {
    const { send, log, close, sent } = make(true)
    expect(send([100, 65_508, 100, 50])).toEqual([100, 100, 50])
    expect([log, sent()]).toEqual([['EMSGSIZE 1'], 3])
    close()
  })
})
