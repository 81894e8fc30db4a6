// UDP at a given rate and the counting of it, at native speed: `node udp-load.mjs send ADDRESS PORT OCTETS RATE SECONDS` and
// `node udp-load.mjs count ADDRESS PORT`. sendmmsg(2) and recvmmsg(2) by koffi, which the packages bring along; a batch costs one call.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { argv } from 'node:process'
import { root } from '../../tools/runtimes.mjs'

const BATCH = 32
const [AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_RCVBUFFORCE, SO_RCVTIMEO, MSG_WAITFORONE] = [2, 2, 1, 33, 20, 0x10000]
const PR_SET_NAME = 15

/** Buffers whose addresses the kernel has. */
const kept = []

const koffi = createRequire(join(root, 'packages/native/package.json'))('koffi')
const libc = koffi.load(null)
const socket = libc.func('int socket(int, int, int)')
const bind = libc.func('int bind(int, const uint8_t *, uint32_t)')
const connect = libc.func('int connect(int, const uint8_t *, uint32_t)')
const setsockopt = libc.func('int setsockopt(int, int, int, const uint8_t *, uint32_t)')
const sendmmsg = libc.func('int sendmmsg(int, uint8_t *, uint32_t, int)')
const recvmmsg = libc.func('int recvmmsg(int, uint8_t *, uint32_t, int, const uint8_t *)')
const usleep = libc.func('int usleep(uint32_t)')
// By this name the processes of a contender are told from those that load it.
libc.func('int prctl(int, const char *, uint64_t, uint64_t, uint64_t)')(PR_SET_NAME, 'udp-load', 0, 0, 0)

const [, , what, address, port, ...numbers] = argv
if (what === 'send') send(...numbers.map(Number))
else await count()

/** Says as JSON how many were sent in how many seconds. What the socket does not take at once is not sent again, and not counted. */
function send(octets, rate, seconds) {
  const fd = checked(socket(AF_INET, SOCK_DGRAM, 0))
  checked(connect(fd, socketAddress(), 16))
  const messages = messageHeaders(new Uint8Array(new ArrayBuffer(octets)).fill(0x5a), octets)
  let sent = 0
  const started = performance.now()
  const end = started + seconds * 1000
  for (let due = started, now = started; now < end; due += (BATCH * 1000) / rate) {
    for (now = performance.now(); now < due; now = performance.now()) if (due - now > 0.2) usleep(Math.round((due - now - 0.1) * 1000))
    sent += Math.max(sendmmsg(fd, messages, BATCH, 0), 0)
  }
  console.log(JSON.stringify({ sent, seconds: (performance.now() - started) / 1000 }))
}

/** Says at each SIGUSR2 how many have come since the one before. */
async function count() {
  const fd = checked(socket(AF_INET, SOCK_DGRAM, 0))
  checked(bind(fd, socketAddress(), 16))
  checked(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, new Uint8Array(new Int32Array([4 << 20]).buffer), 4))
  // Signals are seen between turns, so no turn waits longer than 20 ms.
  checked(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(new BigInt64Array([0n, 20_000n]).buffer), 16))
  const messages = messageHeaders(new Uint8Array(new ArrayBuffer(2048)), 2048)
  let received = 0
  process.on('SIGUSR2', () => {
    console.log(JSON.stringify({ received }))
    received = 0
  })
  console.log('ready')
  for (;;) {
    for (let calls = 0; calls < 256; calls++) {
      const got = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, null)
      if (got <= 0) break
      received += got
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** `BATCH` struct mmsghdr that all share one buffer. */
function messageHeaders(buffer, octets) {
  const [headerSize, vectorAt] = [64, BATCH * 64]
  const memory = new ArrayBuffer(vectorAt + 16)
  const view = new DataView(memory)
  const addressOf = (of) => BigInt(koffi.address(of))
  view.setBigUint64(vectorAt, addressOf(buffer), true)
  view.setBigUint64(vectorAt + 8, BigInt(octets), true)
  const vector = addressOf(memory) + BigInt(vectorAt)
  for (let i = 0; i < BATCH; i++) {
    view.setBigUint64(i * headerSize + 16, vector, true)
    view.setBigUint64(i * headerSize + 24, 1n, true)
  }
  kept.push(buffer)
  return new Uint8Array(memory)
}

function socketAddress() {
  const bytes = new Uint8Array(16)
  bytes.set([AF_INET, 0, Number(port) >> 8, Number(port) & 0xff, ...address.split('.').map(Number)])
  return bytes
}

function checked(result) {
  if (result < 0) throw new Error(`a system call failed with errno ${koffi.errno()}`)
  return result
}
