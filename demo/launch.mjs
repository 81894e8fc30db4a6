// Picks where the demonstration runs, and starts it there: in network namespaces of its own where the kernel gives some to this
// user, else with a TUN in memory. The process that runs it is our child, and ends with us.
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { execPath, getuid } from 'node:process'
import { fileURLToPath } from 'node:url'
import { findProgram } from './processes.mjs'

const INSIDE = fileURLToPath(new URL('./inside.mjs', import.meta.url))

/** Answers the status to end with. */
export async function launch({ json, memory, once, without, screen }) {
  const options = { json, without, holds: screen.isTerminal && !once && !json }
  const reasons = []
  for (const place of places({ memory, without, reasons })) {
    const outcome = await runIn(place, { ...options, reasons })
    if (outcome.impossible === undefined) return outcome.status
    reasons.push(`${place.name}: ${outcome.impossible}`)
  }
  throw new Error(`this machine cannot run it: ${reasons.join('; ')}`)
}

launch.isRunning = false

function places({ memory, without, reasons }) {
  const inMemory = { name: 'memory', command: [execPath, INSIDE] }
  if (memory) {
    reasons.push('it was asked for with --memory')
    return [inMemory]
  }
  if (process.platform !== 'linux') {
    reasons.push('network namespaces are Linux’s')
    return [inMemory]
  }
  const missing = ['unshare', 'ip', 'mount'].filter((name) => findProgram(name, without) === undefined)
  if (missing.length > 0) {
    reasons.push(`there is no ${missing.join(' and no ')} here`)
    return [inMemory]
  }
  const unshare = findProgram('unshare', without)
  const user = { name: 'user namespace', command: [unshare, '-Urnm', execPath, INSIDE] }
  const root = { name: 'namespaces of root', command: [unshare, '-nm', execPath, INSIDE] }
  return [user, ...(getuid?.() === 0 ? [root] : []), inMemory]
}

/** `impossible`: this place is not to be had here, and nothing has been shown yet. */
function runIn({ name, command }, options) {
  const [program, ...words] = command
  return new Promise((resolve) => {
    const pids = new Set()
    let impossible
    let hasStarted = false
    let stderr = ''
    let folder
    // A session of its own: Ctrl-C at the terminal comes to us alone, and we pass it on once.
    const child = spawn(program, [...words, JSON.stringify({ place: name, ...options })], {
      stdio: ['ignore', options.json ? 'pipe' : 'inherit', 'pipe', 'ipc'],
      detached: true,
    })
    launch.isRunning = true
    const watch = watchNpm(() => pass('SIGTERM'))
    let stdout = ''
    let isInterrupted = false
    const pass = (signal) => {
      isInterrupted = true
      child.kill(signal)
    }
    for (const signal of SIGNALS) process.on(signal, pass)
    // Its words go to stderr with --json. Before it has started they are unshare's reasons for not doing it.
    child.stderr.setEncoding('utf8').on('data', (text) => {
      if (hasStarted) process.stderr.write(text)
      else stderr += text
    })
    // The line of JSON is the last thing said, also where both streams end in one file.
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    child.on('message', (message) => {
      if (message.kind === 'started') pids.add(message.pid)
      else if (message.kind === 'ended') pids.delete(message.pid)
      else if (message.kind === 'folder') folder = message.path
      else if (message.kind === 'keeps-folder') folder = undefined
      else if (message.kind === 'impossible') impossible = message.reason
      else if (message.kind === 'running') {
        hasStarted = true
        process.stderr.write(stderr)
      }
    })
    const end = (code, signal) => {
      for (const one of SIGNALS) process.off(one, pass)
      launch.isRunning = false
      clearInterval(watch)
      for (const pid of pids) kill(pid)
      if (signal !== null) process.stderr.write(`the demonstration was ended by ${signal}; what it had started is stopped\n`)
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
      process.stdout.write(stdout)
      if (!hasStarted && signal === null && !isInterrupted) impossible ??= lastLine(stderr) || `ended with ${code}`
      resolve({ status: code ?? (isInterrupted ? 130 : 1), impossible })
    }
    child.on('close', end)
    child.on('error', (error) => {
      impossible = error.message
      end(1, null)
    })
  })
}

/** npm gives its signals to a shell, and not every shell passes them on: when that has gone, so has npm. */
function watchNpm(onGone) {
  const parent = process.ppid
  if (process.env.npm_lifecycle_event === undefined) return undefined
  return setInterval(() => {
    if (process.ppid !== parent) onGone()
  }, 500)
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

function lastLine(text) {
  return text
    .trim()
    .split('\n')
    .at(-1)
    .replace(/^unshare: /, '')
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
