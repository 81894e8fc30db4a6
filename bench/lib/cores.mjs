// Cores and the wire between them, in memory: no socket, no copy, no virtual clock. Each input is handed in at performance.now().
import { nodeKeyExchange } from '@underpass/ike-crypto/node'
import { DEFAULT_LIMITS, DEFAULT_TIMERS, parseEspSuite, parseIdentity, parseIkeSuite, SessionManager } from '@underpass/session-manager'

/** What a socket's read brings at most. */
const CHUNK = 65_536
const GATEWAY = '198.51.100.1'
const SECRET = new TextEncoder().encode('a shared secret that only a benchmark has')

export const random = (length) => crypto.getRandomValues(new Uint8Array(length))

/** A core that answers, and hands out addresses of 10.64.0.0/16 for what is behind 10.2.0.0/24. */
export function createGateway({ provider, ike = 'aes256gcm16-prfsha256-x25519', esp = 'aes256gcm16' }) {
  const pool = { ranges: ['10.64.0.0/16'], dns: [], subnets: [] }
  const who = { name: 'road', localId: parseIdentity('@gateway'), remoteId: undefined, dial: undefined, pool, requestAddresses: [] }
  return core([{ ...who, localSubnets: ['10.2.0.0/24'], remoteSubnets: 'virtual', ...suites(ike, esp) }], true, provider)
}

export function createClient({ name, provider, transport, ike = 'aes256gcm16-prfsha256-x25519', esp = 'aes256gcm16' }) {
  const tcp = { transport: 'tcp', port: 4500, framing: 'rfc9329' }
  const udp = { transport: 'udp', port: 500, natPort: 4500 }
  const dial = { address: GATEWAY, transports: [transport === 'tcp' ? tcp : udp] }
  const who = { name: 'gateway', localId: parseIdentity(`@${name}`), remoteId: parseIdentity('@gateway'), dial, pool: undefined }
  const what = { localSubnets: 'virtual', remoteSubnets: ['10.2.0.0/24'], requestAddresses: ['ipv4'] }
  return core([{ ...who, ...what, ...suites(ike, esp) }], false, provider)
}

const suites = (ike, esp) => ({ ikeProposals: [parseIkeSuite(ike)], espProposals: [parseEspSuite(esp)] })

function core(peers, acceptsPeers, aeadProvider) {
  const limits = { ...DEFAULT_LIMITS, maxConnectionsPerAddress: 20_000, maxHalfOpenPerAddress: 1_000 }
  const secret = { kind: 'shared-key', secret: SECRET }
  const common = { auth: { local: secret, remote: secret }, replayWindow: 1024, esn: true }
  return new SessionManager(
    { peers: peers.map((peer) => ({ ...peer, ...common })), acceptsPeers, aeadProvider, limits, timers: DEFAULT_TIMERS },
    random,
  )
}

/** A gateway and one client, with what each puts out carried to the other. */
export class Pair {
  /** Packets that came out for the gateway's TUN. */
  received = 0
  /** CPU seconds that went into each core and its key exchanges, where `isTimed`. */
  cpuSeconds = { client: 0, gateway: 0 }
  isTimed = false
  #queue = []
  #isEstablished = { client: false, gateway: false }
  // One object each, as the driver has it.
  #espDatagrams = { kind: 'esp-datagrams', local: undefined, remote: undefined, batch: undefined }
  #tunInput = { kind: 'tun-packets', batch: undefined }
  #streamInput = { kind: 'connection-bytes', connection: 0, bytes: undefined }

  /** `number` tells clients of one gateway apart: their addresses, ports and connections. */
  constructor(gateway, client, number = 1) {
    this.gateway = gateway
    this.client = client
    this.clientAddress = `192.0.2.${1 + (number % 250)}`
    this.clientPort = 1024 + (number % 60_000)
    this.gatewayConnection = 2 * number + 1
    this.clientConnection = 0
    this.assigned = undefined
  }

  get isUp() {
    return this.#isEstablished.client && this.#isEstablished.gateway
  }

  /** IKE_SA_INIT and IKE_AUTH. Throws when there is no Child SA at the end. */
  connect() {
    this.#input('client', { kind: 'command', command: { kind: 'initiate', peer: 'gateway' } })
    this.#settle()
    if (!this.isUp) throw new Error('the two cores did not get their Child SA')
    return this
  }

  /** A batch from the client's TUN: through both cores, to the gateway's. */
  send(batch) {
    this.#tunInput.batch = batch
    this.client.handleInput(this.#tunInput, performance.now())
    for (let output = this.client.pollOutput(); output.kind !== 'wait-until'; output = this.client.pollOutput()) {
      if (output.kind === 'write-connection') this.#stream(output.bytes)
      else if (output.kind === 'send-esp-datagrams') this.#datagrams(output.batch)
      else throw new Error(`unexpected while packets pass: ${JSON.stringify(output)}`)
    }
  }

  #stream(bytes) {
    const input = this.#streamInput
    input.connection = this.gatewayConnection
    for (let at = 0; at < bytes.length; at += CHUNK) {
      input.bytes = bytes.length <= CHUNK ? bytes : bytes.subarray(at, at + CHUNK)
      this.gateway.handleInput(input, performance.now())
      this.#drainTun()
    }
  }

  /** As native sockets hand them in: those of one peer together. */
  #datagrams(batch) {
    const input = this.#espDatagrams
    input.local = this.gatewayEnd
    input.remote = this.clientEnd
    input.batch = batch
    this.gateway.handleInput(input, performance.now())
    this.#drainTun()
  }

  #drainTun() {
    for (let output = this.gateway.pollOutput(); output.kind !== 'wait-until'; output = this.gateway.pollOutput()) {
      if (output.kind === 'write-tun') this.received += output.batch.count
    }
  }

  #settle() {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#input(next[0], next[1])
  }

  #input(side, input) {
    const cpu = this.isTimed ? process.cpuUsage() : undefined
    const core = this[side]
    core.handleInput(input, performance.now())
    for (let output = core.pollOutput(); output.kind !== 'wait-until'; output = core.pollOutput()) this.#carryOut(side, output)
    if (cpu === undefined) return
    const { user, system } = process.cpuUsage(cpu)
    this.cpuSeconds[side] += (user + system) / 1e6
  }

  #carryOut(side, output) {
    const other = side === 'client' ? 'gateway' : 'client'
    switch (output.kind) {
      case 'open-connection': {
        this.clientConnection = output.connection
        const far = { address: GATEWAY, port: 4500 }
        const near = { address: this.clientAddress, port: this.clientPort }
        const opened = { kind: 'connection-opened', framing: output.framing }
        this.#queue.push(['gateway', { ...opened, connection: this.gatewayConnection, role: 'responder', local: far, remote: near }])
        this.#queue.push(['client', { ...opened, connection: output.connection, role: 'originator', local: near, remote: far }])
        return
      }
      case 'write-connection': {
        const connection = side === 'client' ? this.gatewayConnection : this.clientConnection
        this.#queue.push([other, { kind: 'connection-bytes', connection, bytes: output.bytes }])
        return
      }
      case 'send-datagram': {
        const gateway = { address: GATEWAY, port: side === 'client' ? output.remote.port : output.local.port }
        const client = {
          address: this.clientAddress,
          port: side === 'client' ? output.local.port || output.remote.port : output.remote.port,
        }
        this.gatewayEnd = gateway
        this.clientEnd = client
        const ends = side === 'client' ? { local: gateway, remote: client } : { local: client, remote: gateway }
        this.#queue.push([other, { kind: 'datagram', ...ends, message: output.message, bytes: output.bytes }])
        return
      }
      case 'crypto-job':
        this.#queue.push([side, { kind: 'crypto-result', job: output.job, result: this.#compute(output.work) }])
        return
      case 'event':
        if (output.event.kind === 'child-sa-installed') this.#isEstablished[side] = true
        if (output.event.kind === 'addresses-assigned' && side === 'client') this.assigned = output.event.addresses[0].address
        return
      case 'close-connection':
        throw new Error('a core closed the connection')
    }
  }

  #compute({ kind, method, peerPublic, secret }) {
    const exchange = nodeKeyExchange(method)
    if (kind === 'ke-initiate') return { kind: 'ke-initiated', ...exchange.initiate(random) }
    if (kind === 'ke-respond') return { kind: 'ke-responded', ...exchange.respond(random, peerPublic) }
    return { kind: 'ke-completed', sharedSecret: exchange.complete(secret, peerPublic) }
  }
}
