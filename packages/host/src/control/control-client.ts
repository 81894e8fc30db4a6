/** `status`, `rekey` and `down` asked of a running program. */
import { createConnection, type Socket } from 'node:net'
import { HostError, reasonOf } from '../host-error.ts'
import { type ControlReply, type ControlRequest, lineReader, MAX_LINE, type ProgramStatus, type RekeyedSa } from './protocol.ts'

/** Throws `HostError` NOT_RUNNING or CONTROL_FAILED. */
export async function requestStatus(path: string): Promise<ProgramStatus> {
  for await (const reply of ask(path, { command: 'status' }, STATUS_TIMEOUT)) {
    if (reply.kind === 'status') return reply.status
    if (reply.kind === 'refused') throw failed(path, reply.reason)
  }
  throw failed(path, 'it hung up without an answer')
}

/** Resolves when it is begun. Throws `HostError` NOT_RUNNING or CONTROL_FAILED. */
export async function requestRekey(path: string, what: RekeyedSa): Promise<void> {
  for await (const reply of ask(path, { command: 'rekey', what }, STATUS_TIMEOUT)) {
    if (reply.kind === 'rekeying') return
    if (reply.kind === 'refused') throw failed(path, reply.reason)
  }
  throw failed(path, 'it hung up without an answer')
}

/** Resolves when the program has undone everything, with what could not be undone. Throws `HostError` NOT_RUNNING or CONTROL_FAILED. */
export async function requestDown(path: string): Promise<readonly string[]> {
  for await (const reply of ask(path, { command: 'down' }, DOWN_TIMEOUT)) {
    if (reply.kind === 'closed') return reply.problems
    if (reply.kind === 'refused') throw failed(path, reply.reason)
  }
  throw failed(path, 'it went away before it was done')
}

/** Whether somebody accepts connections on `path`. */
export async function isAnswering(path: string): Promise<boolean> {
  try {
    const socket = await connect(path)
    socket.destroy()
    return true
  } catch (error) {
    // A socket of another user's is in use for all we can tell.
    return (error as NodeJS.ErrnoException).code === 'EACCES'
  }
}

const STATUS_TIMEOUT = 5_000
const DOWN_TIMEOUT = 15_000

async function* ask(path: string, request: ControlRequest, timeout: number): AsyncGenerator<ControlReply> {
  const socket = await connect(path).catch((error: unknown) => {
    throw notConnected(path, error)
  })
  socket.setEncoding('utf8')
  socket.setTimeout(timeout, () => socket.destroy(failed(path, `no answer in ${timeout / 1000} s`)))
  socket.write(`${JSON.stringify(request)}\n`)
  const read = lineReader(MAX_LINE)
  try {
    for await (const chunk of socket) {
      const lines = read(String(chunk))
      if (lines === undefined) throw failed(path, 'its answer is too long')
      for (const line of lines) yield JSON.parse(line) as ControlReply
    }
  } catch (error) {
    throw error instanceof HostError ? error : failed(path, reasonOf(error))
  } finally {
    socket.destroy()
  }
}

function connect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

function notConnected(path: string, error: unknown): HostError {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'EACCES' || code === 'EPERM') return failed(path, 'it belongs to another user; try sudo')
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new HostError('NOT_RUNNING', `nothing is running: nobody answers on ${path}`, { path })
  return failed(path, reasonOf(error))
}

function failed(path: string, reason: string): HostError<'CONTROL_FAILED'> {
  return new HostError('CONTROL_FAILED', `the control socket ${path}: ${reason}`, { path, reason })
}
