// Our client or gateway, the same program as ever, but for its TUN: a pair in memory, at whose other end is a small host. Ports of
// the small host are forwarded to and from 127.0.0.1, so that ordinary programs get through. end.mjs ROLE WORDS-OF-ITS-COMMAND-LINE
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import { pipeline } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { memoryTunPair } from '@underpass/tun-device'
import { SmallHost } from './small-host.mjs'

const [role, ...words] = process.argv.slice(2)
const { main } = await import(role === 'client' ? '../../apps/client/dist/program.js' : '../../apps/gateway/dist/program.js')
const { processIo, systemPorts } = await import('@underpass/host')
const LOOPBACK = '127.0.0.1'
let far
let host

process.on('message', async ({ id, kind, ...question }) => {
  try {
    process.send({ id, ...(await ANSWERS[kind](question)) })
  } catch (error) {
    process.send({ id, error: error.message })
  }
})

const openDevice = ({ name, mtu }) => {
  const [near, other] = memoryTunPair({ names: [name, `${name}-far`], mtu })
  far = other
  return { device: near, close: () => near.close() }
}

const ANSWERS = {
  /** The address inside the tunnel. */
  address({ address }) {
    host = new SmallHost(far, address)
    return {}
  },

  /** From the tunnel to programs here. */
  inward({ tcp, udp }) {
    for (const [port, target] of tcp) host.listen(port, (stream) => carry(stream, connect(target, LOOPBACK)))
    for (const [port, target] of udp) relayUdpInward(port, target)
    return {}
  },

  /** From programs here into the tunnel. Answers where they are to connect. */
  async outward({ address, tcp, udp, local }) {
    const server = createServer((socket) => carry(socket, host.connect(address, tcp)))
    await new Promise((resolve, reject) => server.once('error', reject).listen(local.tcp, LOOPBACK, resolve))
    await relayUdpOutward(local.udp, address, udp)
    return {}
  },

  async ping({ address, count }) {
    const times = []
    for (let sequence = 1; sequence <= count; sequence++) {
      const time = await host.ping(address, sequence)
      if (time !== undefined) times.push(time)
      await sleep(50)
    }
    return { received: times.length, mean: times.reduce((sum, time) => sum + time, 0) / times.length, max: Math.max(...times) }
  },
}

process.exit(await main(words, processIo, { ...systemPorts, openDevice }))

function carry(one, other) {
  pipeline(one, other, one, () => {})
}

/** One socket here for each sender there, as a NAT does it. */
function relayUdpInward(port, target) {
  const sockets = new Map()
  host.bindUdp((payload, address, from) => {
    const key = `${address} ${from}`
    let socket = sockets.get(key)
    if (socket === undefined) {
      socket = createSocket('udp4')
      socket.on('message', (answer) => host.sendUdp(answer, port, address, from))
      sockets.set(key, socket)
    }
    socket.send(payload, target, LOOPBACK)
  }, port)
}

function relayUdpOutward(local, address, port) {
  const ports = new Map()
  const socket = createSocket('udp4')
  socket.on('message', (payload, sender) => {
    let inner = ports.get(sender.port)
    if (inner === undefined) {
      inner = host.bindUdp((answer) => socket.send(answer, sender.port, sender.address))
      ports.set(sender.port, inner)
    }
    host.sendUdp(payload, inner, address, port)
  })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(local, LOOPBACK, resolve)
  })
}
