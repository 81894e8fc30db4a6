/** `underpass up`: one tunnel, held until somebody ends it. */
import { type ClientConfig, clientSessionConfig } from '../config/client-config.ts'
import { formatDuration } from '../config/fields.ts'
import { isHostError, reasonOf } from '../host-error.ts'
import { ClientNetwork } from '../network/client-network.ts'
import { EXIT } from '../report/exit-codes.ts'
import type { Reporter } from '../report/reporter.ts'
import { AttemptWatch, type TunnelFacts, type Verdict } from './attempt-watch.ts'
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
    const gateway = await resolveGateway(options, foreground)
    if (gateway === undefined) return undefined
    const service = await openService({
      program: 'client',
      title: 'underpass',
      config,
      session: { sessionConfig: clientSessionConfig(config, gateway), listeners: clientListeners(config) },
      network: (host) => new ClientNetwork({ config, host, run: ports.run, onNotice: (text) => reporter.notice(text, 'warn') }),
      io,
      ports,
      reporter,
      foreground,
    })
    hold(service, options, foreground)
    return service
  })
}

/** Starts the tunnel and follows it; `foreground` hears when it is over. */
function hold(service: Service<ClientNetwork>, options: ClientUpOptions, foreground: Foreground): void {
  const { driver } = service.session
  const { config, reporter } = options
  const watch = new AttemptWatch()
  let wasEverUp = false
  // Host changes take time and must not overtake each other, nor "up" them.
  let work = Promise.resolve()
  const act = (verdict: Verdict | undefined): void => {
    if (!verdict || foreground.isEnding) return
    wasEverUp ||= verdict.kind === 'up'
    answer(verdict, { service, options, foreground, isFirst: !wasEverUp })
  }
  driver.onEvent((event) => {
    reporter.event(event)
    const verdict = watch.see(event)
    work = work.then(async () => {
      try {
        if (!foreground.isEnding) await service.network?.follow(event)
      } catch (error) {
        reporter.error(reasonOf(error))
        foreground.end({ exitCode: EXIT.FAILURE, reason: reasonOf(error) })
      }
      act(verdict)
    })
    setImmediate(() => {
      const considered = watch.consider(driver.inspect())
      work = work.then(() => act(considered))
    })
  })
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
  const { reporter, keepRetrying } = options
  switch (verdict.kind) {
    case 'up':
      reporter.headline(upLine(verdict.tunnel, service.network && service.device.name), 'tunnel-up', {
        ...verdict.tunnel,
        device: service.device.name,
      })
      return
    case 'down':
      reporter.notice(`tunnel down: ${verdict.reason}`, 'warn')
      return
    case 'authentication-failed':
      // A wrong key does not get right by trying; one that was right may be back when the gateway is.
      if (isFirst || !keepRetrying) foreground.end({ exitCode: EXIT.AUTHENTICATION_FAILED, reason: verdict.detail })
      return
    case 'refused':
      giveUpOrWait(`the gateway refused: ${verdict.detail}`, EXIT.FAILURE)
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
    reporter.error(text)
    foreground.end({ exitCode, reason: text })
  }
}

/** 'tunnel up: 10.99.0.2 on underpass0, over tcp 192.0.2.9:4500 (UDP had no answer in 1.6 s), to 10.2.0.0/24'. */
function upLine({ addresses, path, reason, remoteTs }: TunnelFacts, device: string | undefined): string {
  const here = [...(addresses.length > 0 ? [addresses.join(', ')] : []), ...(device === undefined ? [] : [`on ${device}`])].join(' ')
  return `tunnel up: ${here}${here === '' ? '' : ', '}over ${path}${reason === '' ? '' : ` (${reason})`}, to ${remoteTs.join(', ')}`
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
      if (!keepRetrying || !isHostError(error, 'NAME_NOT_FOUND')) throw error
      reporter.notice(`${reasonOf(error)}; trying again in ${formatDuration(wait)}`, 'warn')
      if (await foreground.pause(wait)) return undefined
    }
  }
}

/** Replies to our datagrams need a socket; any port will do (RFC 7296 §2.23). */
function clientListeners({ transports }: ClientConfig): {
  readonly tcp: readonly []
  readonly udp: readonly { readonly address: undefined; readonly port: 0 }[]
} {
  return { tcp: [], udp: transports.some(({ transport }) => transport === 'udp') ? [{ address: undefined, port: 0 }] : [] }
}
