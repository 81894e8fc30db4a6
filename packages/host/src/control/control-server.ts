/** The running program's end of the control socket. */
import { chmodSync, linkSync, lstatSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { HostError, reasonOf } from '../host-error.ts'
import { isAnswering } from './control-client.ts'
import { type ControlReply, type ControlRequest, lineReader, MAX_REQUEST, type ProgramStatus, type RekeyedSa } from './protocol.ts'

export interface ControlHandlers {
  status(): ProgramStatus | Promise<ProgramStatus>
  rekey(what: RekeyedSa): void
  /** Begin to go down. `ControlServer.close` tells those who asked when it is done. */
  down(): void
}

export interface ControlServer {
  readonly path: string
  /** Answers those who wait for `down`, and removes the socket. */
  close(problems: readonly string[]): Promise<void>
}

/**
 * Listens on `path` with mode 0600. A socket that a killed process left is replaced. Throws `HostError` ALREADY_RUNNING where
 * somebody answers on it, CONTROL_FAILED where it cannot be made.
 */
export async function openControlSocket(path: string, handlers: ControlHandlers): Promise<ControlServer> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) throw failed(path, `is longer than ${MAX_SOCKET_PATH} octets`)
  const waiting = new Set<Socket>()
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => {
      open.delete(socket)
      waiting.delete(socket)
    })
    serve(socket, handlers, () => waiting.add(socket))
  })
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    await bind(server, path)
  } catch (error) {
    server.close()
    throw error instanceof HostError ? error : failed(path, cannotBeMade(error))
  }
  return {
    path,
    async close(problems) {
      rmSync(path, { force: true })
      for (const socket of waiting) send(socket, { kind: 'closed', problems })
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of open) socket.end()
      const deadline = setTimeout(() => open.forEach((socket) => void socket.destroy()), CLOSE_TIMEOUT)
      await closed
      clearTimeout(deadline)
    },
  }
}

/** sockaddr_un has room for 108 octets with the terminator; the socket is first made under a longer name. */
const MAX_SOCKET_PATH = 107 - '-XXXXXX/s'.length

const CLOSE_TIMEOUT = 500

/**
 * Made inside a directory of our own and linked to its place only then: nobody can connect before its mode is right, and of two
 * programs that start at once one finds the place taken.
 */
async function bind(server: Server, path: string): Promise<void> {
  const directory = mkdtempSync(`${path}-`)
  const made = join(directory, 's')
  try {
    await listenOn(server, made)
    chmodSync(made, 0o600)
    if (linked(made, path)) return
    if (await isAnswering(path))
      throw new HostError(
        'ALREADY_RUNNING',
        `there is one running already: it answers on ${path}; a second one needs a "control" and a tun.name of its own`,
        { path, pid: undefined },
      )
    if (!lstatSync(path).isSocket()) throw failed(path, 'is there already and is no socket')
    rmSync(path)
    if (!linked(made, path)) throw new HostError('ALREADY_RUNNING', `another one has just started on ${path}`, { path, pid: undefined })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Without the call that failed and the name that it was given: neither is of the user's making. */
export function cannotBeMade(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  const remedy = code === 'EACCES' || code === 'EPERM' ? 'run as root, or name' : 'name'
  return `${reasonOf(error).replace(/, \w+ '.*$/, '')}; ${remedy} another one as "control"`
}

function listenOn(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function serve(socket: Socket, handlers: ControlHandlers, waitForDown: () => void): void {
  const read = lineReader(MAX_REQUEST)
  socket.setEncoding('utf8')
  // Whoever hangs up early has no use for an answer.
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    const lines = read(String(chunk))
    if (lines === undefined) socket.destroy()
    for (const line of lines ?? []) answer(line)
  })
  const answer = (line: string): void => {
    const request = parseRequest(line)
    switch (request?.command) {
      case 'status':
        void answerStatus(socket, handlers)
        return
      case 'down':
        waitForDown()
        send(socket, { kind: 'closing' })
        handlers.down()
        return
      case 'rekey':
        handlers.rekey(request.what)
        send(socket, { kind: 'rekeying' })
        return
      case undefined:
        send(socket, {
          kind: 'refused',
          reason:
            'unknown request; known are {"command":"status"}, {"command":"rekey","what":"ike-sa"}, … "child-sa" and {"command":"down"}',
        })
        return
      default:
        request satisfies never
    }
  }
}

async function answerStatus(socket: Socket, handlers: ControlHandlers): Promise<void> {
  try {
    send(socket, { kind: 'status', status: await handlers.status() })
  } catch (error) {
    send(socket, { kind: 'refused', reason: reasonOf(error) })
  }
}

function parseRequest(line: string): ControlRequest | undefined {
  try {
    const { command, what } = JSON.parse(line) as { readonly command?: unknown; readonly what?: unknown }
    if (command === 'rekey') return what === 'ike-sa' || what === 'child-sa' ? { command, what } : undefined
    return command === 'status' || command === 'down' ? { command } : undefined
  } catch {
    return undefined
  }
}

function send(socket: Socket, reply: ControlReply): void {
  socket.write(`${JSON.stringify(reply)}\n`)
}

function failed(path: string, reason: string): HostError<'CONTROL_FAILED'> {
  return new HostError('CONTROL_FAILED', `the control socket ${path} cannot be used: ${reason}`, { path, reason })
}
