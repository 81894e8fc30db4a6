/** What both programs open, in order, and close the other way round: control socket, journal, device, addresses, session. */
import { describeEndpoint } from '@underpass/session-manager'
import type { SharedConfig, SocketBuffers } from '../config/shared-schema.ts'
import { openControlSocket } from '../control/control-server.ts'
import type { ProgramStatus, RunsOn } from '../control/protocol.ts'
import { defaultControlPath, journalPath } from '../control/socket-path.ts'
import { HostError, reasonOf } from '../host-error.ts'
import { HostNetwork, recover } from '../network/host-network.ts'
import { Journal, journalOwner } from '../network/journal.ts'
import { EXIT } from '../report/exit-codes.ts'
import type { Reporter } from '../report/reporter.ts'
import { describeFallbacks, describeRunsOn } from '../report/runs-on-words.ts'
import type { OpenedTun } from '../run/index.ts'
import { type TuningGap, type TuningWishes, tuningGaps } from '../run/tuning-gaps.ts'
import type { Foreground } from './foreground.ts'
import type { ProgramPorts, RunningSession, SessionOptions } from './ports.ts'
import type { ProcessIo } from './process-io.ts'
import { runsOn } from './runs-on.ts'

/** The changes to the host that a program wants; `ClientNetwork` and `GatewayNetwork` are such. */
export interface ProgramNetwork {
  /** Before the device is opened. */
  prepare(): Promise<void>
  /** Once it is open. */
  configure(device: string): Promise<void>
}

export interface ServiceOptions<N extends ProgramNetwork> {
  readonly program: 'client' | 'gateway'
  /** 'underpass'. */
  readonly title: string
  readonly config: SharedConfig
  /** `dscp`: of what is dialled. */
  readonly session: Pick<SessionOptions, 'sessionConfig' | 'listeners' | 'carriers'> & { readonly dscp?: number }
  readonly usesTcp: boolean
  /** TLS or a proxy is in it. */
  readonly usesRuntimeTcp: boolean
  readonly usesTls: boolean
  readonly network: (host: HostNetwork) => N
  /** Which network this is, as far as that is known. */
  readonly networkStatus?: () => ProgramStatus['network']
  /** As soon as there is one, before the host is changed. */
  readonly onSession?: (session: RunningSession) => void
  readonly io: ProcessIo
  readonly ports: ProgramPorts
  readonly reporter: Reporter
  readonly foreground: Foreground
}

export interface Service<N extends ProgramNetwork> {
  readonly session: RunningSession
  readonly device: OpenedTun['device']
  /** `undefined` with `tun = "memory"`: there is nothing to route to. */
  readonly network: N | undefined
  /** Sends Deletes, undoes the host changes, removes the control socket. Answers what could not be undone. */
  close(): Promise<string[]>
}

/** Where it throws, what was opened by then is closed again. The driver's failures are told, and end the program where it cannot go on. */
export async function openService<N extends ProgramNetwork>(options: ServiceOptions<N>): Promise<Service<N>> {
  const { config, io, ports, reporter, foreground } = options
  const isReal = config.tun.device !== 'memory'
  if (isReal) ports.requireNetAdmin(config.tun.name)
  const startedAt = new Date().toISOString()
  let host: HostNetwork | undefined
  let opened: OpenedTun | undefined
  let session: RunningSession | undefined
  const status = async (): Promise<ProgramStatus> => {
    // First: workers tell their device's counters with it.
    const inspected = await session?.inspect?.()
    return {
      program: options.title,
      pid: process.pid,
      startedAt,
      configFile: config.file,
      runsOn: runsOn(config.crypto, session, opened?.device, options.usesTls),
      congestionControl: config.congestionControl,
      tcpBuffers: config.tcpBuffers,
      udpBuffers: config.udpBuffers,
      dscp: dscpValues(options.session),
      gaps: gaps(options, session).map(({ text }) => text),
      thinsAcks: config.thinsAcks,
      cpus: config.cpus,
      network: options.networkStatus?.(),
      host: {
        device: isReal && opened ? describeDevice(opened.device) : undefined,
        listening: session ? listeningWords(session) : [],
        changes: host?.changes ?? [],
      },
      session: inspected ?? session?.driver.inspect() ?? { peers: [], ikeSas: [], connections: [], halfOpen: 0, counters: {} },
      events: reporter.recent,
    }
  }
  const controlPath = config.control ?? defaultControlPath(options.program, io.env)
  const control = await openControlSocket(controlPath, {
    status,
    rekey: (what) => session?.driver.command({ kind: 'rekey', what }),
    down: () => foreground.end({ exitCode: EXIT.OK, reason: 'down' }),
  })
  const close = async (): Promise<string[]> => {
    const problems: string[] = []
    const attempt = async (work: () => Promise<unknown> | undefined): Promise<void> => {
      try {
        await work()
      } catch (error) {
        problems.push(reasonOf(error))
      }
    }
    await attempt(() => session?.close({ graceMilliseconds: DELETE_GRACE }))
    // Undone while the device still is: closing it would take its routes with it, and leave nothing to check.
    await attempt(async () => problems.push(...((await host?.removeAll()) ?? [])))
    await attempt(async () => opened?.close())
    await attempt(() => control.close(problems))
    return problems
  }
  try {
    // First what may fail without a trace: the ports. Who comes before the device is there finds a gateway whose packets are lost.
    const { crypto, congestionControl, cpus, tun, tcpBuffers } = config
    const { dscp, ...sessionOptions } = options.session
    const tcpTuning = { congestionControl, innerMtu: tun.mtu, ...tcpBuffers, ...(dscp !== undefined && { dscp }) }
    session = await ports.start({ ...sessionOptions, crypto, tcpTuning, cpus, onStranger: (text) => reporter.stranger(text) })
    session.driver.onFailure(({ code, isFatal, error }) => {
      if (foreground.isEnding) return
      reporter.error(`${code}: ${reasonOf(error)}`)
      if (isFatal || code === 'TUN_FAILED') foreground.end({ exitCode: EXIT.FAILURE, reason: reasonOf(error) })
    })
    options.onSession?.(session)
    if (isReal) host = await openHost(journalPath(controlPath), ports, reporter)
    const network = host && options.network(host)
    await network?.prepare()
    opened = openDevice(config, ports)
    await network?.configure(opened.device.name)
    session.driver.attachTun(opened.device)
    tellRunsOn(runsOn(config.crypto, session, opened.device, options.usesTls), reporter)
    for (const { text, isAsked } of gaps(options, session)) reporter.notice(text, isAsked ? 'warn' : 'debug')
    return { session, device: opened.device, network, close }
  } catch (error) {
    await close()
    throw error
  }
}

function openDevice({ tun }: SharedConfig, ports: ProgramPorts): OpenedTun {
  try {
    return ports.openDevice(tun)
  } catch (error) {
    if ((error as { readonly code?: unknown } | undefined)?.code !== 'NAME_IN_USE') throw error
    const message = `another program has the interface ${tun.name}: stop it, or configure another name under [tun]`
    throw new HostError('ALREADY_RUNNING', message, { path: tun.name, pid: undefined })
  }
}

/** A fallback is slower and works as well, so nobody would find it out. */
function tellRunsOn(found: RunsOn, reporter: Reporter): void {
  for (const line of describeRunsOn(found)) reporter.notice(line, 'debug')
  const fallbacks = describeFallbacks(found)
  if (fallbacks !== undefined) reporter.notice(fallbacks, 'warn', { runsOn: found })
}

/** What the sockets cannot be given here. */
function gaps<N extends ProgramNetwork>(
  { config, session: { listeners, dscp }, usesTcp, usesRuntimeTcp }: ServiceOptions<N>,
  session: RunningSession | undefined,
): TuningGap[] {
  const marks = ({ dscp: mark }: { readonly dscp?: number }): boolean => mark !== undefined
  const ofTcp = buffersAsked('tcp', config.tcpBuffers)
  return tuningGaps({
    ofTcp: [...(dscp !== undefined || listeners.tcp.some(marks) ? ['dscp'] : []), ...ofTcp.map(({ key }) => key)],
    // node:dgram can be told its buffers.
    ofUdp: listeners.udp.some(marks) ? ['dscp'] : [],
    buffers: [...ofTcp, ...buffersAsked('udp', config.udpBuffers)],
    usesTcp,
    usesRuntimeTcp,
    udpFallback: session && runsOn(config.crypto, session, undefined).udp?.reason,
  })
}

function buffersAsked(table: string, { sendBuffer, receiveBuffer }: SocketBuffers): TuningWishes['buffers'] {
  return [
    ...(sendBuffer === undefined ? [] : [{ key: `${table}.send_buffer`, which: 'send' as const, octets: sendBuffer }]),
    ...(receiveBuffer === undefined ? [] : [{ key: `${table}.receive_buffer`, which: 'receive' as const, octets: receiveBuffer }]),
  ]
}

/** Of what is dialled, and of the listeners. */
function dscpValues({ listeners, dscp }: ServiceOptions<ProgramNetwork>['session']): number[] {
  const all = [{ dscp }, ...listeners.tcp, ...listeners.udp].flatMap((one) => one.dscp ?? [])
  return [...new Set(all)]
}

/** '192.0.2.1:4500/tcp'. */
export function listeningWords({ listening }: Pick<RunningSession, 'listening'>): string[] {
  return [...listening.udp.map((at) => `${describeEndpoint(at)}/udp`), ...listening.tcp.map((at) => `${describeEndpoint(at)}/tcp`)]
}

/** For the other end to answer our Deletes (RFC 9329 §6.1). */
const DELETE_GRACE = 2_000

function describeDevice({ name, kind, mtu, counters }: OpenedTun['device']): ProgramStatus['host']['device'] {
  return { name, kind, mtu, counters: { ...counters } }
}

async function openHost(path: string, ports: ProgramPorts, reporter: Reporter): Promise<HostNetwork> {
  const onNotice = (text: string): void => reporter.notice(text, 'warn')
  const owner = journalOwner()
  for (const what of await recover(path, ports.run, owner)) onNotice(`left by a killed process, now undone: ${what}`)
  return new HostNetwork({ run: ports.run, journal: new Journal(path, owner), onNotice })
}
