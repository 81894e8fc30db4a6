// ICMP echo for machines without a ping program: an ICMP socket through libc, or, where even that is not to be had, TCP connects
// with a watch, which the result says. ping.mjs ADDRESS COUNT TCP-PORT
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadLibc, PollEvent, PollSet } from '@underpass/native'

const AF_INET = 2
const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0o4000
const IPPROTO_ICMP = 1
const ECHO_REQUEST = 8
const ECHO_REPLY = 0
const OCTETS = 64
const WAIT = 2_000

const [address, count, tcpPort] = process.argv.slice(2)
const { by, once } = echoSocket() ?? tcpConnects()
const times = []
for (let sequence = 1; sequence <= Number(count); sequence++) {
  const time = await once(sequence)
  if (time !== undefined) times.push(time)
  await sleep(50)
}
const mean = times.reduce((sum, time) => sum + time, 0) / times.length
console.log(JSON.stringify({ by, received: times.length, mean, max: Math.max(...times), octets: times.length * OCTETS }))

/** icmp(7): a datagram socket whose identifier and checksum are the kernel's; open to the groups that a sysctl names. */
function echoSocket() {
  try {
    writeFileSync('/proc/sys/net/ipv4/ping_group_range', '0 0\n')
  } catch {
    // It may be open already.
  }
  try {
    const libc = loadLibc()
    const fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP)
    const set = new PollSet([{ fd, events: PollEvent.POLLIN }])
    // struct sockaddr_in: family in the host's order, port, address.
    const to = new Uint8Array(16)
    new Uint16Array(to.buffer, 0, 1)[0] = AF_INET
    to.set(address.split('.').map(Number), 4)
    const reply = new Uint8Array(OCTETS * 2)
    return {
      by: 'by an ICMP socket: there is no ping here',
      async once(sequence) {
        const request = new Uint8Array(OCTETS)
        request[0] = ECHO_REQUEST
        new DataView(request.buffer).setUint16(6, sequence)
        const started = performance.now()
        libc.sendto(fd, request, 0, OCTETS, 0, to)
        while (performance.now() - started < WAIT) {
          // Nothing else happens in this process, so it may block.
          if (libc.poll(set, WAIT) === 0) return undefined
          const length = libc.read(fd, reply, 0, reply.length)
          const isOurs = length >= 8 && reply[0] === ECHO_REPLY && new DataView(reply.buffer).getUint16(6) === sequence
          if (isOurs) return performance.now() - started
        }
        return undefined
      },
    }
  } catch {
    return undefined
  }
}

function tcpConnects() {
  return {
    by: 'timed TCP connects: neither a ping nor an ICMP socket is to be had here',
    once: () =>
      new Promise((resolve) => {
        const started = performance.now()
        const socket = connect({ host: address, port: Number(tcpPort), timeout: WAIT })
        const end = (time) => {
          socket.destroy()
          resolve(time)
        }
        socket.once('connect', () => end(performance.now() - started))
        socket.once('timeout', () => end(undefined))
        socket.once('error', () => end(undefined))
      }),
  }
}
