/** `underpass up`: one tunnel, held until somebody ends it. */
import { proxyFromEnvironment } from '@underpass/tls-transport'
import { type ClientConfig, clientSessionConfig } from '../config/client-config.ts'
import { formatDuration } from '../config/fields.ts'
import { HostError, isHostError, reasonOf } from '../host-error.ts'
import { ClientNetwork } from '../network/client-network.ts'
import { Underlay } from '../network/underlay.ts'
import { EXIT } from '../report/exit-codes.ts'
import type { Reporter } from '../report/reporter.ts'
import type { RuntimeOptions } from '../run/index.ts'
import { AttemptWatch, type TunnelFacts, type Verdict } from './attempt-watch.ts'
import { dialledCarriers } from './client-carriers.ts'
import { authenticationFailedWords, narrowerGrant, refusedWords, upLine } from './client-words.ts'
import { type Ending, type Foreground, inForeground } from './foreground.ts'
import type { ProgramPorts } from './ports.ts'
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
export function clientUp(options: ClientUpOptions): Promise<number> {
  const { config, io, ports, reporter } = options
  return inForeground(options, async (foreground) => {
    foreground.exitCodeOfInterrupt = EXIT.INTERRUPTED
    // Told before the gateway is looked for: it is the first thing to mend.
    if (config.tun.device !== 'memory') ports.requireNetAdmin(config.tun.name)
    const gateway = await resolveGateway(options, foreground)
    if (gateway === undefined) return undefined
    const service = await openService({
      program: 'client',
      title: 'underpass',
      config,
      session: {
        sessionConfig: clientSessionConfig(config, gateway),
        listeners: clientListeners(config),
        carriers: dialledCarriers(config),
        ...(config.dscp !== undefined && { dscp: config.dscp }),
      },
      usesRuntimeTcp: Object.keys(config.carriers).length > 0,
      usesTcp: config.transports.some(({ transport }) => transport === 'tcp'),
      network: (host) => new ClientNetwork({ config, host, run: ports.run, onNotice: (text) => reporter.notice(text, 'warn') }),
      io,
      ports,
      reporter,
      foreground,
    })
    hold(service, options, foreground, gateway)
    return service
  })
}

/** Starts the tunnel and follows it; `foreground` hears when it is over. */
function hold(service: Service<ClientNetwork>, options: ClientUpOptions, foreground: Foreground, gateway: string): void {
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
  const underlay = new Underlay({
    gateway: () => service.network?.gateway ?? gateway,
    tunnel: () => service.device.name,
    run: options.ports.run,
    watchNews: options.ports.watchNetworkNews,
    onChange: () => {
      work = work.then(async () => {
        if (foreground.isEnding) return
        reporter.notice('the network changed: the way to the gateway is another')
        try {
          await service.network?.underlayChanged()
        } catch (error) {
          // In the middle of a burst what was true a moment ago may be so no more; the next look finds it.
          reporter.notice(`the way to the gateway could not be set: ${reasonOf(error)}`, 'warn')
        }
        driver.networkChanged?.()
      })
      return work
    },
  })
  void foreground.ended.then(() => underlay.close())
  driver.command({ kind: 'initiate', peer: config.peer.name })
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

/** `undefined`: the program is to end before there was an answer. */
async function resolveGateway(
  { config, ports, reporter, keepRetrying }: ClientUpOptions,
  foreground: Foreground,
): Promise<string | undefined> {
  for (let wait = config.timers.retry; ; wait = Math.min(wait * 2, config.timers.maxRetry)) {
    try {
      return await ports.resolve(config.gateway)
    } catch (error) {
      if (!isHostError(error, 'NAME_NOT_FOUND')) throw error
      if (areAllThroughProxies(config)) return NOWHERE
      const reason = `${config.file}: peer.gateway: ${reasonOf(error)}`
      if (!keepRetrying) throw new HostError('NAME_NOT_FOUND', `${reason}; ${GO_ON}`, error.context)
      reporter.notice(`${reason}; trying again in ${formatDuration(wait)}`, 'warn')
      if (await foreground.pause(wait)) return undefined
    }
  }
}

/** Behind a proxy there may be no name server that knows the gateway; the proxy is told its name. */
function areAllThroughProxies({ gateway, transports, carriers }: ClientConfig): boolean {
  return transports.every((one) => {
    const via = one.transport === 'tcp' && one.carrier !== undefined ? carriers[one.carrier]?.via : undefined
    return via === 'environment' ? proxyFromEnvironment(process.env, gateway, one.port) !== undefined : via !== undefined
  })
}

/** In the place of an address that nobody dials (RFC 5737). */
const NOWHERE = '192.0.2.1'

/** Replies to our datagrams need a socket; any port will do (RFC 7296 §2.23). */
function clientListeners({ transports, dscp, udpBuffers }: ClientConfig): RuntimeOptions['listeners'] {
  const anyPort = { address: undefined, port: 0, ...udpBuffers, ...(dscp !== undefined && { dscp }) }
  return { tcp: [], udp: transports.some(({ transport }) => transport === 'udp') ? [anyPort] : [] }
}
