/** `underpass up`: one tunnel, held until somebody ends it. */
import { type ClientConfig, clientSessionConfig } from '../config/client-config.ts'
import { formatDuration } from '../config/fields.ts'
import { inEnvironment, isThroughProxy } from '../config/transports.ts'
import { HostError, isHostError, reasonOf } from '../host-error.ts'
import type { Place } from '../names/places.ts'
import { ClientNetwork } from '../network/client-network.ts'
import { EXIT } from '../report/exit-codes.ts'
import type { Reporter } from '../report/reporter.ts'
import type { RuntimeOptions } from '../run/index.ts'
import { AttemptWatch, type TunnelFacts, type Verdict } from './attempt-watch.ts'
import { dialledCarriers } from './client-carriers.ts'
import { ClientSurroundings } from './client-surroundings.ts'
import { authenticationFailedWords, narrowerGrant, refusedWords, upLine } from './client-words.ts'
import { type Ending, type Foreground, inForeground } from './foreground.ts'
import { type ProgramPorts, placesOfGateway } from './ports.ts'
import type { ProcessIo } from './process-io.ts'
import { openService, type Service } from './service.ts'

export interface ClientUpOptions {
  readonly config: ClientConfig
  readonly keepRetrying: boolean
  readonly io: ProcessIo
  readonly ports: ProgramPorts
  readonly reporter: Reporter
}

/** Answers the exit code. All that went wrong has been told. */
export function clientUp(given: ClientUpOptions): Promise<number> {
  const { io, ports, reporter } = given
  return inForeground(given, async (foreground) => {
    const config = { ...given.config, ...inEnvironment(given.config, given.config.gateway, io.env) }
    const options = { ...given, config }
    foreground.exitCodeOfInterrupt = EXIT.INTERRUPTED
    // Told before the gateway is looked for: it is the first thing to mend.
    if (config.tun.device !== 'memory') ports.requireNetAdmin(config.tun.name)
    const places = await resolveGateway(options, foreground)
    if (places === undefined) return undefined
    const surroundings = new ClientSurroundings({ ...options, places })
    const service = await openService({
      program: 'client',
      title: 'underpass',
      config,
      session: {
        sessionConfig: clientSessionConfig(config, places),
        listeners: clientListeners(config),
        carriers: dialledCarriers(config),
        credentials: config.signatures,
        ...(config.dscp !== undefined && { dscp: config.dscp }),
      },
      usesRuntimeTcp: Object.keys(config.carriers).length > 0,
      usesTls: Object.values(config.carriers).some(({ isTls }) => isTls),
      usesTcp: config.transports.some(({ transport }) => transport === 'tcp'),
      network: (host) =>
        new ClientNetwork({
          config,
          host,
          run: ports.run,
          onNotice: (text) => reporter.notice(text, 'warn'),
          alternatives: () => surroundings.ends,
        }),
      networkStatus: () => surroundings.status,
      io,
      ports,
      reporter,
      foreground,
    })
    void foreground.ended.then(() => surroundings.close())
    await hold(service, options, foreground, surroundings)
    return service
  })
}

/** Starts the tunnel and follows it; `foreground` hears when it is over. */
async function hold(
  service: Service<ClientNetwork>,
  options: ClientUpOptions,
  foreground: Foreground,
  surroundings: ClientSurroundings,
): Promise<void> {
  const { driver } = service.session
  const { config, reporter, keepRetrying } = options
  const watch = new AttemptWatch()
  let wasEverUp = false
  let hadChild = false
  // Host changes take time and must not overtake each other, nor "up" them.
  let work = Promise.resolve()
  const act = (verdict: Verdict | undefined): void => {
    if (!verdict || foreground.isEnding) return
    wasEverUp ||= verdict.kind === 'up'
    answer(verdict, { service, options, foreground, isFirst: !wasEverUp })
  }
  driver.onEvent((event) => {
    hadChild ||= event.kind === 'child-sa-installed'
    // The core retries for ever; a first attempt that fails ends the program.
    if (event.kind !== 'retry-scheduled' || keepRetrying || hadChild) reporter.event(event)
    surroundings.see(event)
    const verdict = watch.see(event)
    work = work.then(async () => {
      try {
        if (!foreground.isEnding) await service.network?.follow(event)
      } catch (error) {
        foreground.end({ exitCode: EXIT.FAILURE, reason: reasonOf(error), lastWords: reasonOf(error) })
      }
      act(verdict)
    })
    setImmediate(() => {
      const considered = watch.consider(driver.inspect())
      work = work.then(() => act(considered))
    })
  })
  await surroundings.begin({
    session: service.session,
    network: service.network,
    device: service.device.name,
    inTurn(change) {
      work = work
        .then(() => (foreground.isEnding ? undefined : change()))
        .catch((error: unknown) => foreground.end({ exitCode: EXIT.FAILURE, reason: reasonOf(error), lastWords: reasonOf(error) }))
      return work
    },
  })
  if (!foreground.isEnding) driver.command({ kind: 'initiate', peer: config.peer.name })
}

interface Circumstances {
  readonly service: Service<ClientNetwork>
  readonly options: ClientUpOptions
  readonly foreground: Foreground
  /** The tunnel has not been up yet. */
  readonly isFirst: boolean
}

function answer(verdict: Verdict, { service, options, foreground, isFirst }: Circumstances): void {
  const { config, reporter, keepRetrying } = options
  switch (verdict.kind) {
    case 'up':
      foreground.exitCodeOfInterrupt = EXIT.OK
      tellUp(verdict.tunnel, service, options)
      return
    case 'down':
      reporter.notice(`tunnel down: ${verdict.reason}`, 'warn')
      return
    case 'authentication-failed':
      // A wrong key does not get right by trying; one that was right may be back when the gateway is.
      if (isFirst || !keepRetrying) {
        const lastWords = authenticationFailedWords(config, verdict)
        foreground.end({ exitCode: EXIT.AUTHENTICATION_FAILED, reason: verdict.detail, lastWords })
      }
      return
    case 'refused':
      giveUpOrWait(refusedWords(config, verdict), EXIT.FAILURE)
      return
    case 'unreachable':
      giveUpOrWait(`the gateway cannot be reached: ${verdict.detail}`, EXIT.UNREACHABLE)
      return
    default:
      verdict satisfies never
  }

  function giveUpOrWait(text: string, exitCode: Ending['exitCode']): void {
    if (keepRetrying || !isFirst) {
      reporter.notice(`${text}; trying again`, 'warn')
      return
    }
    const lastWords = exitCode === EXIT.UNREACHABLE ? `${text}; ${GO_ON}` : text
    foreground.end({ exitCode, reason: text, lastWords })
  }
}

const GO_ON = '--keep-retrying goes on'

/** What does not go as it was asked for comes first. */
function tellUp(tunnel: TunnelFacts, { network, device }: Service<ClientNetwork>, { config, reporter }: ClientUpOptions): void {
  const narrower = narrowerGrant(config, tunnel)
  if (narrower !== undefined) reporter.notice(narrower, 'warn')
  const unrouted = network?.unrouted ?? []
  reporter.headline(upLine(tunnel, network && device.name, unrouted), 'tunnel-up', {
    ...tunnel,
    // None with `tun = "memory"`.
    ...(network && { device: device.name }),
    ...(unrouted.length === 0 ? {} : { unrouted }),
  })
}

/**
 * `undefined`: the program is to end before there was an answer. None, where the name is a proxy's to resolve: it may be known there alone, and
 * where something else than proxies is tried, too, it is not waited for long.
 */
async function resolveGateway(
  { config, ports, reporter, keepRetrying }: ClientUpOptions,
  foreground: Foreground,
): Promise<readonly Place[] | undefined> {
  const proxied = config.transports.filter((option) => isThroughProxy(option, config))
  if (proxied.length === config.transports.length) return []
  const asked = (): Promise<readonly Place[] | undefined> =>
    Promise.race([placesOfGateway(config, ports), foreground.ended.then(() => undefined)])
  const asPatiently = (): Promise<readonly Place[] | undefined> =>
    proxied.length === 0
      ? asked()
      : Promise.race([asked(), foreground.pause(NAME_PATIENCE).then((isEnding) => (isEnding ? undefined : []))])
  for (let wait = config.timers.retry; ; wait = Math.min(wait * 2, config.timers.maxRetry)) {
    try {
      const places = await asPatiently()
      if (places?.length === 0) reporter.notice(`${config.gateway} has no address yet: for now only proxies are tried`, 'warn')
      return places
    } catch (error) {
      if (!isHostError(error, 'NAME_NOT_FOUND')) throw error
      const reason = `${config.file}: peer.gateway: ${reasonOf(error)}`
      if (proxied.length > 0) {
        reporter.notice(`${reason}; for now only proxies are tried`, 'warn')
        return []
      }
      if (!keepRetrying) throw new HostError('NAME_NOT_FOUND', `${reason}; ${GO_ON}`, error.context)
      reporter.notice(`${reason}; trying again in ${formatDuration(wait)}`, 'warn')
      if (await foreground.pause(wait)) return undefined
    }
  }
}

/** Milliseconds for the name servers, where a proxy may do without. */
const NAME_PATIENCE = 1_000

/** Replies to our datagrams need a socket; any port will do (RFC 7296 §2.23). */
function clientListeners({ transports, dscp, udpBuffers }: ClientConfig): RuntimeOptions['listeners'] {
  const anyPort = { address: undefined, port: 0, ...udpBuffers, ...(dscp !== undefined && { dscp }) }
  return { tcp: [], udp: transports.some(({ transport }) => transport === 'udp') ? [anyPort] : [] }
}
