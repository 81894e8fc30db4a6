/** The ports of a program whose work is spread over threads: the session is a supervisor, the device has a queue for each worker. */
import { tcpSockets } from '@underpass/tls-transport'
import { HostError } from '../host-error.ts'
import type { ProgramPorts } from '../program/ports.ts'
import { openTunWith } from '../run/tun.ts'
import { QueuedTun } from './queued-tun.ts'
import { startWorkers } from './supervisor.ts'

/** `workers`: 2 or more. `start` throws `HostError` NOT_SUPPORTED where native calls cannot be had. */
export function portsOfWorkers(ports: ProgramPorts, workers: number, sockets: ReturnType<typeof tcpSockets> = tcpSockets()): ProgramPorts {
  return {
    ...ports,
    openDevice: ({ device, name, mtu }) => {
      if (device !== 'tun')
        throw notSupported(workers, `the device "${device}" has one queue`, 'Configure [tun] device = "tun", or workers = 1.')
      return openTunWith((options) => new QueuedTun(options, workers), { name, mtu })
    },
    start: async (options) => {
      if (sockets.kind !== 'native')
        throw notSupported(
          workers,
          `ports cannot be shared without native system calls (${sockets.reason})`,
          'Install the optional dependency koffi, on Linux, or configure workers = 1.',
        )
      return await startWorkers(options, workers)
    },
  }
}

function notSupported(workers: number, why: string, what: string): HostError<'NOT_SUPPORTED'> {
  return new HostError('NOT_SUPPORTED', `workers = ${workers} cannot be had: ${why}. ${what}`, { what: 'workers' })
}
