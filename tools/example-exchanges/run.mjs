// A gateway and a client in this process over the sockets of the system, and what passes between them.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { nobleProvider } from '@underpass/esp-crypto'
import { nodeRandom, startRuntimeWith } from '@underpass/host'
import { DEFAULT_LIMITS, DEFAULT_TIMERS, parseEspSuite, parseIdentity, parseIkeSuite, SessionManager } from '@underpass/session-manager'
import { batchOf, memoryTunPair } from '@underpass/tun-device'
import { Capture } from './capture.mjs'
import { WireReader } from './wire.mjs'

const SERVER = '198.51.100.1'
/** Before the move, and after it. */
const CLIENTS = ['192.0.2.10', '203.0.113.5']
const INSIDE = '10.2.0.1'
/** TEST ONLY: see the README beside them. */
const fixture = (name) =>
  readFileSync(fileURLToPath(new URL(`../../packages/tls-transport/test/fixtures/${name}`, import.meta.url)), 'utf8')
const CERTIFICATE = fixture('test-only-certificate.pem')
const TLS = 'tls:443'
const PATIENCE = 20_000

/** The transport of the figures, in one framing or another. */
export function stream(framing) {
  return { transport: 'tcp', port: 443, framing, carrier: TLS }
}

/** Gives the loopback interface the addresses of both. */
export function addAddresses() {
  for (const address of [SERVER, ...CLIENTS]) ip('address', 'add', `${address}/32`, 'dev', 'lo')
}

/** A gateway, a client, and what passes between them. */
export class Run {
  #capture = new Capture('lo')
  #protections = new Map()
  #wire

  /** `keyLog`: the file that the runtime writes TLS's secrets to. */
  static async start(keyLog, transports, names = ['client']) {
    route(CLIENTS[0])
    const run = new Run()
    run.#wire = new WireReader({
      server: SERVER,
      framing: transports.at(-1).framing,
      keyLog: () => readFileSync(keyLog, 'utf8'),
      protections: run.#protections,
    })
    const { framing } = transports.at(-1)
    run.gateway = await End.start(run.#protections, sessionConfig(names.map(gatewayPeer), true), {
      listeners: {
        tcp: [
          { address: SERVER, port: 443, framing, tls: { cert: CERTIFICATE, key: fixture('test-only-key.pem'), minVersion: 'TLSv1.3' } },
        ],
        udp: [500, 4500].map((port) => ({ address: SERVER, port })),
      },
    })
    const tls = { servername: 'gateway.test', ca: CERTIFICATE, minVersion: 'TLSv1.3' }
    run.client = await End.start(
      run.#protections,
      sessionConfig(
        names.map((name) => clientPeer(name, transports)),
        false,
      ),
      {
        listeners: { tcp: [], udp: [{ address: undefined, port: 0 }] },
        carriers: { [TLS]: { host: SERVER, tls, via: undefined } },
      },
    )
    return run
  }

  async up(peer = 'client') {
    this.client.runtime.driver.command({ kind: 'initiate', peer })
    await Promise.all([this.client.event('child-sa-installed'), this.gateway.event('child-sa-installed')])
  }

  /** The network that the client is in from now on has another address for it, and no way for datagrams. */
  move() {
    this.gateway.isDeaf = true
    route(CLIENTS[1])
    this.client.runtime.driver.networkChanged()
  }

  /** One each way, one after the other. */
  async packetsBothWays(peer = 'client') {
    const { address } = this.client.addressOf(peer)
    await passes(this.client, this.gateway, packet(address, INSIDE))
    await passes(this.gateway, this.client, packet(INSIDE, address))
  }

  /** No request of either end is out. */
  async settled() {
    const isBusy = ({ core }) => [...core.ikeSas.values()].some((sa) => sa.window.outstanding !== undefined)
    await until(() => !isBusy(this.client) && !isBusy(this.gateway))
  }

  /** What passed since the last time. */
  take() {
    return this.#wire.read(this.#capture.take())
  }

  /** Deletes all, and answers what passed until the last connection was gone. */
  async end() {
    const events = this.take()
    this.client.runtime.driver.command({ kind: 'terminate' })
    await this.gateway.event('ike-sa-closed')
    await until(() => {
      events.push(...this.take())
      return events.filter(({ name }) => name === 'TcpFin').length === 2 && events.at(-1).name === 'Ack'
    })
    await Promise.all([this.client.runtime.close(), this.gateway.runtime.close()])
    this.#capture.close()
    return events
  }
}

/** A core in its runtime. It is the session manager, but that it hands out its keys, and can be made deaf to datagrams and lose its connections. */
class End {
  isDeaf = false
  core
  #protections
  #extra = []
  #opened = new Set()
  #events = []
  #waiting = []

  static async start(protections, config, options) {
    const end = new End()
    end.#protections = protections
    end.core = new SessionManager(config, nodeRandom)
    const [host, tun] = memoryTunPair()
    end.host = host
    end.runtime = await startRuntimeWith(end, { ...options, tun })
    end.runtime.driver.onEvent((event) => {
      const at = end.#waiting.findIndex(({ kind }) => kind === event.kind)
      if (at < 0) end.#events.push(event)
      else end.#waiting.splice(at, 1)[0].resolve(event)
    })
    return end
  }

  handleInput(input, now) {
    if (this.isDeaf && (input.kind === 'datagram' || input.kind === 'esp-datagrams')) return
    if (input.kind === 'connection-opened') this.#opened.add(input.connection)
    this.core.handleInput(input, now)
    for (const sa of this.core.ikeSas.values())
      if (sa.protection && !this.#protections.has(sa.localSpi)) this.#protections.set(sa.localSpi, copyOf(sa.protection))
  }

  pollOutput() {
    return this.#extra.shift() ?? this.core.pollOutput()
  }

  inspect(now) {
    return this.core.inspect(now)
  }

  /** As if something on the way had: RST to the other end, and this one is told. */
  resetConnections() {
    for (const connection of this.#opened) {
      this.#extra.push({ kind: 'close-connection', connection, how: 'reset' })
      this.core.handleInput({ kind: 'connection-closed', connection, reason: 'reset', detail: '' }, performance.now())
    }
    this.#opened.clear()
    // Any input has the driver drain.
    this.runtime.driver.networkChanged()
  }

  event(kind) {
    const at = this.#events.findIndex((event) => event.kind === kind)
    if (at >= 0) return Promise.resolve(this.#events.splice(at, 1)[0])
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${kind} within ${PATIENCE} ms`)), PATIENCE)
      this.#waiting.push({
        kind,
        resolve: (event) => {
          clearTimeout(timer)
          resolve(event)
        },
      })
    })
  }

  addressOf(peer) {
    return [...this.core.ikeSas.values()].find((sa) => sa.peerName === peer).addresses[0]
  }
}

function sessionConfig(peers, acceptsPeers) {
  return { peers, acceptsPeers, limits: DEFAULT_LIMITS, timers: DEFAULT_TIMERS, aeadProvider: nobleProvider }
}

const SECRET = { kind: 'shared-key', secret: Uint8Array.from({ length: 32 }, (_, i) => i) }

const ALGORITHMS = {
  auth: { local: SECRET, remote: SECRET },
  ikeProposals: [parseIkeSuite('aes256gcm16-prfsha256-x25519')],
  espProposals: [parseEspSuite('aes256gcm16')],
  replayWindow: 1024,
  esn: true,
  // No RFC has them.
  pathChecks: false,
}
const POOL = { ranges: ['10.8.0.10-10.8.0.20'], dns: [], subnets: [] }

function clientPeer(name, transports) {
  return {
    ...ALGORITHMS,
    name,
    localId: parseIdentity(`@${name}`),
    remoteId: parseIdentity('@gateway'),
    dial: { address: SERVER, transports },
    localSubnets: 'virtual',
    remoteSubnets: ['10.2.0.0/24'],
    requestAddresses: ['ipv4'],
    pool: undefined,
  }
}

function gatewayPeer(name) {
  return {
    ...ALGORITHMS,
    name,
    localId: parseIdentity('@gateway'),
    remoteId: parseIdentity(`@${name}`),
    dial: undefined,
    localSubnets: ['10.2.0.0/24'],
    remoteSubnets: 'virtual',
    requestAddresses: [],
    pool: POOL,
  }
}

/** The address that the client's packets to the gateway have from now on. */
function route(source) {
  ip('route', 'replace', 'local', SERVER, 'dev', 'lo', 'table', 'local', 'src', source)
}

function ip(...words) {
  const { status, stderr } = spawnSync('ip', words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${stderr}`)
}

function passes(from, to, octets) {
  return new Promise((resolve) => {
    to.host.start(() => {
      to.host.pause()
      resolve()
    })
    from.host.write(batchOf([octets]))
  })
}

/** IPv4 with nothing in it that anybody looks at. */
function packet(source, destination) {
  const octets = new Uint8Array(64)
  octets.set([0x45, 0, 0, 64, 0, 1, 0, 0, 64, 253])
  octets.set(source.split('.').map(Number), 12)
  octets.set(destination.split('.').map(Number), 16)
  return octets
}

async function until(holds) {
  const end = Date.now() + PATIENCE
  while (!holds()) {
    if (Date.now() > end) throw new Error(`not within ${PATIENCE} ms: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** They are erased with the IKE SA. */
function copyOf(protection) {
  return { ...protection, keys: structuredClone(protection.keys) }
}
