// A load that costs little, a helper (helper.mjs): clients of ours that do real handshakes over sockets of their own, seal their packets
// beforehand into files in memory, and then only hand these to the kernel. Who receives them cannot tell it from clients at work.
import { argv } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { cryptoPort, nodeClock, nodeRandom } from '@underpass/host'
import { loadLibc, loadTcpCalls, PollEvent, sharedReactor } from '@underpass/native'
import {
  DEFAULT_LIMITS,
  DEFAULT_TIMERS,
  parseEspSuite,
  parseIdentity,
  parseIkeSuite,
  SessionManager,
  shardOfSpi,
} from '@underpass/session-manager'
import { Driver } from '@underpass/session-manager/driver'
import { gatewayFigures } from './gateway-figures.mjs'
import { answer } from './helper-end.mjs'
import { MemoryFile, waitUntilWritable } from './memory-file.mjs'
import { batchOf, tcpPacket } from './packets.mjs'
import { fastestProvider } from './providers.mjs'
import { SCALE } from './scale-gateway.mjs'
import { cutting, SealedDatagrams } from './sealed-datagrams.mjs'

/** Packets of one TUN wake-up: a run of segments in order, as one flow has them. */
const BATCH = 128
const HEADERS = 40
/** What one turn gives one client's socket at most: turns go round. */
const SLICE = 1 << 20
/** Datagrams under way to the gateway at once, for each of its workers: less than its socket holds. */
const WINDOW = 1_000
/** Milliseconds without one coming out of it, after which those under way are lost. */
const LOST = 50
/** Milliseconds before figures are taken: windows of TCP open, code is compiled. */
const WARM_UP = 500

const { gateway, gatewayPid, device: gatewayDevice, workers, clients: count, size, transport } = JSON.parse(argv[2])
const clients = Array.from({ length: count }, (_, number) => ({
  number,
  address: undefined,
  socket: undefined,
  file: undefined,
  sealed: 0,
}))
/** One after the other: a connection that is asked for is this client's. */
let dialling
/** What is sealed is this one's. */
let sealing
let socketOfAll
const waiting = { up: new Map(), down: new Map() }

const gatewaySide = gatewayFigures({ pid: gatewayPid, interfaceName: gatewayDevice, size, headers: HEADERS })
const calls = loadTcpCalls()
const libc = loadLibc()
const reactor = sharedReactor()
const device = { start: (give) => (device.give = give), pause() {}, resume() {}, write() {} }
const suites = { ikeProposals: [parseIkeSuite(SCALE.ike)], espProposals: [parseEspSuite(SCALE.esp)] }
const transports = [
  transport === 'tcp' ? { transport: 'tcp', port: 4500, framing: 'rfc9329' } : { transport: 'udp', port: 4500, natPort: 4500 },
]
const secret = { kind: 'shared-key', secret: new TextEncoder().encode(SCALE.psk) }
const peers = clients.map(({ number }) => ({
  ...{ name: String(number), localId: parseIdentity(`@client${number}`), remoteId: parseIdentity('@gateway') },
  ...{ auth: { local: secret, remote: secret }, dial: { address: gateway, transports }, pool: undefined, localSubnets: 'virtual' },
  ...{ remoteSubnets: [`10.2.0.${number + 1}/32`], requestAddresses: ['ipv4'], replayWindow: 64, esn: true, ...suites },
}))
const core = new SessionManager(
  {
    ...{ peers, acceptsPeers: false, aeadProvider: fastestProvider(), limits: DEFAULT_LIMITS },
    timers: { ...DEFAULT_TIMERS, liveness: 24 * 3600_000 },
  },
  nodeRandom,
)
const driver = new Driver(core, {
  ...{
    clock: nodeClock(),
    tun: device,
    datagrams: transport === 'udp' ? datagrams() : { send() {}, sendBatch() {} },
    crypto: cryptoPort(),
  },
  connect: (remote, _framing, handlers) => ({ opened: opened(remote, handlers), cancel() {} }),
})
driver.onFailure(({ code, error }) => {
  console.error(code, error)
  process.exit(1)
})
driver.onEvent((event) => {
  if (event.kind === 'addresses-assigned') clients[Number(event.peer)].address = event.addresses[0].address
  else if (event.kind === 'child-sa-installed') changed('up', Number(event.peer))
  else if (event.kind === 'ike-sa-closed') changed('down', Number(event.peer))
})
driver.start()

answer({
  /** All of them, as many to each worker of the gateway: whom the kernel gave to one that has its share dials again. */
  async connect() {
    const share = count / workers
    const had = new Map()
    for (const client of clients) {
      const { number } = client
      dialling = client
      for (;;) {
        await told('up', { kind: 'initiate', peer: String(number) })
        const worker = workerOf(number)
        if ((had.get(worker) ?? 0) < share) {
          had.set(worker, (had.get(worker) ?? 0) + 1)
          break
        }
        await told('down', { kind: 'terminate', peer: String(number) })
        await sleep(10)
      }
    }
    return { workers: had.size }
  },

  /** `octets` of inner packets, each client its part, in the order of their sequence numbers. */
  seal({ octets }) {
    for (const client of clients) {
      sealing = client
      client.file = transport === 'tcp' ? new MemoryFile() : new SealedDatagrams(Math.ceil(octets / count / size + BATCH) * (size + 80))
      client.sealed = 0
      const run = batchOf(
        Array.from({ length: BATCH }, (_, i) => tcpPacket(client.address, `10.2.0.${client.number + 1}`, size, 1 + i * (size - HEADERS))),
      )
      for (; client.sealed * size < octets / count; client.sealed += BATCH) device.give(run)
    }
    return { packets: clients.reduce((sum, { sealed }) => sum + sealed, 0), octets: clients.reduce((sum, { file }) => sum + file.size, 0) }
  },

  /** All that was sealed, as fast as the gateway takes it. The figures are those from `WARM_UP` until the first client has no more. */
  async blast() {
    const atStart = gatewaySide.all()
    let first
    let last
    const started = performance.now()
    const turn = transport === 'tcp' ? streamsTurn() : datagramsTurn(atStart)
    for (let left = clients; left.length > 0; left = left.filter(({ file }) => file.sent < file.size)) {
      turn(left)
      const isOver = clients.some(({ file }) => file.sent === file.size)
      if (isOver) last ??= gatewaySide.all()
      else if (first === undefined && performance.now() - started >= WARM_UP) first = gatewaySide.all()
      if (performance.now() - started > 60_000) throw new Error('the gateway does not take what was sealed')
    }
    // An IKE message is not to be cut.
    if (transport === 'udp') cutting(libc, socketOfAll, 0)
    await settled()
    const all = gatewaySide.difference(atStart, gatewaySide.all())
    for (const client of clients) {
      client.file.close()
      client.file = undefined
    }
    if (first === undefined) throw new Error(`all was sent within ${WARM_UP} ms: too little for a figure`)
    return { window: gatewaySide.difference(first, last), all }
  },
})
console.log('ready')

/** TCP itself says when there is room. */
function streamsTurn() {
  return (left) => {
    let sent = 0
    for (const { file, socket } of left) sent += file.sendTo(socket, SLICE)
    if (sent === 0)
      waitUntilWritable(
        left.map(({ socket }) => socket),
        1_000,
      )
  }
}

/** UDP does not: as many are under way as the window allows, by what has come out of the gateway. */
function datagramsTurn(atStart) {
  cutting(libc, socketOfAll, clients[0].file.length)
  const window = WINDOW * workers
  const pause = new Int32Array(new SharedArrayBuffer(4))
  let sent = 0
  let lost = 0
  let out = 0
  let movedAt = performance.now()
  return (left) => {
    const now = gatewaySide.segments(gatewaySide.device(), atStart)
    if (now !== out) movedAt = performance.now()
    else if (performance.now() - movedAt > LOST) lost = sent - now
    out = now
    let room = window - (sent - lost - out)
    const share = Math.max(1, Math.floor(room / left.length))
    if (room < window / 4) Atomics.wait(pause, 0, 0, 0.4)
    else
      for (const { file } of left) {
        const taken = file.sendTo(calls, socketOfAll, Math.min(share, room))
        sent += taken
        room -= taken
      }
  }
}

/** Until nothing more comes out of the gateway. */
async function settled() {
  for (let before = -1, now = gatewaySide.device().octets; now !== before; ) {
    await sleep(200)
    before = now
    now = gatewaySide.device().octets
  }
}

/** A stream on a descriptor of ours: what is sealed while there is a file goes there, all else to the gateway. */
function opened(remote, handlers) {
  const client = dialling
  return new Promise((resolve, reject) => {
    const fd = calls.connect(remote)
    let isOpen = false
    const buffer = new Uint8Array(65_536)
    const close = () => {
      watch.close()
      libc.close(fd)
    }
    const watch = reactor.watch(fd, PollEvent.POLLOUT, () => {
      if (!isOpen) {
        const errno = calls.takeError(fd)
        if (errno !== 0) return reject(new Error(`connect: errno ${errno}`))
        isOpen = true
        watch.want(PollEvent.POLLIN)
        client.socket = fd
        resolve({ local: calls.localAddress(fd), remote: calls.remoteAddress(fd), write, end, reset: close })
        return
      }
      const length = calls.receive(fd, buffer, 0, buffer.length)
      if (length > 0) return handlers.onData(buffer.subarray(0, length))
      if (length === -11) return
      close()
      if (length === 0) handlers.onEnd()
      handlers.onClose()
    })
    const write = (bytes) => {
      if (client.file !== undefined) client.file.append(bytes)
      else if (calls.send(fd, bytes, 0, bytes.length) !== bytes.length) throw new Error('an IKE message was not taken at once')
      return true
    }
    const end = () => calls.shutdown(fd)
  })
}

/** One socket for all clients: whom a datagram is from, its SPI says. */
function datagrams() {
  const [AF_INET, SOCK_DGRAM, O_NONBLOCK, ESP_MARKER] = [2, 2, 0o4000, 4]
  socketOfAll = libc.socket(AF_INET, SOCK_DGRAM | O_NONBLOCK, 0)
  libc.connect(socketOfAll, libc.encodeAddress(gateway, 4500))
  const [local, remote] = [calls.localAddress(socketOfAll), { address: gateway, port: 4500 }]
  const buffer = new Uint8Array(65_536)
  reactor.watch(socketOfAll, PollEvent.POLLIN, () => {
    const length = calls.receive(socketOfAll, buffer, 0, buffer.length)
    // The Non-ESP Marker (RFC 3948 §2.2).
    if (length > ESP_MARKER && buffer.subarray(0, ESP_MARKER).every((octet) => octet === 0))
      driver.datagramReceived(local, remote, 'ike', buffer.subarray(ESP_MARKER, length))
  })
  return {
    send(_local, _remote, message, bytes) {
      if (message !== 'ike') return
      const marked = new Uint8Array(ESP_MARKER + bytes.length)
      marked.set(bytes, ESP_MARKER)
      calls.send(socketOfAll, marked, 0, marked.length)
    },
    sendBatch: (_local, _remote, batch) => sealing.file.append(batch),
  }
}

/** Until the client is as the command wants it. */
function told(state, command) {
  return new Promise((resolve) => {
    waiting[state].set(Number(command.peer), resolve)
    driver.command(command)
  })
}

function changed(state, number) {
  waiting[state].get(number)?.()
  waiting[state].delete(number)
}

/** Which of the gateway's workers the client's SAs live in: its SPIs say so. */
function workerOf(number) {
  if (workers === 1) return 0
  const sa = core.inspect(performance.now()).ikeSas.find(({ peer }) => peer === String(number))
  return shardOfSpi(Number.parseInt(sa.children[0].outboundSpi, 16))
}
