import type { Command, IkeSaStatus, PeerStatus, SessionEvent, SessionStatus } from '@underpass/session-manager'
import type { DriverFailure } from '@underpass/session-manager/driver'
import { MemoryTun } from '@underpass/tun-device/memory'
import type { ProgramPorts, RunningSession, SessionOptions } from '../src/index.ts'
import { FakeIo } from './fake-io.ts'
import { FakeIp } from './network/fake-ip.ts'

/** A session that says what the test has it say. */
export class FakeSession implements RunningSession {
  readonly commands: Command[] = []
  readonly listening = { tcp: [{ address: '::', port: 4500 }], udp: [{ address: '0.0.0.0', port: 500 }] }
  readonly cryptoReason = 'noble: a test'
  state: PeerStatus['state'] = 'idle'
  children = 0
  isClosed = false
  tun: unknown
  onAttach: () => void = () => {}
  onInitiate: (session: FakeSession) => void = () => {}
  /** That it was told of. */
  readonly networks: (string | undefined)[] = []
  readonly #commandListeners = new Map<Command['kind'], () => void>()
  readonly #listeners: ((event: SessionEvent) => void)[] = []
  readonly #failureListeners: ((failure: DriverFailure) => void)[] = []

  readonly driver: RunningSession['driver'] = {
    attachTun: (tun) => {
      this.tun = tun
      this.onAttach()
    },
    command: (command) => {
      this.commands.push(command)
      this.#commandListeners.get(command.kind)?.()
      if (command.kind !== 'initiate') return
      this.state = 'connecting'
      setImmediate(() => this.onInitiate(this))
    },
    inspect: () => this.#status(),
    onEvent: (listener) => {
      this.#listeners.push(listener)
      return () => {}
    },
    onFailure: (listener) => {
      this.#failureListeners.push(listener)
      return () => {}
    },
  }

  onCommand(kind: Command['kind'], listener: () => void): void {
    this.#commandListeners.set(kind, listener)
  }

  networkChanged(network?: string): void {
    this.networks.push(network)
  }

  emit(...events: readonly SessionEvent[]): void {
    for (const event of events) {
      if (event.kind === 'child-sa-installed') this.children++
      if (event.kind === 'child-sa-removed') this.children--
      for (const listener of this.#listeners) listener(event)
    }
  }

  fail(failure: DriverFailure): void {
    for (const listener of this.#failureListeners) listener(failure)
  }

  async close(): Promise<void> {
    this.isClosed = true
  }

  #status(): SessionStatus {
    const child = {
      inboundSpi: '',
      outboundSpi: '',
      proposal: '',
      localTs: [],
      remoteTs: [],
      packetsIn: 0,
      octetsIn: 0,
      packetsOut: 0,
      octetsOut: 0,
    }
    const ikeSa: IkeSaStatus = {
      id: '1',
      peer: 'gw',
      role: 'initiator',
      state: 'ESTABLISHED',
      initiatorSpi: '',
      responderSpi: '',
      localId: '',
      remoteId: '',
      proposal: '',
      path: undefined,
      addresses: [],
      children: Array.from({ length: this.children }, () => child),
      establishedMillisecondsAgo: 0,
    }
    return { peers: [{ name: 'gw', state: this.state, attempts: [] }], ikeSas: [ikeSa], connections: [], halfOpen: 0, counters: {} }
  }
}

export interface FakeWorld {
  readonly session: FakeSession
  readonly ip: FakeIp
  readonly ports: ProgramPorts
  readonly io: FakeIo
  /** What the program was started with. */
  started: SessionOptions | undefined
}

export function fakeWorld(onInitiate: (session: FakeSession) => void = () => {}): FakeWorld {
  const session = new FakeSession()
  session.onInitiate = onInitiate
  const ip = new FakeIp()
  const world: FakeWorld = {
    session,
    ip,
    ports: {
      run: ip.run,
      resolve: async (name) => [name],
      resolveServices: async (domain) => [{ address: domain }],
      requireNetAdmin: () => {},
      watchNetworkNews: () => ({ close() {} }),
      openDevice: (tun) => {
        const device = new MemoryTun(tun.name, { mtu: tun.mtu })
        return { device, close: () => device.close() }
      },
      start: async (options) => {
        world.started = options
        return session
      },
    },
    io: new FakeIo(),
    started: undefined,
  }
  return world
}

/** The events of a tunnel that comes up over TCP. */
export function comesUp(address = '10.99.0.2', remoteTs: readonly string[] = ['10.2.0.0/24']): SessionEvent[] {
  const path = {
    transport: 'tcp',
    local: { address: '198.51.100.7', port: 40_000 },
    remote: { address: '192.0.2.9', port: 4500 },
    framing: 'rfc9329',
  } as const
  return [
    { kind: 'transport-tried', peer: 'gw', transport: 'udp:500', reason: 'first of the list' },
    { kind: 'transport-failed', peer: 'gw', transport: 'udp:500', reason: 'no answer', afterMilliseconds: 1600 },
    { kind: 'transport-tried', peer: 'gw', transport: 'tcp:4500', reason: 'next of the list' },
    { kind: 'transport-chosen', peer: 'gw', transport: 'tcp:4500', reason: 'UDP had no answer in 1.6 s' },
    {
      kind: 'ike-sa-established',
      ikeSa: '1',
      peer: 'gw',
      role: 'initiator',
      localId: 'alice@example.com',
      remoteId: '@gw',
      proposal: 'aes256gcm16-prfsha256-x25519',
      path,
    },
    {
      kind: 'addresses-assigned',
      ikeSa: '1',
      peer: 'gw',
      addresses: [{ address, prefixLength: 32 }],
      dns: ['10.2.0.53'],
      subnets: [],
      domains: [],
      pCscf: [],
    },
    {
      kind: 'child-sa-installed',
      ikeSa: '1',
      peer: 'gw',
      inboundSpi: 'c1',
      outboundSpi: 'c2',
      proposal: 'aes256gcm16',
      localTs: [`${address}/32`],
      remoteTs,
    },
  ]
}

export const WRONG_KEY: SessionEvent = {
  kind: 'authentication-failed',
  ikeSa: '1',
  localId: 'alice@example.com',
  remoteId: '@gw',
  detail: 'the other end refused our AUTH',
}
