// Many clients in one process, a helper (helper.mjs): one core of ours with a peer for each, over real sockets, without a device. Each
// client asks for an inner address, and for one host behind the gateway that no other asks for, so that finding a client's SA costs the same
// however many there are. It pings that host through its tunnel.
import { argv } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { cryptoPort, nodeClock, nodeRandom } from '@underpass/host'
import { DEFAULT_LIMITS, DEFAULT_TIMERS, parseEspSuite, parseIdentity, parseIkeSuite, SessionManager } from '@underpass/session-manager'
import { Driver } from '@underpass/session-manager/driver'
import { connect } from '@underpass/tls-transport'
import { answer } from './helper-end.mjs'
import { batchOf, echoRequest } from './packets.mjs'
import { fastestProvider } from './providers.mjs'
import { hostOf, SCALE } from './scale-gateway.mjs'

/** Handshakes under way at once while many connect. */
const AT_ONCE = 32
/** Packets under way at once. */
const WINDOW = 64
/** Milliseconds until a ping is sent again. */
const AGAIN = 1_000

const { gateway, psk, sources, clients: total } = JSON.parse(argv[2])
const clients = Array.from({ length: total }, () => ({ address: undefined, request: undefined }))
const numbers = new Map()
const waiting = { up: new Map(), down: new Map() }
let onReply = () => {}
let onLost = () => {}
let onMoved = () => {}
let failures = 0
let nextSource = 0

const device = {
  start(give) {
    this.give = give
  },
  pause() {},
  resume() {},
  write({ buffer, offsets, count }) {
    for (let i = 0; i < count; i++) onReply(numbers.get(destinationOf(buffer, offsets[i])))
  },
}
const suites = { ikeProposals: [parseIkeSuite(SCALE.ike)], espProposals: [parseEspSuite(SCALE.esp)] }
const secret = new TextEncoder().encode(psk)
const dial = { address: gateway, transports: [{ transport: 'tcp', port: 4500, framing: 'rfc9329' }] }
const peers = clients.map((_, number) => ({
  ...{
    name: String(number),
    localId: parseIdentity(`@client${number}`),
    remoteId: parseIdentity('@gateway'),
    auth: { local: { kind: 'shared-key', secret }, remote: { kind: 'shared-key', secret } },
    dial,
    pool: undefined,
  },
  ...{
    localSubnets: 'virtual',
    remoteSubnets: [`${hostOf(number)}/32`],
    requestAddresses: ['ipv4'],
    replayWindow: 64,
    esn: true,
    ...suites,
  },
}))
const core = new SessionManager(
  {
    peers,
    acceptsPeers: false,
    aeadProvider: fastestProvider(),
    limits: { ...DEFAULT_LIMITS, maxIkeSas: 2 * total, maxConnections: 2 * total },
    // Every liveness check is the gateway's, so that what comes in while all is idle counts them.
    timers: { ...DEFAULT_TIMERS, liveness: 24 * 3600_000 },
  },
  nodeRandom,
)
const driver = new Driver(core, {
  clock: nodeClock(),
  tun: device,
  connect(remote, _framing, handlers) {
    const controller = new AbortController()
    const localAddress = sources[nextSource++ % sources.length]
    const options = { host: remote.address, port: remote.port, localAddress, timeout: 30_000, signal: controller.signal }
    return { opened: connect(options, handlers), cancel: () => controller.abort() }
  },
  datagrams: { send() {}, sendBatch() {} },
  crypto: cryptoPort(),
})
driver.onFailure(({ code, isFatal, error }) => {
  console.error(code, error)
  if (isFatal) process.exit(1)
})
driver.onEvent((event) => {
  switch (event.kind) {
    case 'addresses-assigned':
      return assigned(Number(event.peer), event.addresses[0].address)
    case 'child-sa-installed':
      changed(Number(event.peer), 'up')
      return onMoved(Number(event.peer))
    case 'ike-sa-closed':
      return changed(Number(event.peer), 'down')
    case 'transport-failed':
      failures++
      return
    case 'reconnecting':
      return onLost(Number(event.peer))
    case 'connection-opened':
      return onMoved(Number(core.connections.get(event.connection)?.initiator?.peer.name))
  }
})
driver.start()

answer({
  /** Clients `from` to `to`, many at once. Answers when all are up. */
  async connect({ from, to }) {
    const before = failures
    const started = performance.now()
    let next = from
    const one = async () => {
      while (next < to) await bringUp(next++)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, one))
    return { seconds: (performance.now() - started) / 1000, failures: failures - before }
  },

  /** One after the other, each taken down again later. Milliseconds from the command to the Child SA, each. */
  async connectOneByOne({ from, to }) {
    const milliseconds = []
    for (let number = from; number < to; number++) {
      const started = performance.now()
      await bringUp(number)
      milliseconds.push(performance.now() - started)
      await sleep(5)
    }
    return { milliseconds }
  },

  async disconnect({ from, to }) {
    for (let number = from; number < to; number++) {
      const isDown = whenever('down', number)
      driver.command({ kind: 'terminate', peer: String(number) })
      await isDown
    }
  },

  /** `count` pings and their answers, from client to client in turn. */
  async ping({ from, to, count }) {
    const started = performance.now()
    await pingInTurn({ from, to, count })
    return { seconds: (performance.now() - started) / 1000 }
  },

  /** IKE messages that have come in: while all is idle, the gateway's liveness checks. */
  messages: () => core.counters['ike-messages-in'] ?? 0,

  /** Of clients 0 to `count`: until each has lost its connection and pings again. Asked before the connections are cut. */
  comeBack: ({ count, milliseconds }) => comeBack(count, milliseconds),
})
console.log('ready')

function assigned(number, address) {
  const client = clients[number]
  if (client.address === address) return
  client.address = address
  client.request = batchOf([echoRequest(address, hostOf(number), number & 0xffff)])
  numbers.set(addressNumber(address), number)
}

function changed(number, state) {
  waiting[state].get(number)?.()
  waiting[state].delete(number)
}

function bringUp(number) {
  const isUp = whenever('up', number)
  driver.command({ kind: 'initiate', peer: String(number) })
  return isUp
}

const whenever = (state, number) => new Promise((resolve) => waiting[state].set(number, resolve))

function pingInTurn({ from, to, count }) {
  return new Promise((resolve, reject) => {
    let sent = 0
    let answered = 0
    let credits = Math.min(WINDOW, count)
    let isQueued = false
    let last = 0
    const send = () => {
      isQueued = false
      for (; credits > 0 && sent < count; credits--, sent++) device.give(clients[from + (sent % (to - from))].request)
    }
    const guard = setInterval(() => {
      if (answered === last) done(new Error(`${count - answered} of ${count} pings were not answered`))
      last = answered
    }, 5_000)
    const done = (error) => {
      clearInterval(guard)
      onReply = () => {}
      error === undefined ? resolve() : reject(error)
    }
    onReply = () => {
      if (++answered === count) return done()
      credits++
      if (isQueued) return
      isQueued = true
      setImmediate(send)
    }
    send()
  })
}

function comeBack(count, milliseconds) {
  return new Promise((resolve) => {
    const started = performance.now()
    const lostAt = new Map()
    const backAfter = new Map()
    const moved = new Map()
    const again = setInterval(() => {
      const now = performance.now()
      for (const [number, at] of moved) if (now - at > AGAIN) ping(number)
      if (now - started > milliseconds) done()
    }, 100)
    const ping = (number) => {
      moved.set(number, performance.now())
      // An event is told while the core is being drained.
      setImmediate(() => device.give(clients[number].request))
    }
    const done = () => {
      clearInterval(again)
      onLost = onMoved = onReply = () => {}
      const firstLost = Math.min(...lostAt.values())
      const after = [...backAfter.values()].map((at) => (at - firstLost) / 1000).sort((a, b) => a - b)
      resolve({
        lost: lostAt.size,
        back: after.length,
        median: after[after.length >> 1],
        p99: after[Math.ceil(0.99 * after.length) - 1],
        last: after.at(-1),
      })
    }
    onLost = (number) => {
      if (number < count && !lostAt.has(number)) lostAt.set(number, performance.now())
      moved.delete(number)
    }
    // The old Child SA on a new connection, or the one of a new handshake.
    onMoved = (number) => {
      if (lostAt.has(number) && !backAfter.has(number)) ping(number)
    }
    onReply = (number) => {
      if (!lostAt.has(number) || backAfter.has(number)) return
      backAfter.set(number, performance.now())
      moved.delete(number)
      if (backAfter.size === count) done()
    }
  })
}

const addressNumber = (address) => address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)

const destinationOf = (packet, at) => ((packet[at + 16] * 256 + packet[at + 17]) * 256 + packet[at + 18]) * 256 + packet[at + 19]
