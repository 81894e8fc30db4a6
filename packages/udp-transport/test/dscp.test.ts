import { type Libc, loadLibc, MessageFlag, nativeBuffer, SocketMessages } from '@underpass/native'
import { afterEach, expect, it } from 'vitest'
import { openUdp } from '../src/index.ts'

const DSCP = 46
/** Of one length, so that the kernel cuts one message into them. */
const PACKETS = 20

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

it.runIf(process.platform === 'linux').each([
  { address: '127.0.0.1', level: 0, receive: 13, field: 1, family: 2 },
  { address: '::1', level: 41, receive: 66, field: 67, family: 10 },
])('RFC 2474 (T-SA-2): every datagram from $address has the DSCP, alone or of a batch, and is Not-ECT', async (at) => {
  const libc = loadLibc()
  const fd = libc.socket(at.family, 2 | 0o4000, 0)
  opened.push(() => libc.close(fd))
  libc.bind(fd, libc.encodeAddress(at.address, 0))
  libc.setsockopt(fd, at.level, at.receive, 1)
  const socket = await openUdp({ address: at.address, dscp: DSCP, onDatagram: () => {}, onError: () => {} })
  opened.push(() => socket.close())
  const remote = libc.decodeAddress(libc.getsockname(fd))
  socket.send('ike', new Uint8Array(100), remote)
  const offsets = Uint32Array.from({ length: PACKETS }, (_, i) => i * 1_000)
  socket.sendBatch(
    { buffer: new Uint8Array(PACKETS * 1_000).fill(1), offsets, lengths: new Uint32Array(PACKETS).fill(1_000), count: PACKETS },
    remote,
  )
  expect(trafficClasses(libc, fd, at)).toEqual(new Array(1 + PACKETS).fill(DSCP << 2))
})

function trafficClasses(libc: Libc, fd: number, { level, field }: { readonly level: number; readonly field: number }): number[] {
  const room = nativeBuffer(2_000)
  const messages = new SocketMessages(1, 1, 64)
  messages.setVector(0, room.address, 2_000)
  messages.setVectors(0, 0, 1)
  const found: number[] = []
  for (;;) {
    messages.prepare(0)
    if (libc.recvmmsg(fd, messages.address, 1, MessageFlag.DONTWAIT) < 1) return found
    const control = messages.findControl(0, level, field)
    // IPv4's is one octet, IPv6's an int.
    found.push(control < 0 ? -1 : messages.controlWords[control]! & 0xff)
  }
}
