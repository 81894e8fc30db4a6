/** What is around a client's tunnel, told to the core as it changes: the gateway's addresses, the way to them, which network this is. */
import type { SessionEvent } from '@underpass/session-manager'
import type { ClientConfig } from '../config/client-config.ts'
import { isThroughProxy, transportsTo } from '../config/transports.ts'
import type { ProgramStatus } from '../control/protocol.ts'
import { reasonOf } from '../host-error.ts'
import { GatewayName } from '../names/gateway-name.ts'
import { addressesIn, type Place } from '../names/places.ts'
import type { ClientNetwork } from '../network/client-network.ts'
import { networkIdentity, sendNothing } from '../network/network-identity.ts'
import { NetworkMemory, networkMemoryPath } from '../network/network-memory.ts'
import { Underlay } from '../network/underlay.ts'
import type { Reporter } from '../report/reporter.ts'
import { type ProgramPorts, placesOfGateway, type RunningSession } from './ports.ts'
import type { ProcessIo } from './process-io.ts'

export interface ClientSurroundingsOptions {
  readonly config: ClientConfig
  /** Where the gateway is, as far as that is known. */
  readonly places: readonly Place[]
  readonly io: Pick<ProcessIo, 'env'>
  readonly ports: Pick<ProgramPorts, 'run' | 'resolve' | 'resolveServices' | 'watchNetworkNews'>
  readonly reporter: Reporter
}

/** What there is to tell once the program has opened it. */
export interface Surrounded {
  readonly session: Pick<RunningSession, 'driver' | 'networkChanged'>
  readonly network: ClientNetwork | undefined
  /** The tunnel's. */
  readonly device: string
  /** Does host changes one after another; nothing is done any more once the program ends. */
  readonly inTurn: (work: () => Promise<void>) => Promise<void>
}

export class ClientSurroundings {
  readonly #options: ClientSurroundingsOptions
  readonly #name: GatewayName
  readonly #memory: NetworkMemory | undefined
  #underlay: Underlay | undefined
  #surrounded: Surrounded | undefined
  #isClosed = false
  #network: string | undefined

  constructor(options: ClientSurroundingsOptions) {
    const { config, places, io, ports, reporter } = options
    this.#options = options
    this.#memory = config.remembersNetworks
      ? new NetworkMemory(networkMemoryPath(io.env), (text) => reporter.notice(text, 'warn'))
      : undefined
    this.#name = new GatewayName(places, {
      name: config.gateway,
      resolve: () => placesOfGateway(config, ports),
      onChange: () => void this.#surrounded?.inTurn(() => this.#tellAddresses()),
      onProblem: (reason) => reporter.notice(`${reason}; what was known goes on`, 'debug'),
    })
  }

  /** Where the tunnel may go, now or later: the gateway's addresses, and those proxies that are given by theirs. */
  get ends(): readonly string[] {
    const proxies = Object.values(this.#options.config.carriers).flatMap(({ via }) => (typeof via === 'object' ? [via.host] : []))
    return [...addressesIn(this.#name.places), ...proxies]
  }

  get status(): ProgramStatus['network'] {
    return {
      ...(this.#network === undefined ? {} : { identity: this.#network }),
      ...(this.#memory === undefined ? {} : { keptIn: this.#memory.path }),
    }
  }

  /** All that is known before the first attempt; then what becomes of it, until `close`. */
  async begin(surrounded: Surrounded): Promise<void> {
    const { config, ports } = this.#options
    const { session, network, device } = surrounded
    this.#surrounded = surrounded
    for (const known of this.#memory?.of(config.peer.name) ?? []) session.driver.command({ kind: 'remember-transport', ...known })
    await this.#setWays()
    await this.#tellNetwork()
    if (this.#isClosed) return
    this.#underlay = new Underlay({
      gateway: () => network?.gateway ?? this.#name.places[0]?.address,
      alternatives: () => this.ends,
      tunnel: () => device,
      run: ports.run,
      watchNews: ports.watchNetworkNews,
      onChange: () => surrounded.inTurn(() => this.#wayIsAnother()),
    })
    // It was not waited for until it was there.
    if (this.#name.places.length === 0) this.#lookAgain(false)
  }

  close(): void {
    this.#isClosed = true
    this.#underlay?.close()
    this.#surrounded = undefined
  }

  see(event: SessionEvent): void {
    if (event.kind === 'retry-scheduled') this.#lookAgain(false)
    else if (event.kind === 'transport-remembered' && event.network !== '') this.#memory?.remember(event)
  }

  async #wayIsAnother(): Promise<void> {
    const { reporter } = this.#options
    reporter.notice('the network changed: the way to the gateway is another')
    await this.#setWays()
    await this.#tellNetwork()
    // The core does not wait for it: with what is known there may be a way.
    this.#lookAgain(this.#isUp())
  }

  /** A name that only proxies are told is theirs to resolve. */
  #lookAgain(keepsOthers: boolean): void {
    const { config } = this.#options
    if (!config.transports.every((option) => isThroughProxy(option, config))) void this.#name.lookAgain(keepsOthers)
  }

  /** First the routes: what goes to an address that has none would go into the tunnel. */
  async #tellAddresses(): Promise<void> {
    const { config, reporter } = this.#options
    const { places } = this.#name
    reporter.notice(`${config.gateway} is ${addressesIn(places).join(', ')} now`, 'debug')
    await this.#setWays()
    const transports = transportsTo(places, config)
    if (transports.length > 0) this.#surrounded?.session.driver.command({ kind: 'set-transports', peer: config.peer.name, transports })
  }

  async #setWays(): Promise<void> {
    try {
      await this.#surrounded?.network?.underlayChanged()
    } catch (error) {
      // In the middle of a burst what was true a moment ago may be so no more; the next look finds it.
      this.#options.reporter.notice(`the way to the gateway could not be set: ${reasonOf(error)}`, 'warn')
    }
  }

  async #tellNetwork(): Promise<void> {
    const addresses = addressesIn(this.#name.places)
    this.#network = await networkIdentity(
      addresses.length > 0 ? addresses : ANYWHERE,
      this.#surrounded?.device ?? '',
      this.#options.ports.run,
      // T-APP-2: where UDP is not to be used, the neighbour is known once TCP has asked for it.
      this.#options.config.transports.some(({ transport }) => transport === 'udp') ? sendNothing : async () => {},
    )
    this.#surrounded?.session.networkChanged?.(this.#network)
  }

  #isUp(): boolean {
    return this.#surrounded?.session.driver.inspect().ikeSas.some(({ children }) => children.length > 0) === true
  }
}

/** Where all goes through proxies: by the default route (RFC 5737, RFC 3849). */
const ANYWHERE = ['192.0.2.1', '2001:db8::1']
